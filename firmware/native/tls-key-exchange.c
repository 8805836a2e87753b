/*
 * A second look at the ServerKeyExchange of TLS 1.2: the signature's algorithm must be one that was offered. It is read from the message
 * that Mbed TLS has just verified, so that the rule is ours on every line of the library.
 */
#include "tls-internal.h"

/* RFC 5246 7.4 and 7.4.1.4.1, RFC 8422 5.4. */
#define HEADER_BYTES 4u
#define PARAMETERS_BYTES 4u /* curve type, group, length of the point */
#define CURVE_TYPE_NAMED 3
#define HASH_SHA256 4
#define HASH_SHA512 6
#define SIGNATURE_RSA 1
#define SIGNATURE_ECDSA 3

static bool is_pinned(uint8_t hash, uint8_t signature) {
  return hash >= HASH_SHA256 && hash <= HASH_SHA512 && (signature == SIGNATURE_RSA || signature == SIGNATURE_ECDSA);
}

bool tls_key_exchange_is_pinned(const mbedtls_ssl_context *ssl) {
  const uint8_t *message = ssl->MBEDTLS_PRIVATE(in_msg);
  const size_t length = ssl->MBEDTLS_PRIVATE(in_hslen);
  if (message == NULL || length < HEADER_BYTES + PARAMETERS_BYTES) return false;
  if (message[0] != MBEDTLS_SSL_HS_SERVER_KEY_EXCHANGE || message[HEADER_BYTES] != CURVE_TYPE_NAMED) return false;
  const size_t algorithm_at = HEADER_BYTES + PARAMETERS_BYTES + message[HEADER_BYTES + PARAMETERS_BYTES - 1];
  return algorithm_at + 2 <= length && is_pinned(message[algorithm_at], message[algorithm_at + 1]);
}
