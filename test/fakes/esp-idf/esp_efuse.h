/* FAKE, for tests. */
#pragma once
#include <stdbool.h>
#include "esp_err.h"

typedef enum { EFUSE_BLK_KEY0 = 4, EFUSE_BLK_KEY5 = 9, EFUSE_BLK_KEY_MAX = 10 } esp_efuse_block_t;
typedef enum { ESP_EFUSE_KEY_PURPOSE_USER = 0, ESP_EFUSE_KEY_PURPOSE_XTS_AES_128_KEY = 4, ESP_EFUSE_KEY_PURPOSE_HMAC_UP = 8 } esp_efuse_purpose_t;

bool esp_efuse_key_block_unused(esp_efuse_block_t block);
esp_efuse_purpose_t esp_efuse_get_key_purpose(esp_efuse_block_t block);
bool esp_efuse_get_key_dis_read(esp_efuse_block_t block);
bool esp_efuse_get_key_dis_write(esp_efuse_block_t block);
bool esp_efuse_get_keypurpose_dis_write(esp_efuse_block_t block);
