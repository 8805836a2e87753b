/* Module `latchkey/chip`: what only a chip has. */
#include "xsmc.h"

#include <stdio.h>

#include "esp_heap_caps.h"
#include "esp_netif.h"
#include "esp_ota_ops.h"
#include "esp_partition.h"
#include "esp_random.h"
#include "esp_system.h"

#include "boot-guard.h"
#include "chip-keys.h"
#include "chip-wifi.h"
#include "native.h"
#include "throw.h"

#define TWO_TO_32 4294967296.0
#define ADDRESS_TEXT_BYTES 16
#define INTERNAL (MALLOC_CAP_8BIT | MALLOC_CAP_INTERNAL)

/* Gives the natives their keys. Before anything else. */
void xs_chip_start(xsMachine *the) {
  (void)the;
  boot_guard_link();
  native_start(chip_keys_open());
}

void xs_chip_print(xsMachine *the) {
  if (xsmcArgc < 1 || xsmcTypeOf(xsArg(0)) != xsStringType) xsTypeError("expected a string");
  (void)puts(xsmcToString(xsArg(0)));
  (void)fflush(stdout);
}

void xs_chip_restart(xsMachine *the) {
  (void)the;
  (void)fflush(stdout);
  esp_restart();
}

static const char *cause_of(esp_reset_reason_t reason) {
  switch (reason) {
    case ESP_RST_POWERON: return "power-on";
    case ESP_RST_EXT: return "reset-pin";
    case ESP_RST_SW: return "software";
    case ESP_RST_PANIC: return "panic";
    case ESP_RST_INT_WDT: return "interrupt-watchdog";
    case ESP_RST_TASK_WDT: return "task-watchdog";
    case ESP_RST_WDT: return "watchdog";
    case ESP_RST_DEEPSLEEP: return "deep-sleep";
    case ESP_RST_BROWNOUT: return "brownout";
    case ESP_RST_USB: return "usb";
    case ESP_RST_JTAG: return "jtag";
    default: return "unknown";
  }
}

void xs_chip_restartCause(xsMachine *the) {
  xsmcSetString(xsResult, (char *)cause_of(esp_reset_reason()));
}

void xs_chip_random(xsMachine *the) {
  xsmcSetNumber(xsResult, (double)esp_random() / TWO_TO_32);
}

void xs_chip_freeBytes(xsMachine *the) {
  xsmcSetInteger(xsResult, (xsIntegerValue)heap_caps_get_free_size(INTERNAL));
}

void xs_chip_largestFreeBytes(xsMachine *the) {
  xsmcSetInteger(xsResult, (xsIntegerValue)heap_caps_get_largest_free_block(INTERNAL));
}

/* The DHCP server's, dotted, separated by commas; empty: none yet. */
void xs_chip_nameServers(xsMachine *the) {
  static const esp_netif_dns_type_t types[] = {ESP_NETIF_DNS_MAIN, ESP_NETIF_DNS_BACKUP};
  char text[2 * ADDRESS_TEXT_BYTES] = "";
  size_t length = 0;
  esp_netif_t *netif = esp_netif_get_default_netif();
  for (size_t i = 0; netif != NULL && i < sizeof types / sizeof types[0]; i++) {
    esp_netif_dns_info_t info;
    if (esp_netif_get_dns_info(netif, types[i], &info) != ESP_OK) continue;
    if (info.ip.type != ESP_IPADDR_TYPE_V4 || info.ip.u_addr.ip4.addr == 0) continue;
    length += (size_t)snprintf(text + length, sizeof text - length, "%s" IPSTR, length > 0 ? "," : "", IP2STR(&info.ip.u_addr.ip4));
  }
  xsmcSetString(xsResult, text);
}

void xs_chip_wifiReason(xsMachine *the) {
  chip_wifi_watch();
  xsmcSetInteger(xsResult, chip_wifi_reason());
}

struct expected_partition {
  const char *label;
  esp_partition_type_t type;
  uint32_t min_bytes;
};

/* As manifests/partitions*.csv; the flash may hold the table of another program. */
static const struct expected_partition expected[] = {
    {"nvs", ESP_PARTITION_TYPE_DATA, 0x10000},   {"otadata", ESP_PARTITION_TYPE_DATA, 0x2000}, {"latchkey", ESP_PARTITION_TYPE_DATA, 0x10000},
    {"ota_0", ESP_PARTITION_TYPE_APP, 0x100000}, {"ota_1", ESP_PARTITION_TYPE_APP, 0x100000},  {CHIP_KEYS_PARTITION_LABEL, (esp_partition_type_t)CHIP_KEYS_PARTITION_TYPE, 0x1000},
};

void xs_chip_checkPartitions(xsMachine *the) {
  for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
    const esp_partition_t *found = esp_partition_find_first(expected[i].type, ESP_PARTITION_SUBTYPE_ANY, expected[i].label);
    if (found == NULL || found->size < expected[i].min_bytes) {
      char text[96];
      (void)snprintf(text, sizeof text, "partition %s is missing or too small: latchkey flash writes the table of this build", expected[i].label);
      native_throw(the, "ERR_PARTITIONS", text);
    }
  }
}

/* The image works: the bootloader need not go back to the former one. Does nothing where it would not. */
void xs_chip_confirmImage(xsMachine *the) {
  esp_ota_img_states_t state;
  (void)the;
  const esp_partition_t *running = esp_ota_get_running_partition();
  if (running == NULL || esp_ota_get_state_partition(running, &state) != ESP_OK || state != ESP_OTA_IMG_PENDING_VERIFY) return;
  (void)esp_ota_mark_app_valid_cancel_rollback();
}
