/*
 * What says that a root bundle is its owner's: signatures by a threshold of distinct keys, and what a certificate is. No
 * secret passes here. docs/roots.md holds the rules and their order.
 */
#ifndef LATCHKEY_VERIFY_H
#define LATCHKEY_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "envelope.h"

#define VERIFY_MAX_KEYS 8u
#define VERIFY_POINT_BYTES 64u     /* x and y of P-256 */
#define VERIFY_SIGNATURE_BYTES 64u /* r and s, RFC 7518 3.4 */
#define VERIFY_HASH_BYTES 32u
#define VERIFY_MAX_CERTIFICATE_BYTES 8192u

enum verify_error {
  VERIFY_OK = 0,
  VERIFY_SIZE,       /* bundle or list above its limit */
  VERIFY_FORMAT,     /* not the one shape of an envelope */
  VERIFY_DUPLICATE,  /* a member twice */
  VERIFY_HEADER,     /* a protected header that is not exactly alg ES256, kid and typ */
  VERIFY_KID,        /* a key id that is no thumbprint, or the thumbprint of no key of the old or the new set */
  VERIFY_SIGNATURES, /* too few distinct keys have signed */
  VERIFY_KEYS,       /* a key that is no point of P-256, or twice in the list; a threshold that the keys cannot meet */
  VERIFY_CERTIFICATE,
  VERIFY_MEMORY,
};

/* "ERR_BUNDLE_SIGNATURES" and so on: stable. */
const char *verify_error_code(enum verify_error error);
const char *verify_error_text(enum verify_error error);

/* Keys one behind another, x and y each; how many of them must have signed. */
struct verify_keys {
  const uint8_t *points;
  unsigned count;
  unsigned threshold;
};

/*
 * Scans `bundle` and checks that a threshold of `keys` has signed it. `units` grows by what it cost.
 * The payload is still encoded, at `envelope->payload`; its base64url is canonical.
 */
enum verify_error verify_bundle(const char *bundle, size_t length, const struct verify_keys *keys, struct envelope *envelope, uint32_t *units);
/* Whether every key is a point of P-256: VERIFY_OK or VERIFY_KEYS. One that is not could never sign, and the threshold would count on it. */
enum verify_error verify_points(const struct verify_keys *keys);
/* Whether every key id of the envelope is the thumbprint of a key in one of the two lists: VERIFY_OK or VERIFY_KID. */
enum verify_error verify_key_ids(const struct envelope *envelope, const struct verify_keys *keys, const struct verify_keys *others);

/* ECDSA with P-256 and SHA-256 over `message`. */
bool verify_es256(const uint8_t point[VERIFY_POINT_BYTES], const uint8_t *message, size_t length, const uint8_t *signature, size_t signature_length);
bool verify_sha256(const uint8_t *bytes, size_t length, uint8_t out[VERIFY_HASH_BYTES]);

struct verify_certificate {
  uint8_t sha256[VERIFY_HASH_BYTES];
  int64_t not_before_s;
  int64_t not_after_s;
};

/* A trust anchor: one certificate and nothing behind it, a CA that may sign certificates, RSA of 2048 bits or more, P-256 or P-384. */
enum verify_error verify_certificate_der(const uint8_t *der, size_t length, struct verify_certificate *out);

#endif
