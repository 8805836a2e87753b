#include "tls-require.h"

#include <string.h>

#include "mbedtls/pk.h"
#include "mbedtls/x509_crt.h"

#include "certificate-time.h"
#include "verify.h"

#ifndef MBEDTLS_PRIVATE
  #define MBEDTLS_PRIVATE(member) member
#endif

#define RSA_MIN_BITS 2048u /* as in tls-policy.c */

/* AlgorithmIdentifier of the keys that TLS takes (RFC 3279 2.3.1, RFC 5480 2.1.1): the same bytes on every line of Mbed TLS. */
static const uint8_t rsa[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
static const uint8_t p256[] = {0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const uint8_t p384[] = {0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};

/* A certificate's own elements are 8 deep; the same in host-sim/roots/der.ts. */
#define MAX_DER_DEPTH 16u
#define DER_CONSTRUCTED 0x20u
#define DER_HIGH_TAG 0x1fu

/*
 * Whether every element has a definite length in the fewest bytes, within `length`. The parser takes more; but a certificate that can be
 * written in two ways has two digests, and roots are revoked by their digest.
 */
static bool is_strict_der(const uint8_t *bytes, size_t length, unsigned depth) {
  if (depth == MAX_DER_DEPTH) return false;
  while (length > 0) {
    if (length < 2 || (bytes[0] & DER_HIGH_TAG) == DER_HIGH_TAG) return false;
    const bool is_constructed = (bytes[0] & DER_CONSTRUCTED) != 0;
    size_t content = bytes[1];
    size_t header = 2;
    if (content >= 0x80) {
      const size_t count = content - 0x80;
      if (count == 0 || count > 3 || length < header + count || bytes[header] == 0) return false;
      content = 0;
      for (size_t i = 0; i < count; i++) content = content << 8 | bytes[header++];
      if (content < 0x80) return false;
    }
    if (content > length - header) return false;
    if (is_constructed && !is_strict_der(bytes + header, content, depth + 1)) return false;
    bytes += header + content;
    length -= header + content;
  }
  return true;
}

static bool starts_with(const uint8_t *bytes, size_t length, const uint8_t *prefix, size_t prefix_length) {
  return length >= prefix_length && memcmp(bytes, prefix, prefix_length) == 0;
}

static bool has_strong_key(const mbedtls_x509_crt *certificate) {
  const uint8_t *info = certificate->pk_raw.p;
  size_t length = certificate->pk_raw.len;
  if (length < 2) return false;
  /* Behind the SEQUENCE and its length, which the parser has checked. */
  const size_t header = 2u + (info[1] < 0x80 ? 0u : info[1] & 0x7fu);
  if (header > length) return false;
  info += header;
  length -= header;
  if (starts_with(info, length, p256, sizeof p256) || starts_with(info, length, p384, sizeof p384)) return true;
  return starts_with(info, length, rsa, sizeof rsa) && mbedtls_pk_get_bitlen(&certificate->pk) >= RSA_MIN_BITS;
}

static bool is_anchor(const mbedtls_x509_crt *certificate, size_t length) {
  return certificate->raw.len == length && certificate->MBEDTLS_PRIVATE(ca_istrue) != 0 &&
         mbedtls_x509_crt_check_key_usage(certificate, MBEDTLS_X509_KU_KEY_CERT_SIGN) == 0 && has_strong_key(certificate);
}

enum verify_error verify_certificate_der(const uint8_t *der, size_t length, struct verify_certificate *out) {
  mbedtls_x509_crt certificate;
  if (length == 0 || length > VERIFY_MAX_CERTIFICATE_BYTES) return VERIFY_CERTIFICATE;
  mbedtls_x509_crt_init(&certificate);
  const int code = mbedtls_x509_crt_parse_der(&certificate, der, length);
  const bool good = code == 0 && is_anchor(&certificate, length) && is_strict_der(der, length, 0) && verify_sha256(der, length, out->sha256);
  if (good) {
    out->not_before_s = certificate_unix_seconds(&certificate.valid_from);
    out->not_after_s = certificate_unix_seconds(&certificate.valid_to);
  }
  mbedtls_x509_crt_free(&certificate);
  if (good) return VERIFY_OK;
  return code == MBEDTLS_ERR_X509_ALLOC_FAILED ? VERIFY_MEMORY : VERIFY_CERTIFICATE;
}
