/*
 * The verify callback. Mbed TLS walks the chain from the anchor to the leaf and says what it found by flags; this adds what it
 * does not check (SAN only, EKU of the issuers), and turns the flags into one class.
 *
 * When several things are wrong the class is the first of: hostname, not-yet-valid, expired, weak-hash, weak-key, usage, not-a-ca,
 * untrusted-issuer. The last one can lead a device to look for new roots, so it is said only when nothing else is wrong: neither a
 * captive portal (another name) nor a lost clock (dates) looks like a hub that changed its root.
 */
#include <string.h>

#include "mbedtls/oid.h"

#include "certificate-time.h"
#include "compute-units.h"
#include "tls-internal.h"
#include "tls-name.h"

bool tls_is_ca(const mbedtls_x509_crt *certificate) {
  return certificate->MBEDTLS_PRIVATE(ca_istrue) != 0;
}

static bool same_name(const mbedtls_x509_buf *a, const mbedtls_x509_buf *b) {
  return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

/* Why is the issuer of `child` not among the trusted ones? Somebody of that name is there, perhaps, who may not sign. */
static enum tls_error reason_of_distrust(const struct tls_verification *verification, const mbedtls_x509_crt *child, int depth) {
  if (same_name(&child->issuer_raw, &child->subject_raw)) return TLS_UNTRUSTED_ISSUER;
  const mbedtls_x509_crt *lists[] = {child->next, verification->roots};
  for (unsigned i = 0; i < 2; i++) {
    for (const mbedtls_x509_crt *other = lists[i]; other != NULL; other = other->next) {
      if (other->raw.p == NULL || !same_name(&child->issuer_raw, &other->subject_raw)) continue;
      if (!tls_is_ca(other)) return TLS_NOT_A_CA;
      if (mbedtls_x509_crt_check_key_usage(other, MBEDTLS_X509_KU_KEY_CERT_SIGN) != 0) return TLS_USAGE;
      const int path_length = other->MBEDTLS_PRIVATE(max_pathlen); /* one more than in the certificate, 0 for none */
      if (path_length > 0 && path_length < 1 + depth) return TLS_NOT_A_CA;
    }
  }
  return TLS_UNTRUSTED_ISSUER;
}

enum tls_error tls_classify_flags(uint32_t flags) {
  if (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) return TLS_HOSTNAME;
  if (flags & MBEDTLS_X509_BADCERT_FUTURE) return TLS_NOT_YET_VALID;
  if (flags & MBEDTLS_X509_BADCERT_EXPIRED) return TLS_EXPIRED;
  if (flags & MBEDTLS_X509_BADCERT_BAD_MD) return TLS_WEAK_HASH;
  if (flags & (MBEDTLS_X509_BADCERT_BAD_KEY | MBEDTLS_X509_BADCERT_BAD_PK)) return TLS_WEAK_KEY;
  if (flags & (MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE)) return TLS_USAGE;
  if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) return TLS_UNTRUSTED_ISSUER;
  return flags == 0 ? TLS_OK : TLS_PROTOCOL;
}

/* The order in the comment at the top; the smaller number wins. */
static unsigned precedence(enum tls_error error) {
  switch (error) {
    case TLS_HOSTNAME: return 0;
    case TLS_NOT_YET_VALID: return 1;
    case TLS_EXPIRED: return 2;
    case TLS_WEAK_HASH: return 3;
    case TLS_WEAK_KEY: return 4;
    case TLS_USAGE: return 5;
    case TLS_NOT_A_CA: return 6;
    case TLS_UNTRUSTED_ISSUER: return 8;
    case TLS_OK: return 9;
    default: return 7;
  }
}

static void find(struct tls_verification *verification, enum tls_error error, int depth) {
  if (precedence(error) >= precedence(verification->error)) return;
  verification->error = error;
  verification->depth = depth;
}

static uint32_t units_of_signature_by(const mbedtls_x509_crt *certificate) {
  const size_t bits = mbedtls_pk_get_bitlen(&certificate->pk);
  if (bits <= 256) return UNITS_ECDSA_P256_VERIFY;
  if (bits <= 521) return UNITS_ECDSA_P384_VERIFY;
  if (bits <= 2048) return UNITS_RSA_2048_VERIFY;
  return bits <= 3072 ? UNITS_RSA_3072_VERIFY : UNITS_RSA_4096_VERIFY;
}

void tls_verification_init(struct tls_verification *verification, const char *host, const mbedtls_x509_crt *roots) {
  *verification = (struct tls_verification){.host = host, .roots = roots, .depth = -1, .not_after_s = INT64_MAX};
}

int tls_verify(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags) {
  struct tls_verification *verification = context;
  verification->certificates++;
  /* Its key signs: the certificate below, or the key exchange. */
  verification->units += UNITS_CERTIFICATE_PARSE + units_of_signature_by(certificate);

  if (depth == 0 && !certificate_names_host(certificate, verification->host)) *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
  if (depth > 0 && mbedtls_x509_crt_check_extended_key_usage(certificate, MBEDTLS_OID_SERVER_AUTH,
                                                             MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) != 0) {
    *flags |= MBEDTLS_X509_BADCERT_EXT_KEY_USAGE;
  }

  const int64_t not_after_s = certificate_unix_seconds(&certificate->valid_to);
  if (not_after_s < verification->not_after_s) verification->not_after_s = not_after_s;

  enum tls_error error = tls_classify_flags(*flags);
  if (error == TLS_UNTRUSTED_ISSUER) error = reason_of_distrust(verification, certificate, depth);
  find(verification, error, depth);
  return 0;
}
