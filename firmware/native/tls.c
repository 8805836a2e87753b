#include "tls.h"

#include <string.h>

#include "compute-units.h"
#include "tls-internal.h"

#define AEAD_BLOCK_BYTES 16u

static void charge_record(struct tls *tls, size_t bytes) {
  tls->units += UNITS_RECORD + (uint32_t)(bytes / AEAD_BLOCK_BYTES) * UNITS_AEAD_BLOCK;
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
  tls_free_credentials(tls);
  return TLS_OK;
}

static enum tls_error fail_connection(struct tls *tls, int code) {
  if (tls->offered_session && tls->phase == TLS_HANDSHAKING) tls_session_forget(tls);
  mbedtls_pk_free(&tls->private_key);
  return tls_fail_library(tls, code);
}

/* mbedtls_ssl_handshake, with a look at the key exchange on the way. */
static int advance_handshake(struct tls *tls, bool *refused) {
  int code = 0;
  *refused = false;
  while (code == 0 && tls->ssl.MBEDTLS_PRIVATE(state) != MBEDTLS_SSL_HANDSHAKE_OVER) {
    const int state = tls->ssl.MBEDTLS_PRIVATE(state);
    code = mbedtls_ssl_handshake_step(&tls->ssl);
    if (code != 0 || state != MBEDTLS_SSL_SERVER_KEY_EXCHANGE || tls_key_exchange_is_pinned(&tls->ssl)) continue;
    *refused = true;
    return mbedtls_ssl_send_alert_message(&tls->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, MBEDTLS_SSL_ALERT_MSG_ILLEGAL_PARAMETER);
  }
  return code;
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
  bool refused;
  do {
    before = tls->input.length;
    code = advance_handshake(tls, &refused);
  } while (wants_more(tls, code) && try_again(tls, before, &stalls));
  if (tls->verification.units > 0) {
    tls->units += tls->verification.units + UNITS_ECDHE;
    if (tls->has_private_key) tls->units += UNITS_ECDSA_P256_SIGN;
    tls->verification.units = 0;
  }
  if (refused) {
    mbedtls_pk_free(&tls->private_key);
    return tls_fail(tls, TLS_PROTOCOL, "the server signed its key exchange with an algorithm that was not offered");
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
