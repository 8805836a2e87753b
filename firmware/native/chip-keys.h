/*
 * The key store of an ESP32: keys in eFuse blocks that only the HMAC peripheral reads, or in the `signer` partition, which has a type of
 * its own so that JavaScript cannot open it. Needs ESP-IDF; empty elsewhere.
 */
#ifndef LATCHKEY_CHIP_KEYS_H
#define LATCHKEY_CHIP_KEYS_H

#include "key-store.h"

/* manifests/partitions*.csv */
#define CHIP_KEYS_PARTITION_TYPE 0x41
#define CHIP_KEYS_PARTITION_LABEL "signer"
/* ESP-IDF's, for the encrypted NVS: reserved even where this build does not use it (host-sim/firmware/chips.ts). */
#define CHIP_KEYS_NVS_BLOCK 5u
#define CHIP_KEYS_BLOCKS 6u

/* Finds the partition at its first call. NULL: the flash has none. */
const struct key_store *chip_keys_open(void);
/* What an eFuse key block (0 to 5) is fit for. KEY_RESERVED on chips without the HMAC peripheral. */
enum key_status chip_keys_check_block(unsigned block);
/* Whether the key of the encrypted NVS is burnt and locked; KEY_OK where this build does not encrypt NVS by it. */
enum key_status chip_keys_check_nvs(void);

#endif
