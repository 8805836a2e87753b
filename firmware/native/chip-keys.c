#include "chip-keys.h"

#ifdef ESP_PLATFORM

#include <string.h>

#include "esp_partition.h"
#include "mbedtls/platform_util.h"
#include "sdkconfig.h"
#include "soc/soc_caps.h"

#if SOC_HMAC_SUPPORTED
  #include "esp_hmac.h"
#endif

#include "hmac.h"
#include "key-image.h"

/* A device in the field is built with the rollback of its bootloader on (production.sdkconfig); its keys must not lie open in flash. */
#if CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE
  #define WANTS_ENCRYPTION 1
#else
  #define WANTS_ENCRYPTION 0
#endif

static bool read_partition(void *self, size_t at, void *out, size_t length) {
  return esp_partition_read(self, at, out, length) == ESP_OK;
}

static struct key_medium medium_of(void *self) {
  const esp_partition_t *partition = self;
  return (struct key_medium){
      .read = read_partition,
      .self = self,
      .size = partition->size < KEY_IMAGE_MAX_BYTES ? partition->size : KEY_IMAGE_MAX_BYTES,
  };
}

/* `encrypted` is true when flash encryption is on and the table says so: the flash driver then decrypts what is read. */
static enum key_status check_partition(const esp_partition_t *partition) {
  return WANTS_ENCRYPTION && !partition->encrypted ? KEY_PLAIN : KEY_OK;
}

static enum key_status read_block_number(const struct key_medium *medium, const struct key_record *record, unsigned *block) {
  uint8_t byte = 0;
  if (!medium->read(medium->self, record->key_at, &byte, sizeof byte)) return KEY_FAILED;
  *block = byte;
  return chip_keys_check_block(*block);
}

static enum key_status describe(void *self, unsigned slot, struct key_info *info) {
  const struct key_medium medium = medium_of(self);
  struct key_record record = {0};
  enum key_status status = key_image_find(&medium, slot, &record);
  if (status != KEY_OK) return status;
  const bool is_efuse = record.kind == KEY_IMAGE_EFUSE;
  info->kind = record.kind == KEY_PRIVATE ? KEY_PRIVATE : KEY_HMAC;
  info->backend = is_efuse ? "efuse" : "partition";
  info->derived_backend = is_efuse ? "efuse-derived" : "partition-derived";
  return key_image_prefixes(&medium, &record, info);
}

static enum key_status mac_by_efuse(const struct key_medium *medium, const struct key_record *record, const uint8_t *message, size_t length,
                                    uint8_t out[32]) {
  unsigned block = 0;
  const enum key_status status = read_block_number(medium, record, &block);
  if (status != KEY_OK) return status;
#if SOC_HMAC_SUPPORTED
  return esp_hmac_calculate((hmac_key_id_t)block, message, length, out) == ESP_OK ? KEY_OK : KEY_FAILED;
#else
  (void)message;
  (void)length;
  (void)out;
  return KEY_RESERVED;
#endif
}

static enum key_status mac(void *self, unsigned slot, const uint8_t *message, size_t length, uint8_t out[32]) {
  const struct key_medium medium = medium_of(self);
  struct key_record record = {0};
  struct hmac_key key = {0};
  enum key_status status = key_image_find(&medium, slot, &record);
  if (status != KEY_OK) return status;
  if (record.kind == KEY_IMAGE_EFUSE) return mac_by_efuse(&medium, &record, message, length, out);
  if (record.kind != KEY_HMAC) return KEY_EMPTY;
  status = check_partition(self);
  if (status != KEY_OK) return status;
  key.length = record.key_length;
  if (!medium.read(medium.self, record.key_at, key.bytes, key.length) || !compute_hmac_sha256(key.bytes, key.length, message, length, out)) {
    status = KEY_FAILED;
  }
  mbedtls_platform_zeroize(&key, sizeof key);
  return status;
}

static enum key_status read_private(void *self, unsigned slot, uint8_t *der, size_t capacity, size_t *length) {
  const struct key_medium medium = medium_of(self);
  struct key_record record = {0};
  enum key_status status = key_image_find(&medium, slot, &record);
  if (status == KEY_OK && record.kind != KEY_PRIVATE) status = KEY_EMPTY;
  if (status == KEY_OK) status = check_partition(self);
  if (status == KEY_OK && record.key_length > capacity) status = KEY_DAMAGED;
  if (status != KEY_OK) return status;
  *length = record.key_length;
  return medium.read(medium.self, record.key_at, der, record.key_length) ? KEY_OK : KEY_FAILED;
}

/* Flash that is encrypted is not written in place; `latchkey provision` writes the whole partition. */
static enum key_status erase(void *self, unsigned slot) {
  const struct key_medium medium = medium_of(self);
  struct key_record record;
  const enum key_status status = key_image_find(&medium, slot, &record);
  return status == KEY_OK ? KEY_READ_ONLY : status;
}

static enum key_status check(void *self) {
  const struct key_medium medium = medium_of(self);
  struct key_record records[KEY_STORE_SLOTS];
  unsigned count = 0;
  unsigned block = 0;
  enum key_status status = key_image_read(&medium, records, &count);
  if (status == KEY_EMPTY) return KEY_OK;
  for (unsigned i = 0; i < count && status == KEY_OK; i++) {
    status = records[i].kind == KEY_IMAGE_EFUSE ? read_block_number(&medium, &records[i], &block) : check_partition(self);
  }
  return status;
}

const struct key_store *chip_keys_open(void) {
  static struct key_store store;
  const esp_partition_t *partition =
      esp_partition_find_first((esp_partition_type_t)CHIP_KEYS_PARTITION_TYPE, ESP_PARTITION_SUBTYPE_ANY, CHIP_KEYS_PARTITION_LABEL);
  if (partition == NULL) return NULL;
  store = (struct key_store){
      .backend = "partition",
      .derived_backend = "partition-derived",
      .describe = describe,
      .mac = mac,
      .read_private = read_private,
      .erase = erase,
      .check = check,
      .self = (void *)partition,
  };
  return &store;
}

#endif
