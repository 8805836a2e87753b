/* eFuse key blocks. Read and write protection and purpose are looked at before each use, not at start alone: that costs three register reads. */
#include "chip-keys.h"

#ifdef ESP_PLATFORM

#include "sdkconfig.h"
#include "soc/soc_caps.h"

#if SOC_HMAC_SUPPORTED

#include "esp_efuse.h"

static esp_efuse_block_t block_of(unsigned number) {
  return (esp_efuse_block_t)(EFUSE_BLK_KEY0 + number);
}

static enum key_status check_hmac_block(unsigned number) {
  const esp_efuse_block_t block = block_of(number);
  if (esp_efuse_key_block_unused(block)) return KEY_UNBURNT;
  if (esp_efuse_get_key_purpose(block) != ESP_EFUSE_KEY_PURPOSE_HMAC_UP) return KEY_PURPOSE;
  if (!esp_efuse_get_key_dis_read(block)) return KEY_READABLE;
  if (!esp_efuse_get_key_dis_write(block) || !esp_efuse_get_keypurpose_dis_write(block)) return KEY_WRITABLE;
  return KEY_OK;
}

enum key_status chip_keys_check_block(unsigned number) {
  if (number >= CHIP_KEYS_BLOCKS || number == CHIP_KEYS_NVS_BLOCK) return KEY_RESERVED;
#ifdef CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID
  if ((int)number == CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID) return KEY_RESERVED;
#endif
  return check_hmac_block(number);
}

enum key_status chip_keys_check_nvs(void) {
#if CONFIG_NVS_ENCRYPTION && CONFIG_NVS_SEC_KEY_PROTECT_USING_HMAC
  return check_hmac_block(CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID);
#else
  return KEY_OK;
#endif
}

#else /* no HMAC peripheral */

enum key_status chip_keys_check_block(unsigned number) {
  (void)number;
  return KEY_RESERVED;
}

enum key_status chip_keys_check_nvs(void) {
  return KEY_OK; /* in the partition nvs_keys, which ESP-IDF opens */
}

#endif
#endif
