/*
 * What `latchkey provision` writes into a chip's `signer` partition (host-sim/firmware/key-image.ts):
 *
 *   "LKKEYS1\n"
 *   u8 count
 *   count times: u8 slot, u8 kind, u16 key length, u16 prefixes length (little-endian), key, prefixes (each ended by NUL)
 *   u32 CRC-32 of all before it (little-endian); the rest of the partition is 0xFF
 *
 * Kinds are those of the virtual board's key file, and KEY_IMAGE_EFUSE: the "key" is one byte, the number of the eFuse key block that
 * holds it. Only the bytes of the key that is asked for are read.
 */
#ifndef LATCHKEY_KEY_IMAGE_H
#define LATCHKEY_KEY_IMAGE_H

#include "key-store.h"

#define KEY_IMAGE_EFUSE 3u
#define KEY_IMAGE_MAX_BYTES 8192u

/* Where the image lies. */
struct key_medium {
  /* False: the medium failed. */
  bool (*read)(void *self, size_t at, void *out, size_t length);
  void *self;
  size_t size;
};

struct key_record {
  unsigned slot;
  unsigned kind; /* enum key_kind, or KEY_IMAGE_EFUSE */
  size_t key_at;
  size_t key_length;
  size_t prefixes_length;
};

/* KEY_OK with every record's place, KEY_EMPTY when the medium is erased, KEY_DAMAGED, KEY_FAILED. */
enum key_status key_image_read(const struct key_medium *medium, struct key_record records[KEY_STORE_SLOTS], unsigned *count);
/* KEY_OK, or why there is no such slot. */
enum key_status key_image_find(const struct key_medium *medium, unsigned slot, struct key_record *found);
/* The prefixes of a record, as key_info wants them. */
enum key_status key_image_prefixes(const struct key_medium *medium, const struct key_record *record, struct key_info *info);

#endif
