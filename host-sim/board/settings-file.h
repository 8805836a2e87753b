/*
 * Key-value storage in a text file, one entry a line: `domain TAB key TAB type TAB base64`, type `s` (UTF-8) or `b` (bytes);
 * settings.ts writes the same. Rewritten whole, under another name first: a cut leaves the old file or the new one.
 */
#ifndef BOARD_SETTINGS_FILE_H
#define BOARD_SETTINGS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTINGS_MAX_NAME_BYTES 15    /* NVS: domain and key */
#define SETTINGS_MAX_VALUE_BYTES 4000 /* NVS: a string */

struct setting {
  struct setting *next;
  char domain[SETTINGS_MAX_NAME_BYTES + 1];
  char key[SETTINGS_MAX_NAME_BYTES + 1];
  char type;
  size_t count;
  uint8_t bytes[]; /* one NUL more than `count` */
};

struct settings;

/* Ends the program when the file is there and cannot be understood. */
struct settings *settings_open(const char *path);
void settings_close(struct settings *settings);
bool settings_has_domain(const struct settings *settings, const char *domain);
/* NULL when absent; valid until the next write. */
const struct setting *settings_find(const struct settings *settings, const char *domain, const char *key);
/* False when the file could not be written; what it held is then still there. */
bool settings_write(struct settings *settings, const char *domain, const char *key, char type, const void *bytes, size_t count);
/* `existed` says whether there was such a key. */
bool settings_delete(struct settings *settings, const char *domain, const char *key, bool *existed);

#endif
