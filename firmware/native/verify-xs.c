/* The JavaScript face of verify.c: public keys, bundles and certificates; shapes in firmware/ports/types/latchkey.d.ts. */
#include "xsmc.h"

#include "base64url.h"
#include "charge.h"
#include "compute-units.h"
#include "throw.h"
#include "verify.h"
#include "xs-faces.h"

#define SHA256_BLOCK_BYTES 64u
#define ERR_NEW_KEYS "ERR_BUNDLE_NEW_KEYS"

/* Valid until the next allocation of the machine. */
struct bytes {
  const uint8_t *at;
  size_t length;
};

static void want_arguments(xsMachine *the, xsIntegerValue count) {
  if (xsmcArgc < count) xsTypeError("expected %d arguments", (int)count);
}

static struct bytes bytes_argument(xsMachine *the, xsIntegerValue index) {
  void *at;
  xsUnsignedValue length;
  xsmcGetBufferReadable(xsArg(index), &at, &length);
  return (struct bytes){at, length};
}

static void settle(xsMachine *the, enum verify_error error) {
  if (error != VERIFY_OK) native_throw(the, verify_error_code(error), verify_error_text(error));
}

static struct verify_keys keys_argument(xsMachine *the, xsIntegerValue index, unsigned threshold) {
  const struct bytes points = bytes_argument(the, index);
  if (points.length % VERIFY_POINT_BYTES != 0) xsRangeError("keys: expected %u bytes each", VERIFY_POINT_BYTES);
  return (struct verify_keys){points.at, (unsigned)(points.length / VERIFY_POINT_BYTES), threshold};
}

static unsigned threshold_argument(xsMachine *the, xsIntegerValue index) {
  return (unsigned)native_integer(the, &xsArg(index), "threshold", 0, VERIFY_MAX_KEYS);
}

/* Of the first argument. Offsets outlive a moved chunk; pointers do not. */
static void return_decoded(xsMachine *the, size_t offset, size_t length) {
  const size_t decoded = base64url_decoded_length(length);
  if (decoded == SIZE_MAX) settle(the, VERIFY_FORMAT);
  xsmcSetArrayBuffer(xsResult, NULL, (xsIntegerValue)decoded);
  if (!base64url_decode((const char *)bytes_argument(the, 0).at + offset, length, xsmcToArrayBuffer(xsResult))) settle(the, VERIFY_FORMAT);
}

void xs_verify_openBundle(xsMachine *the) {
  struct envelope envelope;
  uint32_t units = 0;
  want_arguments(the, 3);
  const unsigned threshold = threshold_argument(the, 2);
  const struct verify_keys keys = keys_argument(the, 1, threshold);
  const struct bytes bundle = bytes_argument(the, 0);
  const enum verify_error error = verify_bundle((const char *)bundle.at, bundle.length, &keys, &envelope, &units);
  native_charge(the, units);
  settle(the, error);
  return_decoded(the, (size_t)(envelope.payload.start - (const char *)bundle.at), envelope.payload.length);
}

void xs_verify_readBundle(xsMachine *the) {
  struct envelope envelope;
  want_arguments(the, 1);
  const struct bytes bundle = bytes_argument(the, 0);
  native_charge(the, (uint32_t)(bundle.length * UNITS_BASE64_CHARACTER));
  if (envelope_scan((const char *)bundle.at, bundle.length, &envelope) != ENVELOPE_OK) settle(the, VERIFY_FORMAT);
  return_decoded(the, (size_t)(envelope.payload.start - (const char *)bundle.at), envelope.payload.length);
}

void xs_verify_confirmBundle(xsMachine *the) {
  struct envelope envelope;
  uint32_t units = 0;
  want_arguments(the, 4);
  const unsigned threshold = threshold_argument(the, 2);
  const struct verify_keys keys = keys_argument(the, 1, threshold);
  const struct verify_keys others = keys_argument(the, 3, 1);
  const struct bytes bundle = bytes_argument(the, 0);
  enum verify_error error = verify_bundle((const char *)bundle.at, bundle.length, &keys, &envelope, &units);
  native_charge(the, units);
  if (error == VERIFY_SIGNATURES) native_throw(the, ERR_NEW_KEYS, "too few distinct keys of the new set have signed");
  if (error == VERIFY_OK) error = verify_points(&keys);
  if (error == VERIFY_OK) error = verify_key_ids(&envelope, &keys, &others);
  settle(the, error);
}

void xs_verify_verifyEs256(xsMachine *the) {
  want_arguments(the, 3);
  const struct bytes point = bytes_argument(the, 0);
  const struct bytes message = bytes_argument(the, 1);
  const struct bytes signature = bytes_argument(the, 2);
  if (point.length != VERIFY_POINT_BYTES) xsRangeError("key: expected %u bytes", VERIFY_POINT_BYTES);
  native_charge(the, UNITS_ECDSA_P256_VERIFY + (uint32_t)(message.length / SHA256_BLOCK_BYTES + 1) * UNITS_SHA256_BLOCK);
  xsmcSetBoolean(xsResult, verify_es256(point.at, message.at, message.length, signature.at, signature.length));
}

void xs_verify_sha256(xsMachine *the) {
  uint8_t hash[VERIFY_HASH_BYTES];
  want_arguments(the, 1);
  const struct bytes bytes = bytes_argument(the, 0);
  native_charge(the, (uint32_t)(bytes.length / SHA256_BLOCK_BYTES + 1) * UNITS_SHA256_BLOCK);
  if (!verify_sha256(bytes.at, bytes.length, hash)) settle(the, VERIFY_MEMORY);
  xsmcSetArrayBuffer(xsResult, hash, sizeof hash);
}

void xs_verify_decodeInPlace(xsMachine *the) {
  void *at;
  xsUnsignedValue total;
  want_arguments(the, 3);
  xsmcGetBufferWritable(xsArg(0), &at, &total);
  const size_t offset = (size_t)native_integer(the, &xsArg(1), "offset", 0, (double)total);
  const size_t length = (size_t)native_integer(the, &xsArg(2), "length", 0, (double)(total - offset));
  uint8_t *text = (uint8_t *)at + offset;
  native_charge(the, (uint32_t)length * UNITS_BASE64_CHARACTER);
  /* Three bytes for four characters: what is written is always behind what is read. */
  if (!base64url_decode((const char *)text, length, text)) settle(the, VERIFY_FORMAT);
  xsmcSetInteger(xsResult, (xsIntegerValue)base64url_decoded_length(length));
}

void xs_verify_readCertificate(xsMachine *the) {
  struct verify_certificate certificate;
  want_arguments(the, 1);
  const struct bytes der = bytes_argument(the, 0);
  native_charge(the, UNITS_CERTIFICATE_PARSE + (uint32_t)(der.length / SHA256_BLOCK_BYTES + 1) * UNITS_SHA256_BLOCK);
  settle(the, verify_certificate_der(der.at, der.length, &certificate));
  const xsIntegerValue value = xsmcVars(1);
  xsmcSetNewObject(xsResult);
  xsmcSetArrayBuffer(xsVar(value), certificate.sha256, sizeof certificate.sha256);
  xsmcSet(xsResult, xsID("sha256"), xsVar(value));
  xsmcSetNumber(xsVar(value), (double)certificate.not_before_s);
  xsmcSet(xsResult, xsID("notBeforeSeconds"), xsVar(value));
  xsmcSetNumber(xsVar(value), (double)certificate.not_after_s);
  xsmcSet(xsResult, xsID("notAfterSeconds"), xsVar(value));
}
