#include "tls.h"

#include <stdlib.h>
#include <string.h>

#include "mbedtls/platform_util.h"

#include "compute-units.h"
#include "tls-internal.h"
#include "tls-name.h"

#define AEAD_BLOCK_BYTES 16u

static void charge_record(struct tls *tls, size_t bytes) {
  tls->units += UNITS_RECORD + (uint32_t)(bytes / AEAD_BLOCK_BYTES) * UNITS_AEAD_BLOCK;
}

/* The bytes that Mbed TLS sends: all of them fit, or memory has run out. */
static int send_to_queue(void *context, const unsigned char *bytes, size_t length) {
  struct tls *tls = context;
  if (length > INT32_MAX || !byte_queue_push(&tls->output, bytes, length)) {
    tls->out_of_memory = true;
    return MBEDTLS_ERR_SSL_ALLOC_FAILED;
  }
  return (int)length;
}

static int receive_from_queue(void *context, unsigned char *out, size_t capacity) {
  struct tls *tls = context;
  const size_t length = byte_queue_pull(&tls->input, out, capacity);
  return length == 0 ? MBEDTLS_ERR_SSL_WANT_READ : (int)length;
}

struct tls *tls_create(struct tls_context *context) {
  struct tls *tls = calloc(1, sizeof *tls);
  if (tls == NULL) return NULL;
  tls->context = context;
  tls->phase = TLS_CONFIGURING;
  tls->resume = true;
  tls->failure.depth = -1;
  tls->failure.alert = -1;
  mbedtls_ssl_init(&tls->ssl);
  mbedtls_ssl_config_init(&tls->config);
  mbedtls_x509_crt_init(&tls->roots);
  mbedtls_x509_crt_init(&tls->certificates);
  mbedtls_pk_init(&tls->private_key);
  return tls;
}

/* What only a handshake needs: roots, and the client's chain and key. */
static void free_credentials(struct tls *tls) {
  mbedtls_pk_free(&tls->private_key);
  mbedtls_x509_crt_free(&tls->certificates);
  mbedtls_x509_crt_free(&tls->roots);
  tls->verification.roots = NULL;
}

void tls_destroy(struct tls *tls) {
  if (tls == NULL) return;
  mbedtls_ssl_free(&tls->ssl);
  mbedtls_ssl_config_free(&tls->config);
  free_credentials(tls);
  byte_queue_clear(&tls->input);
  byte_queue_clear(&tls->output);
  mbedtls_platform_zeroize(tls, sizeof *tls);
  free(tls);
}

enum tls_error tls_set_host(struct tls *tls, const char *host) {
  if (tls->phase != TLS_CONFIGURING) return tls_fail(tls, TLS_CONFIG, "host: the engine has started");
  if (host_kind_of(host) == HOST_INVALID) return tls_fail(tls, TLS_CONFIG, "host: not a DNS name or an IPv4 address");
  memcpy(tls->host, host, strlen(host) + 1);
  for (char *c = tls->host; *c != '\0'; c++) {
    if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
  }
  return TLS_OK;
}

enum tls_error tls_add_root(struct tls *tls, const uint8_t *der, size_t length) {
  if (tls->phase != TLS_CONFIGURING) return tls_fail(tls, TLS_CONFIG, "roots: the engine has started");
  if (tls->root_count == TLS_MAX_ROOTS) return tls_fail(tls, TLS_CONFIG, "roots: at most 16");
  if (length == 0 || length > TLS_MAX_CERTIFICATE_BYTES) return tls_fail(tls, TLS_CONFIG, "roots: each 1 to 8192 bytes of DER");
  const int code = mbedtls_x509_crt_parse_der(&tls->roots, der, length);
  if (code != 0) {
    (void)tls_fail_library(tls, code);
    return tls->failure.error == TLS_MEMORY ? TLS_MEMORY : tls_fail(tls, TLS_CONFIG, "roots: not an X.509 certificate in DER");
  }
  tls->units += UNITS_CERTIFICATE_PARSE;
  const mbedtls_x509_crt *root = &tls->roots;
  while (root->next != NULL) root = root->next;
  if (!tls_is_ca(root)) return tls_fail(tls, TLS_CONFIG, "roots: a certificate without basicConstraints CA");
  tls->root_count++;
  return TLS_OK;
}

enum tls_error tls_add_certificate(struct tls *tls, const uint8_t *der, size_t length) {
  if (tls->phase != TLS_CONFIGURING) return tls_fail(tls, TLS_CONFIG, "certificates: the engine has started");
  if (tls->certificate_count == TLS_MAX_CERTIFICATES) return tls_fail(tls, TLS_CONFIG, "certificates: at most 4");
  if (length == 0 || length > TLS_MAX_CERTIFICATE_BYTES) {
    return tls_fail(tls, TLS_CONFIG, "certificates: each 1 to 8192 bytes of DER");
  }
  const int code = mbedtls_x509_crt_parse_der(&tls->certificates, der, length);
  if (code != 0) {
    (void)tls_fail_library(tls, code);
    if (tls->failure.error == TLS_MEMORY) return TLS_MEMORY;
    return tls_fail(tls, TLS_CONFIG, "certificates: not an X.509 certificate in DER");
  }
  tls->units += UNITS_CERTIFICATE_PARSE;
  tls->certificate_count++;
  return TLS_OK;
}

enum tls_error tls_set_private_key(struct tls *tls, const uint8_t *der, size_t length) {
  if (tls->phase != TLS_CONFIGURING || tls->has_private_key) return tls_fail(tls, TLS_CONFIG, "key: set once, before the start");
  if (length == 0 || length > TLS_MAX_PRIVATE_KEY_BYTES || tls_parse_private_key(&tls->private_key, der, length) != 0) {
    return tls_fail(tls, TLS_CONFIG, "key: not a private key in DER (PKCS #8, PKCS #1 or SEC 1)");
  }
  tls->has_private_key = true;
  return TLS_OK;
}

void tls_set_resume(struct tls *tls, bool resume) {
  tls->resume = resume;
}

static enum tls_error check_configuration(struct tls *tls) {
  if (tls->phase != TLS_CONFIGURING) return tls_fail(tls, TLS_CONFIG, "the engine has started");
  if (tls->host[0] == '\0') return tls_fail(tls, TLS_CONFIG, "host: missing");
  if (tls->root_count == 0) return tls_fail(tls, TLS_CONFIG, "roots: at least one");
  if (tls->has_private_key != (tls->certificate_count > 0)) return tls_fail(tls, TLS_CONFIG, "certificates and key go together");
  if (tls->has_private_key && !tls_keys_match(&tls->certificates.pk, &tls->private_key)) {
    return tls_fail(tls, TLS_CONFIG, "key: not the one of the first certificate");
  }
  return TLS_OK;
}

enum tls_error tls_start(struct tls *tls) {
  enum tls_error error = check_configuration(tls);
  if (error != TLS_OK) return error;
  if (!tls->context->self_tested && tls_self_test(tls->context) != TLS_OK) {
    return tls_fail(tls, TLS_SELF_TEST, "this build does not refuse bad certificates");
  }
  tls->units += UNITS_TLS_START;
  int code = mbedtls_ssl_config_defaults(&tls->config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
  if (code != 0) return tls_fail_library(tls, code);
  tls_apply_policy(&tls->config);
  mbedtls_ssl_conf_ca_chain(&tls->config, &tls->roots, NULL);
  tls_verification_init(&tls->verification, tls->host, &tls->roots);
  mbedtls_ssl_conf_verify(&tls->config, tls_verify, &tls->verification);
  if (tls->has_private_key) {
    code = mbedtls_ssl_conf_own_cert(&tls->config, &tls->certificates, &tls->private_key);
    if (code != 0) return tls_fail_library(tls, code);
  }
  code = mbedtls_ssl_setup(&tls->ssl, &tls->config);
  /* RFC 6066 3: no address in SNI. The verify callback looks at the name in both cases. */
  if (code == 0) code = mbedtls_ssl_set_hostname(&tls->ssl, host_kind_of(tls->host) == HOST_DNS ? tls->host : NULL);
  if (code != 0) return tls_fail_library(tls, code);
  mbedtls_ssl_set_bio(&tls->ssl, tls, send_to_queue, receive_from_queue, NULL);
  tls_session_bind(tls);
  tls->offered_session = tls_session_offer(tls);
  tls->phase = TLS_HANDSHAKING;
  return TLS_OK;
}

enum tls_error tls_feed(struct tls *tls, const uint8_t *bytes, size_t length) {
  if (tls->phase == TLS_FAILED) return tls->failure.error;
  if (tls->phase == TLS_CONFIGURING) return tls_fail(tls, TLS_CONFIG, "the engine has not started");
  if (length > TLS_MAX_INPUT_BYTES - tls->input.length) return tls_fail(tls, TLS_PROTOCOL, "more ciphertext waits than one record");
  if (length > TLS_MAX_BARREN_BYTES - tls->barren_bytes) {
    return tls_fail(tls, TLS_PROTOCOL, "the server sends and sends, and nothing comes of it");
  }
  if (!byte_queue_push(&tls->input, bytes, length)) return tls_fail(tls, TLS_MEMORY, "not enough memory");
  tls->barren_bytes += length;
  for (size_t i = 0; i < length && tls->first_record_length < sizeof tls->first_record; i++) {
    tls->first_record[tls->first_record_length++] = bytes[i];
  }
  charge_record(tls, length);
  return TLS_OK;
}

size_t tls_output_length(const struct tls *tls) {
  return tls->output.length;
}

size_t tls_take(struct tls *tls, uint8_t *out, size_t capacity) {
  return byte_queue_pull(&tls->output, out, capacity);
}

/* Both calls below ask for more although input waits, now and then: a ticket was read, or an alert skipped. A socket would be polled
 * again; here it is tried again until the input is used up or does not get less. */
static bool try_again(const struct tls *tls, size_t input_before, unsigned *stalls) {
  if (tls->input.length == 0) return false;
  *stalls = tls->input.length == input_before ? *stalls + 1 : 0;
  return *stalls < 2;
}

static bool wants_more(struct tls *tls, int code) {
#if defined(MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
  if (code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
    tls_session_keep(tls);
    return true;
  }
#else
  (void)tls;
#endif
  return code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE;
}

static enum tls_error finish_handshake(struct tls *tls) {
  const bool resumed = tls->verification.certificates == 0;
  if (resumed && !tls->offered_session) return tls_fail(tls, TLS_PROTOCOL, "the server resumed a session that was not offered");
  tls->phase = TLS_UP;
  tls->barren_bytes = 0;
  if (!resumed) tls_session_verified(tls);
  tls_session_keep(tls);
  mbedtls_ssl_conf_ca_chain(&tls->config, NULL, NULL);
  free_credentials(tls);
  return TLS_OK;
}

static enum tls_error fail_connection(struct tls *tls, int code) {
  if (tls->offered_session && tls->phase == TLS_HANDSHAKING) tls_session_forget(tls);
  mbedtls_pk_free(&tls->private_key);
  return tls_fail_library(tls, code);
}

enum tls_error tls_handshake(struct tls *tls, bool *done) {
  *done = tls->phase == TLS_UP;
  if (tls->phase == TLS_UP) return TLS_OK;
  if (tls->phase == TLS_FAILED) return tls->failure.error;
  if (tls->phase == TLS_CONFIGURING) return tls_fail(tls, TLS_CONFIG, "the engine has not started");
  tls->units += UNITS_TLS_CALL;
  unsigned stalls = 0;
  int code;
  size_t before;
  do {
    before = tls->input.length;
    code = mbedtls_ssl_handshake(&tls->ssl);
  } while (wants_more(tls, code) && try_again(tls, before, &stalls));
  if (tls->verification.units > 0) {
    tls->units += tls->verification.units + UNITS_ECDHE;
    if (tls->has_private_key) tls->units += UNITS_ECDSA_P256_SIGN;
    tls->verification.units = 0;
  }
  if (wants_more(tls, code)) return TLS_OK;
  if (code != 0) return fail_connection(tls, code);
  *done = true;
  return finish_handshake(tls);
}

enum tls_error tls_poll(struct tls *tls, size_t *available, bool *closed) {
  *available = 0;
  *closed = tls->peer_closed;
  if (tls->peer_closed) return TLS_OK;
  if (tls->phase == TLS_FAILED) return tls->failure.error;
  if (tls->phase != TLS_UP) return TLS_OK;
  tls->units += UNITS_TLS_CALL;
  unsigned stalls = 0;
  int code;
  size_t before;
  do {
    before = tls->input.length;
    code = mbedtls_ssl_read(&tls->ssl, NULL, 0); /* decrypts the next record, takes nothing */
    *available = mbedtls_ssl_get_bytes_avail(&tls->ssl);
  } while (*available == 0 && (code == 0 || wants_more(tls, code)) && try_again(tls, before, &stalls));
  if (*available > 0 || code == 0 || wants_more(tls, code)) return TLS_OK;
  if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
    tls->peer_closed = *closed = true;
    return TLS_OK;
  }
  return fail_connection(tls, code);
}

size_t tls_read(struct tls *tls, uint8_t *out, size_t capacity) {
  if (tls->phase != TLS_UP) return 0;
  const size_t available = mbedtls_ssl_get_bytes_avail(&tls->ssl);
  const size_t wanted = available < capacity ? available : capacity;
  if (wanted == 0) return 0;
  const int count = mbedtls_ssl_read(&tls->ssl, out, wanted);
  if (count <= 0) return 0;
  tls->barren_bytes = 0;
  return (size_t)count;
}

enum tls_error tls_write(struct tls *tls, const uint8_t *bytes, size_t length, size_t *written) {
  *written = 0;
  if (tls->phase == TLS_FAILED) return tls->failure.error;
  if (tls->phase != TLS_UP) return TLS_OK;
  if (length == 0 || tls->output.length >= TLS_MAX_OUTPUT_BYTES) return TLS_OK;
  const size_t wanted = length < TLS_MAX_RECORD_OUT_BYTES ? length : TLS_MAX_RECORD_OUT_BYTES;
  charge_record(tls, wanted);
  const int count = mbedtls_ssl_write(&tls->ssl, bytes, wanted);
  if (count < 0) return fail_connection(tls, count);
  *written = (size_t)count;
  return TLS_OK;
}

enum tls_error tls_end(struct tls *tls) {
  if (tls->phase == TLS_FAILED) return tls->failure.error;
  if (tls->phase != TLS_UP) return TLS_OK;
  const int code = mbedtls_ssl_close_notify(&tls->ssl);
  return code == 0 ? TLS_OK : fail_connection(tls, code);
}

bool tls_get_info(const struct tls *tls, struct tls_info *info) {
  if (tls->phase != TLS_UP) return false;
  info->version = mbedtls_ssl_get_version(&tls->ssl);
  info->cipher = mbedtls_ssl_get_ciphersuite(&tls->ssl);
  info->resumed = tls->verification.certificates == 0;
  return true;
}

const struct tls_failure *tls_get_failure(const struct tls *tls) {
  return &tls->failure;
}

uint32_t tls_take_units(struct tls *tls) {
  const uint32_t units = tls->units;
  tls->units = 0;
  return units;
}
