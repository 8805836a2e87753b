/* What the files of the TLS client share; nobody else includes it. */
#ifndef LATCHKEY_TLS_INTERNAL_H
#define LATCHKEY_TLS_INTERNAL_H

#include "tls-require.h"

#include "mbedtls/pk.h"
#include "mbedtls/ssl.h"
#include "mbedtls/x509_crt.h"
#include "psa/crypto.h"

#include "byte-queue.h"
#include "tls.h"

/* Mbed TLS 3 hides fields; 2.28 has no such macro. */
#ifndef MBEDTLS_PRIVATE
  #define MBEDTLS_PRIVATE(member) member
#endif

#define TLS_SESSION_ENTRIES 2u
#define TLS_BINDING_BYTES 32u

/* A cached session. Bound to host, roots and client chain: resumption does not verify any of them again. */
struct tls_session {
  uint8_t binding[TLS_BINDING_BYTES];
  uint8_t *blob; /* holds the master secret */
  size_t length;
  /* When the chain was verified by a full handshake: a resumed session does not make it younger. */
  int64_t verified_at_s;
  uint64_t verified_at_monotonic_ms;
  int64_t not_after_s;
  uint32_t last_use;
};

struct tls_context {
  struct tls_session sessions[TLS_SESSION_ENTRIES];
  uint32_t uses;
  bool self_tested;
};

/* What the verify callback is told and what it finds. */
struct tls_verification {
  const char *host;
  const mbedtls_x509_crt *roots;
  enum tls_error error;
  int depth;
  /* The earliest notAfter of the chain. */
  int64_t not_after_s;
  /* Certificates seen; 0 after the handshake: the session was resumed. */
  unsigned certificates;
  uint32_t units;
};

enum tls_phase { TLS_CONFIGURING, TLS_HANDSHAKING, TLS_UP, TLS_FAILED };

struct tls {
  struct tls_context *context;
  enum tls_phase phase;
  mbedtls_ssl_context ssl;
  mbedtls_ssl_config config;
  mbedtls_x509_crt roots;
  mbedtls_x509_crt certificates;
  mbedtls_pk_context private_key;
  unsigned root_count;
  unsigned certificate_count;
  bool has_private_key;
  bool resume;
  bool offered_session;
  bool peer_closed;
  bool out_of_memory;
  /* The start of the first record that came: type and version. */
  uint8_t first_record[3];
  size_t first_record_length;
  char host[TLS_MAX_HOST_BYTES + 1];
  uint8_t binding[TLS_BINDING_BYTES];
  /* Of the session that was offered, for the one that comes out of it. */
  int64_t verified_at_s;
  uint64_t verified_at_monotonic_ms;
  struct tls_verification verification;
  struct byte_queue input;
  struct byte_queue output;
  size_t barren_bytes;
  uint32_t units;
  struct tls_failure failure;
};

/* tls-configure.c: frees what only a handshake needs: roots, and the client's chain and key. */
void tls_free_credentials(struct tls *tls);

/* tls-policy.c: versions, suites, groups, signatures, and the profile of certificates. */
extern const mbedtls_x509_crt_profile tls_certificate_profile;
void tls_apply_policy(mbedtls_ssl_config *config);
int tls_parse_private_key(mbedtls_pk_context *key, const uint8_t *der, size_t length);
bool tls_keys_match(const mbedtls_pk_context *certificate_key, const mbedtls_pk_context *private_key);

/* tls-verify.c: for mbedtls_ssl_conf_verify. */
void tls_verification_init(struct tls_verification *verification, const char *host, const mbedtls_x509_crt *roots);
int tls_verify(void *verification, mbedtls_x509_crt *certificate, int depth, uint32_t *flags);
enum tls_error tls_classify_flags(uint32_t flags);
bool tls_is_ca(const mbedtls_x509_crt *certificate);

/* tls-key-exchange.c: to be asked after the step that has taken the ServerKeyExchange. */
bool tls_key_exchange_is_pinned(const mbedtls_ssl_context *ssl);

/* tls-failure.c: each returns the error that it recorded, and the engine gives it for ever. */
enum tls_error tls_fail(struct tls *tls, enum tls_error error, const char *text);
enum tls_error tls_fail_library(struct tls *tls, int library_code);

/* tls-session.c */
void tls_session_bind(struct tls *tls);
bool tls_session_offer(struct tls *tls);
/* A full handshake has verified the chain just now. */
void tls_session_verified(struct tls *tls);
void tls_session_keep(struct tls *tls);
void tls_session_forget(struct tls *tls);

#endif
