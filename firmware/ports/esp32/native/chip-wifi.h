/* Why the access point sent us away: the SDK's Wi-Fi class does not say. */
#ifndef LATCHKEY_CHIP_WIFI_H
#define LATCHKEY_CHIP_WIFI_H

/* Listens from now on; does nothing on a chip without radio. Call after the network interface was made. */
void chip_wifi_watch(void);
/* wifi_err_reason_t of the last disconnection; 0: there was none. */
int chip_wifi_reason(void);

#endif
