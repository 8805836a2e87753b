/*
 * The virtual board's key store: one file, mode 0600, opened at every use. Between two uses the process holds no byte of a key; only
 * the bytes of the key that is asked for are read. key-file.ts writes it.
 *
 *   "LKKEYS1\n"
 *   u8 count
 *   count times: u8 slot, u8 kind, u16 key length, u16 prefixes length (little-endian), key, prefixes (each ended by NUL)
 */
#ifndef BOARD_KEY_FILE_H
#define BOARD_KEY_FILE_H

#include <stdbool.h>

#include "key-store.h"

#define KEY_FILE_MAX_PATH_BYTES 4096u

struct key_file {
  char path[KEY_FILE_MAX_PATH_BYTES];
  struct key_store store;
};

/* Fills `file`, whose `store` then reads `path`; the file need not be there yet. False when the path is too long. `file` stays put. */
bool key_file_init(struct key_file *file, const char *path);

#endif
