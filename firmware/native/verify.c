#include "tls-require.h"

#include "verify.h"

#include <string.h>

#include "psa/crypto.h"

#include "base64url.h"
#include "compute-units.h"

#define COORDINATE_BYTES 32u
#define P256_BITS 256u
#define UNCOMPRESSED_POINT 0x04
#define SHA256_BLOCK_BYTES 64u
#define THUMBPRINT_CHARACTERS BASE64URL_LENGTH(VERIFY_HASH_BYTES)
/* {"alg":"ES256","kid":"…","typ":"latchkey-roots+jws"} with some white space. */
#define MAX_HEADER_BYTES 192u

static const char *const header_names[] = {"alg", "kid", "typ"};
static const char *const header_algorithm = "ES256";
static const char *const header_type = "latchkey-roots+jws";

static enum verify_error from_envelope(enum envelope_error error) {
  switch (error) {
    case ENVELOPE_OK: return VERIFY_OK;
    case ENVELOPE_SIZE: return VERIFY_SIZE;
    case ENVELOPE_DUPLICATE: return VERIFY_DUPLICATE;
    default: return VERIFY_FORMAT;
  }
}

bool verify_sha256(const uint8_t *bytes, size_t length, uint8_t out[VERIFY_HASH_BYTES]) {
  size_t written = 0;
  return psa_crypto_init() == PSA_SUCCESS && psa_hash_compute(PSA_ALG_SHA_256, bytes, length, out, VERIFY_HASH_BYTES, &written) == PSA_SUCCESS;
}

/* Fails for a point that is not on the curve, too. */
static bool import_key(const uint8_t point[VERIFY_POINT_BYTES], psa_key_id_t *id) {
  uint8_t key[1 + VERIFY_POINT_BYTES];
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  if (psa_crypto_init() != PSA_SUCCESS) return false;
  key[0] = UNCOMPRESSED_POINT;
  memcpy(key + 1, point, VERIFY_POINT_BYTES);
  psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1));
  psa_set_key_bits(&attributes, P256_BITS);
  psa_set_key_algorithm(&attributes, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_VERIFY_HASH);
  return psa_import_key(&attributes, key, sizeof key, id) == PSA_SUCCESS;
}

static bool verify_hash(const uint8_t point[VERIFY_POINT_BYTES], const uint8_t hash[VERIFY_HASH_BYTES], const uint8_t signature[VERIFY_SIGNATURE_BYTES]) {
  psa_key_id_t id = 0;
  if (!import_key(point, &id)) return false;
  const psa_status_t status = psa_verify_hash(id, PSA_ALG_ECDSA(PSA_ALG_SHA_256), hash, VERIFY_HASH_BYTES, signature, VERIFY_SIGNATURE_BYTES);
  (void)psa_destroy_key(id);
  return status == PSA_SUCCESS;
}

bool verify_es256(const uint8_t point[VERIFY_POINT_BYTES], const uint8_t *message, size_t length, const uint8_t *signature, size_t signature_length) {
  uint8_t hash[VERIFY_HASH_BYTES];
  return signature_length == VERIFY_SIGNATURE_BYTES && verify_sha256(message, length, hash) && verify_hash(point, hash, signature);
}

/* RFC 7638 3.1, of the members in their order. */
static bool thumbprint(const uint8_t point[VERIFY_POINT_BYTES], uint8_t out[VERIFY_HASH_BYTES]) {
  static const char head[] = "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"";
  static const char middle[] = "\",\"y\":\"";
  static const char tail[] = "\"}";
  char text[sizeof head + sizeof middle + sizeof tail + 2 * BASE64URL_LENGTH(COORDINATE_BYTES)];
  char *at = text;
  memcpy(at, head, sizeof head - 1);
  base64url_encode(point, COORDINATE_BYTES, at += sizeof head - 1);
  memcpy(at += BASE64URL_LENGTH(COORDINATE_BYTES), middle, sizeof middle - 1);
  base64url_encode(point + COORDINATE_BYTES, COORDINATE_BYTES, at += sizeof middle - 1);
  memcpy(at += BASE64URL_LENGTH(COORDINATE_BYTES), tail, sizeof tail - 1);
  at += sizeof tail - 1;
  return verify_sha256((const uint8_t *)text, (size_t)(at - text), out);
}

/* A header is exactly alg, kid and typ; `kid` is decoded. Anything more (jwk, x5c, crit, b64, …) is refused here. */
static enum verify_error read_header(const struct envelope_text *encoded, uint8_t kid[VERIFY_HASH_BYTES]) {
  uint8_t bytes[MAX_HEADER_BYTES];
  struct envelope_text values[3];
  const size_t length = base64url_decoded_length(encoded->length);
  if (length > MAX_HEADER_BYTES || !base64url_decode(encoded->start, encoded->length, bytes)) return VERIFY_HEADER;
  const enum envelope_error error = envelope_scan_members((const char *)bytes, length, header_names, values, 3);
  if (error == ENVELOPE_DUPLICATE) return VERIFY_DUPLICATE;
  if (error != ENVELOPE_OK) return VERIFY_HEADER;
  if (values[0].length != strlen(header_algorithm) || memcmp(values[0].start, header_algorithm, values[0].length) != 0) return VERIFY_HEADER;
  if (values[2].length != strlen(header_type) || memcmp(values[2].start, header_type, values[2].length) != 0) return VERIFY_HEADER;
  return values[1].length == THUMBPRINT_CHARACTERS && base64url_decode(values[1].start, values[1].length, kid) ? VERIFY_OK : VERIFY_KID;
}

static bool hash_signed_text(const struct envelope *envelope, const struct envelope_signature *signature, uint8_t out[VERIFY_HASH_BYTES]) {
  psa_hash_operation_t operation = PSA_HASH_OPERATION_INIT;
  size_t written = 0;
  psa_status_t status = psa_hash_setup(&operation, PSA_ALG_SHA_256);
  if (status == PSA_SUCCESS) status = psa_hash_update(&operation, (const uint8_t *)signature->header.start, signature->header.length);
  if (status == PSA_SUCCESS) status = psa_hash_update(&operation, (const uint8_t *)".", 1);
  if (status == PSA_SUCCESS) status = psa_hash_update(&operation, (const uint8_t *)envelope->payload.start, envelope->payload.length);
  if (status == PSA_SUCCESS) status = psa_hash_finish(&operation, out, VERIFY_HASH_BYTES, &written);
  (void)psa_hash_abort(&operation);
  return status == PSA_SUCCESS;
}

static bool is_signed_by(const struct envelope *envelope, const struct envelope_signature *signature, const uint8_t *point, uint32_t *units) {
  uint8_t hash[VERIFY_HASH_BYTES];
  uint8_t bytes[VERIFY_SIGNATURE_BYTES];
  if (signature->signature.length != BASE64URL_LENGTH(VERIFY_SIGNATURE_BYTES)) return false;
  if (!base64url_decode(signature->signature.start, signature->signature.length, bytes)) return false;
  *units += UNITS_ECDSA_P256_VERIFY + (uint32_t)(envelope->payload.length / SHA256_BLOCK_BYTES + 4) * UNITS_SHA256_BLOCK;
  return hash_signed_text(envelope, signature, hash) && verify_hash(point, hash, bytes);
}

static enum verify_error thumbprints_of(const struct verify_keys *keys, uint8_t out[VERIFY_MAX_KEYS][VERIFY_HASH_BYTES]) {
  if (keys->count > VERIFY_MAX_KEYS) return VERIFY_SIZE;
  for (unsigned i = 0; i < keys->count; i++) {
    if (!thumbprint(keys->points + i * VERIFY_POINT_BYTES, out[i])) return VERIFY_MEMORY;
    for (unsigned j = 0; j < i; j++) {
      if (memcmp(out[i], out[j], VERIFY_HASH_BYTES) == 0) return VERIFY_KEYS;
    }
  }
  return VERIFY_OK;
}

static unsigned index_of(const uint8_t kid[VERIFY_HASH_BYTES], uint8_t known[VERIFY_MAX_KEYS][VERIFY_HASH_BYTES], unsigned count) {
  unsigned index = 0;
  while (index < count && memcmp(kid, known[index], VERIFY_HASH_BYTES) != 0) index++;
  return index;
}

enum verify_error verify_bundle(const char *bundle, size_t length, const struct verify_keys *keys, struct envelope *envelope, uint32_t *units) {
  uint8_t known[VERIFY_MAX_KEYS][VERIFY_HASH_BYTES];
  uint8_t kids[ENVELOPE_MAX_SIGNATURES][VERIFY_HASH_BYTES];
  if (psa_crypto_init() != PSA_SUCCESS) return VERIFY_MEMORY;
  enum verify_error error = from_envelope(envelope_scan(bundle, length, envelope));
  if (error != VERIFY_OK) return error;
  if (keys->threshold == 0 || keys->threshold > keys->count) return VERIFY_KEYS;
  error = thumbprints_of(keys, known);
  /* Every header is in order before the first signature costs anything. */
  for (unsigned i = 0; error == VERIFY_OK && i < envelope->count; i++) error = read_header(&envelope->signatures[i].header, kids[i]);
  if (error != VERIFY_OK) return error;
  unsigned tried = 0;
  unsigned counted = 0;
  for (unsigned i = 0; i < envelope->count && counted < keys->threshold; i++) {
    const unsigned key = index_of(kids[i], known, keys->count);
    /* One try for each key: key ids are public, and sixteen bad signatures would keep a chip busy for seconds. */
    if (key == keys->count || (tried & 1u << key)) continue;
    tried |= 1u << key;
    if (is_signed_by(envelope, &envelope->signatures[i], keys->points + key * VERIFY_POINT_BYTES, units)) counted++;
  }
  return counted == keys->threshold ? VERIFY_OK : VERIFY_SIGNATURES;
}

enum verify_error verify_points(const struct verify_keys *keys) {
  for (unsigned i = 0; i < keys->count; i++) {
    psa_key_id_t id = 0;
    if (!import_key(keys->points + i * VERIFY_POINT_BYTES, &id)) return VERIFY_KEYS;
    (void)psa_destroy_key(id);
  }
  return VERIFY_OK;
}

enum verify_error verify_key_ids(const struct envelope *envelope, const struct verify_keys *keys, const struct verify_keys *others) {
  uint8_t known[VERIFY_MAX_KEYS][VERIFY_HASH_BYTES];
  uint8_t more[VERIFY_MAX_KEYS][VERIFY_HASH_BYTES];
  enum verify_error error = thumbprints_of(keys, known);
  if (error == VERIFY_OK) error = thumbprints_of(others, more);
  for (unsigned i = 0; error == VERIFY_OK && i < envelope->count; i++) {
    uint8_t kid[VERIFY_HASH_BYTES];
    error = read_header(&envelope->signatures[i].header, kid);
    if (error != VERIFY_OK) return error;
    if (index_of(kid, known, keys->count) == keys->count && index_of(kid, more, others->count) == others->count) return VERIFY_KID;
  }
  return error;
}

const char *verify_error_code(enum verify_error error) {
  switch (error) {
    case VERIFY_SIZE: return "ERR_BUNDLE_SIZE";
    case VERIFY_DUPLICATE: return "ERR_BUNDLE_DUPLICATE";
    case VERIFY_HEADER: return "ERR_BUNDLE_HEADER";
    case VERIFY_KID: return "ERR_BUNDLE_KID";
    case VERIFY_SIGNATURES: return "ERR_BUNDLE_SIGNATURES";
    case VERIFY_KEYS: return "ERR_BUNDLE_KEYS";
    case VERIFY_CERTIFICATE: return "ERR_BUNDLE_ROOTS";
    case VERIFY_MEMORY: return "ERR_BUNDLE_MEMORY";
    default: return "ERR_BUNDLE_FORMAT";
  }
}

const char *verify_error_text(enum verify_error error) {
  switch (error) {
    case VERIFY_SIZE: return "above the limit of bytes, signatures or keys";
    case VERIFY_DUPLICATE: return "a member stands there twice";
    case VERIFY_HEADER: return "a protected header is not exactly alg ES256, kid and typ";
    case VERIFY_KID: return "a key id is the thumbprint of no key of the bundle or of the set before it";
    case VERIFY_SIGNATURES: return "too few distinct keys have signed";
    case VERIFY_KEYS: return "a key twice or off its curve, or a threshold that the keys cannot meet";
    case VERIFY_CERTIFICATE: return "not one X.509 certificate in DER of a CA with a strong key";
    case VERIFY_MEMORY: return "not enough memory";
    default: return "not the JWS JSON of a root bundle";
  }
}
