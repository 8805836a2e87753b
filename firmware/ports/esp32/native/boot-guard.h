/* What must be looked at before ESP-IDF opens NVS. Linked by being called: chip-xs.c does. */
#ifndef LATCHKEY_BOOT_GUARD_H
#define LATCHKEY_BOOT_GUARD_H

void boot_guard_link(void);

#endif
