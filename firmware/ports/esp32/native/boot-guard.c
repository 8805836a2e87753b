/*
 * ESP-IDF burns an empty HMAC block without a word when NVS is opened for the first time, and takes whatever key it finds. This runs
 * before: a chip whose NVS key is missing, readable or for another purpose stops here, with nothing burnt.
 */
#include "boot-guard.h"

#include "esp_err.h"
#include "esp_private/startup_internal.h"
#include "esp_rom_sys.h"

#include "chip-keys.h"

#define REPEAT_US (5 * 1000 * 1000)
/* After eFuse and heap, before app_main; the scheme that would burn the key is registered at 151. */
#define GUARD_PRIORITY 149

void boot_guard_link(void) {
}

static const char *remedy_of(enum key_status status) {
  switch (status) {
    case KEY_UNBURNT: return "the eFuse block of NVS encryption holds no key: latchkey provision --burn";
    case KEY_PURPOSE: return "the eFuse block of NVS encryption was burnt for another purpose than HMAC_UP: build with another CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID";
    default: return "the eFuse block of NVS encryption is not locked against reading and writing: latchkey provision --burn locks it";
  }
}

ESP_SYSTEM_INIT_FN(latchkey_boot_guard, SECONDARY, BIT(0), GUARD_PRIORITY) {
  const enum key_status status = chip_keys_check_nvs();
  if (status == KEY_OK) return ESP_OK;
  /* The watchdog may restart the chip meanwhile; it comes back here. */
  for (;;) {
    esp_rom_printf("{\"event\":\"error\",\"code\":\"ERR_NVS_KEY_MISSING\",\"message\":\"%s\"}\n", remedy_of(status));
    esp_rom_delay_us(REPEAT_US);
  }
}
