#include "signer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "mbedtls/base64.h"
#include "mbedtls/platform_util.h"
#include "psa/crypto.h"

#include "compute-units.h"
#include "hmac.h"
#include "resource.h"

#define EXPIRY_TEXT_BYTES 22u /* newline, 20 digits, NUL */

void signer_init(struct signer *signer, const struct key_store *store) {
  memset(signer, 0, sizeof *signer);
  signer->store = store;
}

void signer_clear(struct signer *signer) {
  mbedtls_platform_zeroize(signer, sizeof *signer);
}

static bool is_derived(unsigned slot) {
  return slot >= KEY_STORE_SLOTS && slot < SIGNER_SLOTS;
}

/* The derived slots from the store's slot to `slot`; false when one is empty. `path[0]` is derived from the store's slot `*origin`. */
static bool trace(const struct signer *signer, unsigned slot, unsigned *origin, const struct derived_slot **path, unsigned *steps) {
  const struct derived_slot *reversed[SIGNER_MAX_DERIVATIONS];
  *steps = 0;
  while (is_derived(slot)) {
    const struct derived_slot *derived = &signer->derived[slot - KEY_STORE_SLOTS];
    if (derived->label_length == 0 || *steps == SIGNER_MAX_DERIVATIONS) return false;
    reversed[(*steps)++] = derived;
    slot = derived->source;
  }
  if (slot >= KEY_STORE_SLOTS || signer->store == NULL) return false;
  *origin = slot;
  for (unsigned i = 0; i < *steps; i++) path[i] = reversed[*steps - 1 - i];
  return true;
}

static enum signer_error error_of(enum key_status status) {
  switch (status) {
    case KEY_OK: return SIGNER_OK;
    case KEY_EMPTY: return SIGNER_SLOT;
    case KEY_UNBURNT: return SIGNER_EFUSE_UNBURNT;
    case KEY_PURPOSE: return SIGNER_EFUSE_PURPOSE;
    case KEY_READABLE: return SIGNER_EFUSE_READABLE;
    case KEY_WRITABLE: return SIGNER_EFUSE_WRITABLE;
    case KEY_RESERVED: return SIGNER_EFUSE_BLOCK;
    case KEY_PLAIN: return SIGNER_PARTITION_PLAIN;
    default: return SIGNER_STORE;
  }
}

/* HMAC with the key of a slot of the store. */
static enum signer_error store_mac(struct signer *signer, unsigned slot, const uint8_t *message, size_t length, uint8_t out[HMAC_SHA256_BYTES]) {
  const struct key_store *store = signer->store;
  signer->units += UNITS_KEY_READ + hmac_sha256_units(length);
  if (store->mac != NULL) return error_of(store->mac(store->self, slot, message, length, out));
  struct hmac_key key = {0};
  enum signer_error error = error_of(store->read(store->self, slot, &key));
  if (error == SIGNER_OK && !compute_hmac_sha256(key.bytes, key.length, message, length, out)) error = SIGNER_FAILED;
  mbedtls_platform_zeroize(&key, sizeof key);
  return error;
}

/* HMAC with the key of any slot: derives its way from the store, each key only as long as it is needed. */
static enum signer_error slot_mac(struct signer *signer, unsigned slot, const uint8_t *message, size_t length, uint8_t out[HMAC_SHA256_BYTES]) {
  const struct derived_slot *path[SIGNER_MAX_DERIVATIONS];
  unsigned origin = 0;
  unsigned steps = 0;
  if (!trace(signer, slot, &origin, path, &steps)) return SIGNER_SLOT;
  if (steps == 0) return store_mac(signer, origin, message, length, out);
  uint8_t key[HMAC_SHA256_BYTES] = {0};
  enum signer_error error = store_mac(signer, origin, path[0]->label, path[0]->label_length, key);
  for (unsigned i = 1; i < steps && error == SIGNER_OK; i++) {
    uint8_t next[HMAC_SHA256_BYTES] = {0};
    signer->units += hmac_sha256_units(path[i]->label_length);
    if (!compute_hmac_sha256(key, sizeof key, path[i]->label, path[i]->label_length, next)) error = SIGNER_FAILED;
    memcpy(key, next, sizeof key);
    mbedtls_platform_zeroize(next, sizeof next);
  }
  signer->units += hmac_sha256_units(length);
  if (error == SIGNER_OK && !compute_hmac_sha256(key, sizeof key, message, length, out)) error = SIGNER_FAILED;
  mbedtls_platform_zeroize(key, sizeof key);
  return error;
}

static enum signer_error describe(const struct signer *signer, unsigned slot, struct key_info *info) {
  const struct derived_slot *path[SIGNER_MAX_DERIVATIONS];
  unsigned origin = 0;
  unsigned steps = 0;
  if (!trace(signer, slot, &origin, path, &steps)) return SIGNER_SLOT;
  const enum signer_error error = error_of(signer->store->describe(signer->store->self, origin, info));
  return error == SIGNER_OK && info->kind != KEY_HMAC ? SIGNER_SLOT : error;
}

static bool is_within_prefixes(const struct key_info *info, const char *resource) {
  for (size_t at = 0; at < info->prefixes_length; at += strlen(info->prefixes + at) + 1) {
    if (resource_is_within(resource, info->prefixes + at)) return true;
  }
  return false;
}

enum signer_error signer_sign_sas(struct signer *signer, unsigned slot, const char *resource, int64_t expiry_s,
                                  char signature[SIGNER_SIGNATURE_BYTES]) {
  struct key_info info = {0};
  char text[SIGNER_MAX_RESOURCE_BYTES + EXPIRY_TEXT_BYTES]; /* decoded first, then what is signed: the chip's stack is small */
  uint8_t mac[HMAC_SHA256_BYTES] = {0};
  size_t signature_length = 0;

  enum signer_error error = describe(signer, slot, &info);
  if (error != SIGNER_OK) return error;
  const size_t resource_length = strnlen(resource, SIGNER_MAX_RESOURCE_BYTES);
  if (resource_length == SIGNER_MAX_RESOURCE_BYTES || !resource_decode(resource, text, sizeof text)) return SIGNER_RESOURCE;
  if (!is_within_prefixes(&info, text)) return SIGNER_RESOURCE;
  if (expiry_s <= 0 || expiry_s > (int64_t)time(NULL) + SIGNER_MAX_LIFE_SECONDS) return SIGNER_EXPIRY;

  memcpy(text, resource, resource_length);
  const int expiry_length = snprintf(text + resource_length, EXPIRY_TEXT_BYTES, "\n%" PRId64, expiry_s);
  if (expiry_length <= 0 || (size_t)expiry_length >= EXPIRY_TEXT_BYTES) return SIGNER_EXPIRY;
  error = slot_mac(signer, slot, (const uint8_t *)text, resource_length + (size_t)expiry_length, mac);
  if (error != SIGNER_OK) return error;
  if (mbedtls_base64_encode((unsigned char *)signature, SIGNER_SIGNATURE_BYTES, &signature_length, mac, sizeof mac) != 0) {
    return SIGNER_FAILED;
  }
  return SIGNER_OK;
}

static bool is_label(const char *label, size_t length) {
  if (length == 0 || length > SIGNER_MAX_LABEL_BYTES) return false;
  for (size_t i = 0; i < length; i++) {
    if (label[i] != '\n' && (label[i] < ' ' || label[i] > '~')) return false;
  }
  return true;
}

enum signer_error signer_derive(struct signer *signer, unsigned from, const char *label, unsigned into) {
  struct key_info info = {0};
  const struct derived_slot *path[SIGNER_MAX_DERIVATIONS];
  unsigned origin = 0;
  unsigned steps = 0;
  if (!is_derived(into)) return SIGNER_SLOT;
  const enum signer_error error = describe(signer, from, &info);
  if (error != SIGNER_OK) return error;
  if (!trace(signer, from, &origin, path, &steps) || steps == SIGNER_MAX_DERIVATIONS) return SIGNER_SLOT;
  struct derived_slot *derived = &signer->derived[into - KEY_STORE_SLOTS];
  for (unsigned i = 0; i < steps; i++) {
    if (path[i] == derived) return SIGNER_SLOT; /* from itself */
  }
  const size_t length = strnlen(label, SIGNER_MAX_LABEL_BYTES + 1);
  if (!is_label(label, length)) return SIGNER_LABEL;
  (void)signer_erase(signer, into); /* what hangs on the old key must not hang on the new one */
  derived->source = from;
  derived->label_length = (uint16_t)length;
  memcpy(derived->label, label, length);
  return SIGNER_OK;
}

enum signer_error signer_erase(struct signer *signer, unsigned slot) {
  enum signer_error error = SIGNER_OK;
  if (slot >= SIGNER_SLOTS) return SIGNER_SLOT;
  if (is_derived(slot)) {
    mbedtls_platform_zeroize(&signer->derived[slot - KEY_STORE_SLOTS], sizeof signer->derived[0]);
  } else if (signer->store != NULL) {
    const enum key_status status = signer->store->erase(signer->store->self, slot);
    if (status != KEY_OK && status != KEY_EMPTY) error = SIGNER_STORE;
  }
  for (unsigned i = 0; i < SIGNER_DERIVED_SLOTS; i++) {
    if (signer->derived[i].label_length > 0 && signer->derived[i].source == slot) {
      (void)signer_erase(signer, KEY_STORE_SLOTS + i);
    }
  }
  return error;
}

const char *signer_backend(const struct signer *signer, unsigned slot) {
  struct key_info info = {0};
  const struct derived_slot *path[SIGNER_MAX_DERIVATIONS];
  unsigned origin = 0;
  unsigned steps = 0;
  if (!trace(signer, slot, &origin, path, &steps)) return NULL;
  if (signer->store->describe(signer->store->self, origin, &info) != KEY_OK) return NULL;
  if (steps > 0) return info.derived_backend != NULL ? info.derived_backend : signer->store->derived_backend;
  return info.backend != NULL ? info.backend : signer->store->backend;
}

enum signer_error signer_check(const struct signer *signer) {
  const struct key_store *store = signer->store;
  return store == NULL || store->check == NULL ? SIGNER_OK : error_of(store->check(store->self));
}

static bool is_zero(const uint8_t *bytes, size_t length) {
  uint8_t any = 0;
  for (size_t i = 0; i < length; i++) any |= bytes[i];
  return any == 0;
}

enum signer_error signer_self_test(struct signer *signer) {
  /* RFC 4231, test case 2. */
  static const char key[] = "Jefe";
  static const char message[] = "what do ya want for nothing?";
  static const uint8_t expected[HMAC_SHA256_BYTES] = {
      0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
      0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43,
  };
  uint8_t first[HMAC_SHA256_BYTES] = {0};
  uint8_t second[HMAC_SHA256_BYTES] = {0};
  struct key_info info;
  enum signer_error error = SIGNER_OK;
  if (!compute_hmac_sha256((const uint8_t *)key, sizeof key - 1, (const uint8_t *)message, sizeof message - 1, first)) return SIGNER_FAILED;
  if (memcmp(first, expected, sizeof first) != 0) return SIGNER_SELF_TEST;
  for (unsigned slot = 0; slot < KEY_STORE_SLOTS && error == SIGNER_OK; slot++) {
    memset(&info, 0, sizeof info);
    error = describe(signer, slot, &info);
    if (error == SIGNER_SLOT) {
      error = SIGNER_OK; /* empty, or a private key */
      continue;
    }
    /* Never a text that could be signed: a token's string to sign has a line end before its expiry. */
    if (error == SIGNER_OK) error = store_mac(signer, slot, (const uint8_t *)message, sizeof message - 1, first);
    if (error == SIGNER_OK) error = store_mac(signer, slot, (const uint8_t *)message, sizeof message - 1, second);
    if (error == SIGNER_OK && (memcmp(first, second, sizeof first) != 0 || is_zero(first, sizeof first))) error = SIGNER_SELF_TEST;
  }
  mbedtls_platform_zeroize(first, sizeof first);
  mbedtls_platform_zeroize(second, sizeof second);
  return error;
}

enum signer_error signer_read_private_key(struct signer *signer, unsigned slot, uint8_t *der, size_t capacity, size_t *length) {
  const struct key_store *store = signer->store;
  if (slot >= KEY_STORE_SLOTS || store == NULL || store->read_private == NULL) return SIGNER_SLOT;
  signer->units += UNITS_KEY_READ;
  return error_of(store->read_private(store->self, slot, der, capacity, length));
}

uint32_t signer_take_units(struct signer *signer) {
  const uint32_t units = signer->units;
  signer->units = 0;
  return units;
}

#ifdef LATCHKEY_TEST_VECTORS
enum signer_error signer_test_hmac(const uint8_t *key, size_t key_length, const uint8_t *message, size_t length, uint8_t out[32]) {
  return compute_hmac_sha256(key, key_length, message, length, out) ? SIGNER_OK : SIGNER_FAILED;
}
#endif
