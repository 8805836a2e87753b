/* FAKE, for tests. */
#pragma once
#include "esp_err.h"
#define ESP_ERR_NVS_NO_FREE_PAGES 0x110d
esp_err_t nvs_flash_init(void);
