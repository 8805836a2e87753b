/*
 * Does this build refuse what it must? A library can be configured not to look at dates, or a port's clock can be broken so that it
 * cannot. The certificates are made so that the answers do not depend on the date of today.
 */
#include <string.h>

#include "self-test-certificates.h"
#include "tls-internal.h"

#define SELF_TEST_HOST "self-test.invalid"

struct sample {
  const char *name;
  const uint8_t *der;
  size_t length;
  const char *host;
  bool trusted;
  enum tls_error expected;
};

static const struct sample samples[] = {
    {"trusted", self_test_good, sizeof self_test_good, SELF_TEST_HOST, true, TLS_OK},
    {"host-name", self_test_good, sizeof self_test_good, "other.invalid", true, TLS_HOSTNAME},
    {"issuer", self_test_good, sizeof self_test_good, SELF_TEST_HOST, false, TLS_UNTRUSTED_ISSUER},
    {"expired", self_test_expired, sizeof self_test_expired, SELF_TEST_HOST, true, TLS_EXPIRED},
    {"not-yet-valid", self_test_future, sizeof self_test_future, SELF_TEST_HOST, true, TLS_NOT_YET_VALID},
};

static bool passes(const struct sample *sample, mbedtls_x509_crt *root) {
  struct tls_verification verification;
  uint32_t flags = 0;
  bool passed = false;
  mbedtls_x509_crt leaf;
  mbedtls_x509_crt_init(&leaf);
  mbedtls_x509_crt *roots = sample->trusted ? root : NULL;
  tls_verification_init(&verification, sample->host, roots);
  if (mbedtls_x509_crt_parse_der(&leaf, sample->der, sample->length) != 0) goto out;
  const int code = mbedtls_x509_crt_verify_with_profile(&leaf, roots, NULL, &tls_certificate_profile, sample->host, &flags,
                                                        tls_verify, &verification);
  passed = verification.error == sample->expected && (code == 0) == (sample->expected == TLS_OK);
out:
  mbedtls_x509_crt_free(&leaf);
  return passed;
}

enum tls_error tls_self_test(struct tls_context *context, const char *only) {
  mbedtls_x509_crt root;
  mbedtls_x509_crt_init(&root);
  size_t tried = 0;
  bool passed = mbedtls_x509_crt_parse_der(&root, self_test_root, sizeof self_test_root) == 0;
  for (size_t i = 0; passed && i < sizeof samples / sizeof samples[0]; i++) {
    if (only != NULL && strcmp(only, samples[i].name) != 0) continue;
    passed = passes(&samples[i], &root);
    tried++;
  }
  mbedtls_x509_crt_free(&root);
  passed = passed && tried > 0;
  if (only == NULL || !passed) context->self_tested = passed;
  return passed ? TLS_OK : TLS_SELF_TEST;
}
