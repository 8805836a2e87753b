#include "hmac.h"

#include "psa/crypto.h"

#include "compute-units.h"

#define BITS_PER_BYTE 8u
#define SHA256_BLOCK_BYTES 64u
#define SHA256_PADDING_BYTES 9u /* FIPS 180-4 5.1.1: one bit and the length, at least */

bool compute_hmac_sha256(const uint8_t *key, size_t key_length, const uint8_t *message, size_t length, uint8_t out[HMAC_SHA256_BYTES]) {
  const psa_algorithm_t algorithm = PSA_ALG_HMAC(PSA_ALG_SHA_256);
  psa_key_id_t id = 0;
  size_t out_length = 0;
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_set_key_type(&attributes, PSA_KEY_TYPE_HMAC);
  psa_set_key_bits(&attributes, key_length * BITS_PER_BYTE);
  psa_set_key_algorithm(&attributes, algorithm);
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_SIGN_MESSAGE);
  psa_status_t status = psa_crypto_init(); /* does nothing but the first time */
  if (status != PSA_SUCCESS) return false;
  status = psa_import_key(&attributes, key, key_length, &id);
  if (status != PSA_SUCCESS) return false;
  status = psa_mac_compute(id, algorithm, message, length, out, HMAC_SHA256_BYTES, &out_length);
  if (psa_destroy_key(id) != PSA_SUCCESS) return false;
  return status == PSA_SUCCESS && out_length == HMAC_SHA256_BYTES;
}

uint32_t hmac_sha256_units(size_t length) {
  const size_t inner = 1 + (length + SHA256_PADDING_BYTES + SHA256_BLOCK_BYTES - 1) / SHA256_BLOCK_BYTES;
  return UNITS_HMAC_CALL + (uint32_t)(inner + 2) * UNITS_SHA256_BLOCK;
}
