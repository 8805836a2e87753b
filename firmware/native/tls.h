/*
 * A TLS client as a state machine over Mbed TLS 2.28, 3.6 or 4.x: ciphertext in and out, plaintext in and out. No socket, no
 * timer, no JavaScript. There is no mode without verification. Not thread-safe: one context belongs to one task.
 */
#ifndef LATCHKEY_TLS_H
#define LATCHKEY_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 5246 6.2.3: a record is 5 + 2^14 + 2048 bytes at most. What waits longer than that is a peer or a caller gone wrong. */
#define TLS_MAX_INPUT_BYTES 18437u
/* Ciphertext that may come without one byte of plaintext (or the end of the handshake). A chain of four RSA-4096 certificates
 * takes 8 KiB; the largest ticket 64 KiB. */
#define TLS_MAX_BARREN_BYTES 131072u
/* Above this much waiting ciphertext `tls_write` takes nothing more. */
#define TLS_MAX_OUTPUT_BYTES 8192u
/* Plaintext of one record out: what ESP-IDF's smaller output buffer holds. */
#define TLS_MAX_RECORD_OUT_BYTES 4000u
#define TLS_MAX_HOST_BYTES 253u /* RFC 1035 2.3.4, as text */
#define TLS_MAX_ROOTS 16u
#define TLS_MAX_CERTIFICATES 4u
#define TLS_MAX_CERTIFICATE_BYTES 8192u
#define TLS_MAX_PRIVATE_KEY_BYTES 2400u /* RSA-4096, PKCS #8 */

enum tls_error {
  TLS_OK = 0,
  TLS_UNTRUSTED_ISSUER, /* and nothing else is wrong: this class alone may start a search for new roots */
  TLS_NOT_A_CA,         /* somebody signed who is no CA, or no CA for a chain this long */
  TLS_HOSTNAME,
  TLS_EXPIRED,
  TLS_NOT_YET_VALID,
  TLS_USAGE, /* keyUsage or extendedKeyUsage present without the bit */
  TLS_WEAK_KEY,
  TLS_WEAK_HASH,
  TLS_VERSION,
  TLS_CIPHER,
  TLS_PROTOCOL,
  TLS_MEMORY,
  TLS_CONFIG,
  TLS_SELF_TEST,
};

/* "ERR_TLS_HOSTNAME" and so on: stable. */
const char *tls_error_code(enum tls_error error);

struct tls_failure {
  enum tls_error error;
  /* Of the certificate, 0 is the leaf; -1 when none is to blame. */
  int depth;
  /* What the peer said, or -1. */
  int alert;
  /* What Mbed TLS returned. */
  int library_code;
  /* One sentence for people; holds nothing secret. */
  char text[160];
};

struct tls_info {
  const char *version;
  const char *cipher;
  bool resumed;
};

struct tls_context;
struct tls;

/* Owns the cache of sessions. NULL: no memory or no randomness. */
struct tls_context *tls_context_create(void);
void tls_context_free(struct tls_context *context);
/* Forgets every cached session. */
void tls_drop_sessions(struct tls_context *context);
/* Refuses an expired and a future leaf, a wrong host and a stranger's chain, and accepts a good one: TLS_OK or TLS_SELF_TEST.
 * `tls_start` runs it when nobody has, and starts nothing when it fails. `only` names one of the checks (tls-self-test.c); NULL: all. */
enum tls_error tls_self_test(struct tls_context *context, const char *only);

/* An engine to be configured by the next five functions, then started. NULL: no memory. Lives no longer than its context. */
struct tls *tls_create(struct tls_context *context);
/* SNI, and the name that must be in the leaf's SAN: a DNS name or an IPv4 address. */
enum tls_error tls_set_host(struct tls *tls, const char *host);
/* A trust anchor, DER, copied: must be a CA. */
enum tls_error tls_add_root(struct tls *tls, const uint8_t *der, size_t length);
/* The client's chain, leaf first, DER, copied. */
enum tls_error tls_add_certificate(struct tls *tls, const uint8_t *der, size_t length);
/* The client's key, DER (PKCS #8, PKCS #1 or SEC 1). Held until the handshake has ended; the caller wipes its own copy. */
enum tls_error tls_set_private_key(struct tls *tls, const uint8_t *der, size_t length);
/* Whether a cached session may be offered; default true. */
void tls_set_resume(struct tls *tls, bool resume);
enum tls_error tls_start(struct tls *tls);

/* Ciphertext from the peer, copied. */
enum tls_error tls_feed(struct tls *tls, const uint8_t *bytes, size_t length);
/* Ciphertext for the peer; after a failure the alert is there. */
size_t tls_output_length(const struct tls *tls);
size_t tls_take(struct tls *tls, uint8_t *out, size_t capacity);
enum tls_error tls_handshake(struct tls *tls, bool *done);
/* Decrypts what came. `available`: plaintext bytes that tls_read gives at once; `closed`: the peer's close_notify came. */
enum tls_error tls_poll(struct tls *tls, size_t *available, bool *closed);
/* Plaintext after tls_poll; returns the count, at most what tls_poll said. */
size_t tls_read(struct tls *tls, uint8_t *out, size_t capacity);
/* Encrypts a prefix of `bytes`; `written` is 0 when output must be taken first. */
enum tls_error tls_write(struct tls *tls, const uint8_t *bytes, size_t length, size_t *written);
/* Queues close_notify. */
enum tls_error tls_end(struct tls *tls);
/* False before the handshake is done. */
bool tls_get_info(const struct tls *tls, struct tls_info *info);
const struct tls_failure *tls_get_failure(const struct tls *tls);
/* Compute units (compute-units.h) since the last call. */
uint32_t tls_take_units(struct tls *tls);
void tls_destroy(struct tls *tls);

#endif
