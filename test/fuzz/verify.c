/*
 * Fuzz target: what a device reads of a bundle before anybody is believed. The first byte chooses: a bundle that starts with its keys
 * (their number in the low bits), a payload's base64url, or a certificate.
 */
#include <string.h>

#include "base64url.h"
#include "compute-units.h"
#include "own-target.h"
#include "verify.h"

#define KIND_CERTIFICATE 0x80u
#define KIND_BASE64URL 0x40u
#define MAX_TEXT_BYTES 20000u

/* What is canonical is what it encodes to again, and decoding in place gives the same. */
static void try_base64url(const uint8_t *text, size_t length) {
  static uint8_t in_place[MAX_TEXT_BYTES], decoded[MAX_TEXT_BYTES];
  static char again[MAX_TEXT_BYTES + 4];
  if (length > MAX_TEXT_BYTES) return;
  memcpy(in_place, text, length);
  const bool good = base64url_decode((const char *)text, length, decoded);
  check(base64url_decode((const char *)in_place, length, in_place) == good);
  outcome = good ? "OK" : "ERR_BUNDLE_FORMAT";
  if (!good) return;
  const size_t count = base64url_decoded_length(length);
  check(count <= length && memcmp(in_place, decoded, count) == 0);
  base64url_encode(decoded, count, again);
  check(BASE64URL_LENGTH(count) == length && memcmp(again, text, length) == 0);
}

static void try_certificate(const uint8_t *der, size_t length) {
  struct verify_certificate certificate;
  const enum verify_error error = verify_certificate_der(der, length, &certificate);
  outcome = error == VERIFY_OK ? "OK" : verify_error_code(error);
  if (error == VERIFY_OK) check(certificate.not_before_s > -62135596801 && certificate.not_after_s < 253402300801);
}

static bool lies_in(const struct envelope_text *text, const char *bytes, size_t length) {
  return text->start > bytes && text->length < length && text->start + text->length < bytes + length;
}

static void try_bundle(const struct verify_keys *keys, const char *bundle, size_t length) {
  struct envelope envelope;
  uint32_t units = 0;
  const enum verify_error error = verify_bundle(bundle, length, keys, &envelope, &units);
  outcome = error == VERIFY_OK ? "OK" : verify_error_code(error);
  check(units <= VERIFY_MAX_KEYS * (UNITS_ECDSA_P256_VERIFY + (ENVELOPE_MAX_BYTES / 64 + 4) * UNITS_SHA256_BLOCK));
  if (error != VERIFY_OK && error != VERIFY_SIGNATURES) return;
  check(length <= ENVELOPE_MAX_BYTES && envelope.count <= ENVELOPE_MAX_SIGNATURES && lies_in(&envelope.payload, bundle, length));
  for (unsigned i = 0; i < envelope.count; i++) {
    check(lies_in(&envelope.signatures[i].header, bundle, length) && lies_in(&envelope.signatures[i].signature, bundle, length));
  }
  if (error == VERIFY_OK) check(envelope.count >= keys->threshold && units >= keys->threshold * UNITS_ECDSA_P256_VERIFY);
  (void)verify_key_ids(&envelope, keys, keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  const uint8_t kind = data[0];
  data++;
  size--;
  if (kind & KIND_CERTIFICATE) {
    try_certificate(data, size);
  } else if (kind & KIND_BASE64URL) {
    try_base64url(data, size);
  } else {
    const unsigned count = kind & 0x0fu;
    if (size < count * VERIFY_POINT_BYTES) return 0;
    const struct verify_keys keys = {data, count, kind >> 4 & 3u};
    try_bundle(&keys, (const char *)data + count * VERIFY_POINT_BYTES, size - count * VERIFY_POINT_BYTES);
  }
  return 0;
}
