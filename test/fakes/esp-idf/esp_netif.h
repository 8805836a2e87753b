/* FAKE, for tests. */
#pragma once
#include <stdint.h>
#include "esp_err.h"

typedef struct esp_netif esp_netif_t;
typedef struct { uint32_t addr; } esp_ip4_addr_t;
typedef struct { union { esp_ip4_addr_t ip4; uint32_t ip6[4]; } u_addr; uint8_t type; } esp_ip_addr_t;
typedef struct { esp_ip_addr_t ip; } esp_netif_dns_info_t;
typedef enum { ESP_NETIF_DNS_MAIN, ESP_NETIF_DNS_BACKUP } esp_netif_dns_type_t;
#define ESP_IPADDR_TYPE_V4 0U
#define IPSTR "%d.%d.%d.%d"
#define IP2STR(address) (int)((address)->addr & 0xff), (int)((address)->addr >> 8 & 0xff), (int)((address)->addr >> 16 & 0xff), (int)((address)->addr >> 24)

esp_netif_t *esp_netif_get_default_netif(void);
esp_err_t esp_netif_get_dns_info(esp_netif_t *netif, esp_netif_dns_type_t type, esp_netif_dns_info_t *dns);
