/* HMAC-SHA256 (RFC 2104) by PSA, on every line of Mbed TLS. */
#ifndef LATCHKEY_HMAC_H
#define LATCHKEY_HMAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HMAC_SHA256_BYTES 32u

/* Not called hmac_sha256: ESP-IDF links one of that name (wpa_supplicant). PSA gets the key as a volatile object that cannot be exported, and destroys it before this returns. */
bool compute_hmac_sha256(const uint8_t *key, size_t key_length, const uint8_t *message, size_t length, uint8_t out[HMAC_SHA256_BYTES]);
/* Compute units of one call. */
uint32_t hmac_sha256_units(size_t length);

#endif
