/* An engine from its creation to its start, and its end. */
#include <stdlib.h>
#include <string.h>

#include "mbedtls/platform_util.h"

#include "compute-units.h"
#include "tls-internal.h"
#include "tls-name.h"

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

void tls_free_credentials(struct tls *tls) {
  mbedtls_pk_free(&tls->private_key);
  mbedtls_x509_crt_free(&tls->certificates);
  mbedtls_x509_crt_free(&tls->roots);
  tls->verification.roots = NULL;
}

void tls_destroy(struct tls *tls) {
  if (tls == NULL) return;
  mbedtls_ssl_free(&tls->ssl);
  mbedtls_ssl_config_free(&tls->config);
  tls_free_credentials(tls);
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
  if (!tls->context->self_tested && tls_self_test(tls->context, NULL) != TLS_OK) {
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
