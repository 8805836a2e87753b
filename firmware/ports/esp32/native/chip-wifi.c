#include "chip-wifi.h"

#include <stdbool.h>
#include <stddef.h>

#include "sdkconfig.h"

#if CONFIG_ESP_WIFI_ENABLED && !CONFIG_ETH_USE_OPENETH

#include "esp_event.h"
#include "esp_wifi.h"

static volatile int last_reason;
static bool watches;

static void on_disconnected(void *argument, esp_event_base_t base, int32_t id, void *data) {
  (void)argument;
  (void)base;
  (void)id;
  const wifi_event_sta_disconnected_t *event = data;
  last_reason = event->reason;
}

void chip_wifi_watch(void) {
  if (watches) return;
  watches = esp_event_handler_register(WIFI_EVENT, WIFI_EVENT_STA_DISCONNECTED, on_disconnected, NULL) == ESP_OK;
}

int chip_wifi_reason(void) {
  return last_reason;
}

#else

void chip_wifi_watch(void) {
}

int chip_wifi_reason(void) {
  return 0;
}

#endif
