#include <stdio.h>
#include <string.h>

#include "tls-internal.h"

/* An Mbed TLS code before 4.0 is the sum of a high-level code and a low-level one of seven bits. */
#define HIGH_LEVEL(code) (-(int)((unsigned)(-(code)) & 0x7F80u))

#define TLS_1_2_MINOR 3
#define CERTIFICATE_REQUIRED 116 /* RFC 8446 6.2 */

const char *tls_error_code(enum tls_error error) {
  switch (error) {
    case TLS_OK: return "OK";
    case TLS_UNTRUSTED_ISSUER: return "ERR_TLS_UNTRUSTED_ISSUER";
    case TLS_NOT_A_CA: return "ERR_TLS_NOT_A_CA";
    case TLS_HOSTNAME: return "ERR_TLS_HOSTNAME";
    case TLS_EXPIRED: return "ERR_TLS_EXPIRED";
    case TLS_NOT_YET_VALID: return "ERR_TLS_NOT_YET_VALID";
    case TLS_USAGE: return "ERR_TLS_USAGE";
    case TLS_WEAK_KEY: return "ERR_TLS_WEAK_KEY";
    case TLS_WEAK_HASH: return "ERR_TLS_WEAK_HASH";
    case TLS_VERSION: return "ERR_TLS_VERSION";
    case TLS_CIPHER: return "ERR_TLS_CIPHER";
    case TLS_PROTOCOL: return "ERR_TLS_PROTOCOL";
    case TLS_MEMORY: return "ERR_TLS_MEMORY";
    case TLS_CONFIG: return "ERR_TLS_CONFIG";
    case TLS_SELF_TEST: return "ERR_TLS_SELF_TEST";
  }
  return "ERR_TLS_PROTOCOL";
}

static const char *sentence(enum tls_error error) {
  switch (error) {
    case TLS_UNTRUSTED_ISSUER: return "its issuer is not among the roots of this device";
    case TLS_NOT_A_CA: return "it is signed by a certificate that is no CA for it";
    case TLS_HOSTNAME: return "it does not name this host (SAN)";
    case TLS_EXPIRED: return "it has expired: check the clock first";
    case TLS_NOT_YET_VALID: return "it is not yet valid: check the clock first";
    case TLS_USAGE: return "its keyUsage or extendedKeyUsage does not allow this";
    case TLS_WEAK_KEY: return "a key is too weak (RSA from 2048 bits, P-256 or P-384)";
    case TLS_WEAK_HASH: return "it is signed with a weak hash (SHA-256 or better)";
    default: return "it could not be verified";
  }
}

enum tls_error tls_fail(struct tls *tls, enum tls_error error, const char *text) {
  tls->phase = TLS_FAILED;
  tls->failure = (struct tls_failure){.error = error, .depth = -1, .alert = -1};
  (void)snprintf(tls->failure.text, sizeof tls->failure.text, "%s", text);
  return error;
}

/* RFC 8446 6: description of the alert that came in. */
static int received_alert(const struct tls *tls) {
#if MBEDTLS_VERSION_NUMBER >= 0x04010000
  return mbedtls_ssl_get_fatal_alert(&tls->ssl);
#else
  const unsigned char *message = tls->ssl.MBEDTLS_PRIVATE(in_msg);
  return message == NULL ? -1 : message[1];
#endif
}

/* A server of TLS 1.1 takes that version, then finds no suite for it and says handshake_failure, in a record of its version. */
static bool answered_in_old_version(const struct tls *tls) {
  return tls->first_record_length == sizeof tls->first_record && tls->first_record[0] == MBEDTLS_SSL_MSG_ALERT &&
         tls->first_record[2] < TLS_1_2_MINOR;
}

static enum tls_error class_of_alert(const struct tls *tls, int alert) {
  switch (alert) {
    case MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION:
    case MBEDTLS_SSL_ALERT_MSG_INAPROPRIATE_FALLBACK: return TLS_VERSION;
    case MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE:
      if (tls->verification.certificates > 0) return TLS_PROTOCOL; /* suite and group were agreed on before */
      return answered_in_old_version(tls) ? TLS_VERSION : TLS_CIPHER;
    case MBEDTLS_SSL_ALERT_MSG_INSUFFICIENT_SECURITY: return TLS_CIPHER;
    default: return TLS_PROTOCOL;
  }
}

static bool is_about_our_certificate(int alert) {
  switch (alert) {
    case MBEDTLS_SSL_ALERT_MSG_BAD_CERT:
    case MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT:
    case MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED:
    case MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED:
    case MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN:
    case MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA:
    case MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED: return true;
    default: return alert == CERTIFICATE_REQUIRED;
  }
}

static enum tls_error fail_alert(struct tls *tls) {
  const int alert = received_alert(tls);
  const enum tls_error error = class_of_alert(tls, alert);
  const char *meaning = "";
  if (error == TLS_VERSION) meaning = ": it does not speak TLS 1.2 or later";
  if (error == TLS_CIPHER) meaning = ": it has no AEAD suite with forward secrecy, or no group, in common";
  if (error == TLS_PROTOCOL && alert == MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE) meaning = ": does it ask for a client certificate?";
  if (is_about_our_certificate(alert)) meaning = ": it refuses the certificate of this device";
  (void)tls_fail(tls, error, "");
  tls->failure.alert = alert;
  (void)snprintf(tls->failure.text, sizeof tls->failure.text, "the server sent alert %d%s", alert, meaning);
  return error;
}

static enum tls_error fail_verification(struct tls *tls) {
  const struct tls_verification *found = &tls->verification;
  enum tls_error error = found->error;
  int depth = found->depth;
  if (error == TLS_OK) { /* found after the callback: the leaf's usage, or no certificate at all */
    const uint32_t flags = mbedtls_ssl_get_verify_result(&tls->ssl);
    error = flags == UINT32_MAX ? TLS_PROTOCOL : tls_classify_flags(flags);
    if (error == TLS_OK) error = TLS_PROTOCOL;
    depth = 0;
  }
  (void)tls_fail(tls, error, "");
  tls->failure.depth = depth;
  (void)snprintf(tls->failure.text, sizeof tls->failure.text, "certificate %d of the server's chain (0 is its own): %s", depth,
                 sentence(error));
  return error;
}

static bool is_out_of_memory(int code) {
#if MBEDTLS_VERSION_NUMBER >= 0x04000000
  return code == PSA_ERROR_INSUFFICIENT_MEMORY;
#else
  static const int codes[] = {MBEDTLS_ERR_SSL_ALLOC_FAILED, MBEDTLS_ERR_X509_ALLOC_FAILED, MBEDTLS_ERR_PK_ALLOC_FAILED,
                              MBEDTLS_ERR_ECP_ALLOC_FAILED, MBEDTLS_ERR_MD_ALLOC_FAILED, MBEDTLS_ERR_CIPHER_ALLOC_FAILED};
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
    if (HIGH_LEVEL(code) == codes[i]) return true;
  }
  const int low = -(int)((unsigned)-code & 0x7Fu);
  return code == PSA_ERROR_INSUFFICIENT_MEMORY || low == MBEDTLS_ERR_MPI_ALLOC_FAILED || low == MBEDTLS_ERR_ASN1_ALLOC_FAILED;
#endif
}

/* What the library says when the chain is good and its leaf may not be used so; its flags tell. */
static bool is_bad_certificate(int code) {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  return code == MBEDTLS_ERR_SSL_BAD_CERTIFICATE;
#else
  return code == MBEDTLS_ERR_SSL_BAD_HS_CERTIFICATE;
#endif
}

static bool is_version(int code) {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  return code == MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION;
#else
  return code == MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION;
#endif
}

static enum tls_error fail_code(struct tls *tls, int code) {
  if (tls->out_of_memory || is_out_of_memory(code)) return tls_fail(tls, TLS_MEMORY, "not enough memory");
  if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) return fail_alert(tls);
  if (code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) return fail_verification(tls);
  if (is_bad_certificate(code) && tls->verification.certificates > 0) return fail_verification(tls);
  if (is_version(code)) return tls_fail(tls, TLS_VERSION, "the server does not speak TLS 1.2 or later");
  if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) return tls_fail(tls, TLS_PROTOCOL, "the server ended the handshake");
  if (HIGH_LEVEL(code) == MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG) {
    return tls_fail(tls, TLS_WEAK_HASH, "a certificate is signed with a hash that this library does not have");
  }
  (void)tls_fail(tls, TLS_PROTOCOL, "");
  (void)snprintf(tls->failure.text, sizeof tls->failure.text, "the server broke the protocol (Mbed TLS -0x%04X)", (unsigned)-code);
  return TLS_PROTOCOL;
}

enum tls_error tls_fail_library(struct tls *tls, int library_code) {
  const enum tls_error error = fail_code(tls, library_code);
  tls->failure.library_code = library_code;
  return error;
}
