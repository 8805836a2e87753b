/*
 * OpenCores Ethernet of Espressif's QEMU, with the shape of an ECMA-419 network interface: `new OpenEth({onChanged(property)})`,
 * `connect()`, `connection` (200 down, 300 waiting for an address, 500 up), `address`. There is one.
 */
#include "xsmc.h"
#include "xsHost.h"
#include "mc.xs.h"
#include "builtinCommon.h"

#include "esp_eth.h"
#include "esp_event.h"
#include "esp_mac.h"
#include "esp_netif.h"
#include "sdkconfig.h"

#if !CONFIG_ETH_USE_OPENETH
  #error "This module is for Espressif's QEMU: set CONFIG_ETH_USE_OPENETH=y"
#endif

#define ADDRESS_TEXT_BYTES 16

enum { CONNECTION_DOWN = 200, CONNECTION_WAITING = 300, CONNECTION_UP = 500 };

struct openeth {
  xsMachine *the;
  xsSlot object;
  xsSlot *on_changed;
  int connection;
};

/* Events come on another task: what it touches is this pointer and `link`. */
static struct openeth *volatile current;
static esp_netif_t *netif;
static volatile int link_state = CONNECTION_DOWN;

void xs_openeth_destructor(void *data) {
  if (data == NULL) return;
  if (current == data) current = NULL;
  c_free(data);
}

static void mark(xsMachine *the, void *data, xsMarkRoot mark_root) {
  struct openeth *openeth = data;
  if (openeth->on_changed != NULL) (*mark_root)(the, openeth->on_changed);
}

static const xsHostHooks hooks = {xs_openeth_destructor, mark, NULL};

/* On the machine's task. */
static void deliver(void *the, void *refcon, uint8_t *message, uint16_t length) {
  struct openeth *openeth = current;
  (void)message;
  (void)length;
  if (openeth == NULL || openeth != refcon || openeth->connection == link_state) return;
  openeth->connection = link_state;
  if (openeth->on_changed == NULL) return;
  xsBeginHost(the);
  xsSlot property;
  xsmcSetStringX(property, "connection");
  xsCallFunction1(xsReference(openeth->on_changed), openeth->object, property);
  xsEndHost(the);
}

static void changed(int state) {
  struct openeth *openeth = current;
  link_state = state;
  if (openeth != NULL) modMessagePostToMachine(openeth->the, NULL, 0, deliver, openeth);
}

static void on_event(void *argument, esp_event_base_t base, int32_t id, void *data) {
  (void)argument;
  (void)data;
  if (base == ETH_EVENT && id == ETHERNET_EVENT_CONNECTED) changed(CONNECTION_WAITING);
  else if (base == ETH_EVENT && id == ETHERNET_EVENT_DISCONNECTED) changed(CONNECTION_DOWN);
  else if (base == IP_EVENT && id == IP_EVENT_ETH_GOT_IP) changed(CONNECTION_UP);
  else if (base == IP_EVENT && id == IP_EVENT_ETH_LOST_IP) changed(CONNECTION_WAITING);
}

static bool start_driver(void) {
  esp_eth_handle_t handle = NULL;
  if (netif != NULL) return true;
  (void)esp_netif_init();
  const esp_err_t loop = esp_event_loop_create_default();
  if (loop != ESP_OK && loop != ESP_ERR_INVALID_STATE) return false;
  const esp_netif_config_t config = ESP_NETIF_DEFAULT_ETH();
  netif = esp_netif_new(&config);
  if (netif == NULL) return false;
  eth_mac_config_t mac_config = ETH_MAC_DEFAULT_CONFIG();
  eth_phy_config_t phy_config = ETH_PHY_DEFAULT_CONFIG();
  phy_config.autonego_timeout_ms = 100; /* the emulated PHY is there at once */
  phy_config.reset_gpio_num = -1;
  esp_eth_mac_t *mac = esp_eth_mac_new_openeth(&mac_config);
  esp_eth_phy_t *phy = esp_eth_phy_new_generic(&phy_config);
  if (mac == NULL || phy == NULL) return false;
  const esp_eth_config_t eth_config = ETH_DEFAULT_CONFIG(mac, phy);
  return esp_eth_driver_install(&eth_config, &handle) == ESP_OK && esp_netif_attach(netif, esp_eth_new_netif_glue(handle)) == ESP_OK &&
         esp_event_handler_register(ETH_EVENT, ESP_EVENT_ANY_ID, on_event, NULL) == ESP_OK &&
         esp_event_handler_register(IP_EVENT, ESP_EVENT_ANY_ID, on_event, NULL) == ESP_OK && esp_eth_start(handle) == ESP_OK;
}

void xs_openeth_constructor(xsMachine *the) {
  if (current != NULL) xsUnknownError("in use");
  xsSlot *on_changed = builtinGetCallback(the, xsID_onChanged);
  struct openeth *openeth = c_calloc(1, sizeof *openeth);
  if (openeth == NULL) xsUnknownError("no memory");
  openeth->the = the;
  openeth->object = xsThis;
  openeth->on_changed = on_changed;
  openeth->connection = CONNECTION_DOWN;
  xsmcSetHostData(xsThis, openeth);
  xsSetHostHooks(xsThis, (xsHostHooks *)&hooks);
  xsRemember(openeth->object);
  current = openeth;
}

void xs_openeth_close(xsMachine *the) {
  struct openeth *openeth = xsmcGetHostData(xsThis);
  if (openeth == NULL) return;
  (void)xsmcGetHostDataValidate(xsThis, (void *)&hooks);
  xsForget(openeth->object);
  xsmcSetHostData(xsThis, NULL);
  xsmcSetHostDestructor(xsThis, NULL);
  xs_openeth_destructor(openeth);
}

void xs_openeth_connect(xsMachine *the) {
  struct openeth *openeth = xsmcGetHostDataValidate(xsThis, (void *)&hooks);
  if (!start_driver()) xsUnknownError("no OpenCores Ethernet: start QEMU with -nic user,model=open_eth");
  modMessagePostToMachine(openeth->the, NULL, 0, deliver, openeth);
}

void xs_openeth_get_connection(xsMachine *the) {
  struct openeth *openeth = xsmcGetHostDataValidate(xsThis, (void *)&hooks);
  xsmcSetInteger(xsResult, openeth->connection);
}

void xs_openeth_get_address(xsMachine *the) {
  char text[ADDRESS_TEXT_BYTES];
  esp_netif_ip_info_t info;
  (void)xsmcGetHostDataValidate(xsThis, (void *)&hooks);
  if (netif == NULL || esp_netif_get_ip_info(netif, &info) != ESP_OK || info.ip.addr == 0) return;
  (void)esp_ip4addr_ntoa(&info.ip, text, sizeof text);
  xsmcSetString(xsResult, text);
}
