/*
 * What the SDK's start does with NVS, looked at before it does it. ESP-IDF burns an empty HMAC block without a word when NVS is opened for
 * the first time, and takes whatever key it finds: a chip whose NVS key is missing, readable or for another purpose stops here, with nothing
 * burnt. And the SDK aborts without a word where NVS cannot be opened, again and again: here it is opened first, and a failure is told.
 */
#include "boot-guard.h"

#include "esp_err.h"
#include "esp_private/startup_internal.h"
#include "esp_rom_sys.h"
#include "esp_task.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "nvs_flash.h"

#include "chip-keys.h"

#define REPEAT_US (5 * 1000 * 1000)
/* After eFuse and heap, before app_main; the scheme that would burn the key is registered at 151. */
#define GUARD_PRIORITY 149
/* ESP-IDF gives the task that opens NVS otherwise, that of app_main, 3584. */
#define NVS_TASK_STACK_BYTES 4096
/* The core of app_main's task, which waits until this one has ended: its priority is higher. */
#define NVS_TASK_CORE 0

void boot_guard_link(void) {
}

/* Says why, for ever: the watchdog may restart the chip meanwhile; it comes back here. */
static void stop(const char *code, const char *cause, const char *remedy) {
  for (;;) {
    esp_rom_printf("{\"event\":\"error\",\"code\":\"%s\",\"message\":\"%s: %s\"}\n", code, cause, remedy);
    esp_rom_delay_us(REPEAT_US);
  }
}

static void stop_for_key(enum key_status status) {
  static const char code[] = "ERR_NVS_KEY_MISSING";
  if (status == KEY_UNBURNT) stop(code, "the eFuse block of NVS encryption holds no key", "latchkey provision --burn");
  if (status == KEY_PURPOSE) {
    stop(code, "the eFuse block of NVS encryption was burnt for another purpose than HMAC_UP", "build with another CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID");
  }
  stop(code, "the eFuse block of NVS encryption is not locked against reading and writing", "latchkey provision --burn locks it");
}

/* Opened here, it stays open: the SDK's own call then finds it so. */
static void open_nvs(void *argument) {
  (void)argument;
  const esp_err_t error = nvs_flash_init();
  if (error == ESP_ERR_NOT_FOUND) stop("ERR_PARTITIONS", "the flash has no partition nvs", "latchkey flash writes the table of this build");
  if (error != ESP_OK) stop("ERR_NVS_UNREADABLE", esp_err_to_name(error), "the settings are damaged or of another format, latchkey flash --provision writes them again");
  vTaskDelete(NULL);
}

ESP_SYSTEM_INIT_FN(latchkey_boot_guard, SECONDARY, BIT(0), GUARD_PRIORITY) {
  const enum key_status status = chip_keys_check_nvs();
  if (status != KEY_OK) stop_for_key(status);
  /* The scheduler starts it when all of ESP-IDF is there. Without memory for it the SDK opens NVS, as it would. */
  (void)xTaskCreatePinnedToCore(open_nvs, "nvs", NVS_TASK_STACK_BYTES, NULL, ESP_TASK_MAIN_PRIO + 1, NULL, NVS_TASK_CORE);
  return ESP_OK;
}
