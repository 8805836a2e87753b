#include "key-image.h"

#include <string.h>

#define MAGIC "LKKEYS1\n"
#define MAGIC_BYTES 8u
#define START_BYTES (MAGIC_BYTES + 1u)
#define RECORD_HEADER_BYTES 6u
#define CRC_BYTES 4u
#define ERASED 0xFFu
#define PIECE_BYTES 64u
/* CRC-32 as in zlib, reflected polynomial. */
#define CRC_POLYNOMIAL 0xEDB88320u

static enum key_status read_at(const struct key_medium *medium, size_t at, void *out, size_t length) {
  if (at > medium->size || length > medium->size - at) return KEY_DAMAGED;
  return medium->read(medium->self, at, out, length) ? KEY_OK : KEY_FAILED;
}

static bool lengths_are_valid(const struct key_record *record) {
  if (record->prefixes_length > KEY_PREFIXES_MAX_BYTES) return false;
  switch (record->kind) {
    case KEY_HMAC: return record->key_length >= KEY_MIN_BYTES && record->key_length <= KEY_MAX_BYTES;
    case KEY_PRIVATE: return record->key_length > 0 && record->key_length <= PRIVATE_KEY_MAX_BYTES;
    case KEY_IMAGE_EFUSE: return record->key_length == 1;
    default: return false;
  }
}

/* The check passes over key bytes: they are in `piece` for a moment, and overwritten at once. */
static enum key_status check_crc(const struct key_medium *medium, size_t length) {
  uint8_t piece[PIECE_BYTES];
  uint8_t stored[CRC_BYTES];
  uint32_t crc = UINT32_MAX;
  enum key_status status = KEY_OK;
  for (size_t at = 0; at < length && status == KEY_OK; at += PIECE_BYTES) {
    const size_t count = length - at < PIECE_BYTES ? length - at : PIECE_BYTES;
    status = read_at(medium, at, piece, count);
    for (size_t i = 0; i < count && status == KEY_OK; i++) {
      crc ^= piece[i];
      for (unsigned bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (CRC_POLYNOMIAL & (0u - (crc & 1u)));
    }
  }
  for (volatile uint8_t *wiped = piece; wiped < piece + PIECE_BYTES; wiped++) *wiped = 0;
  if (status == KEY_OK) status = read_at(medium, length, stored, sizeof stored);
  if (status != KEY_OK) return status;
  const uint32_t wanted = (uint32_t)stored[0] | (uint32_t)stored[1] << 8 | (uint32_t)stored[2] << 16 | (uint32_t)stored[3] << 24;
  return wanted == ~crc ? KEY_OK : KEY_DAMAGED;
}

enum key_status key_image_read(const struct key_medium *medium, struct key_record records[KEY_STORE_SLOTS], unsigned *count) {
  uint8_t start[START_BYTES];
  size_t at = sizeof start;
  *count = 0;
  enum key_status status = read_at(medium, 0, start, sizeof start);
  if (status != KEY_OK) return status;
  if (start[0] == ERASED) return KEY_EMPTY;
  if (memcmp(start, MAGIC, MAGIC_BYTES) != 0 || start[MAGIC_BYTES] > KEY_STORE_SLOTS) return KEY_DAMAGED;
  for (unsigned i = 0; i < start[MAGIC_BYTES]; i++) {
    uint8_t header[RECORD_HEADER_BYTES];
    status = read_at(medium, at, header, sizeof header);
    if (status != KEY_OK) return status;
    records[i] = (struct key_record){
        .slot = header[0],
        .kind = header[1],
        .key_at = at + RECORD_HEADER_BYTES,
        .key_length = (size_t)header[2] | (size_t)header[3] << 8,
        .prefixes_length = (size_t)header[4] | (size_t)header[5] << 8,
    };
    if (records[i].slot >= KEY_STORE_SLOTS || !lengths_are_valid(&records[i])) return KEY_DAMAGED;
    for (unsigned other = 0; other < i; other++) {
      if (records[other].slot == records[i].slot) return KEY_DAMAGED;
    }
    at = records[i].key_at + records[i].key_length + records[i].prefixes_length;
  }
  status = check_crc(medium, at);
  if (status == KEY_OK) *count = start[MAGIC_BYTES];
  return status;
}

enum key_status key_image_find(const struct key_medium *medium, unsigned slot, struct key_record *found) {
  struct key_record records[KEY_STORE_SLOTS];
  unsigned count = 0;
  const enum key_status status = key_image_read(medium, records, &count);
  for (unsigned i = 0; i < count; i++) {
    if (records[i].slot != slot) continue;
    *found = records[i];
    return KEY_OK;
  }
  return status == KEY_OK ? KEY_EMPTY : status;
}

enum key_status key_image_prefixes(const struct key_medium *medium, const struct key_record *record, struct key_info *info) {
  const enum key_status status = read_at(medium, record->key_at + record->key_length, info->prefixes, record->prefixes_length);
  if (status != KEY_OK) return status;
  info->prefixes_length = record->prefixes_length;
  const bool is_ended = record->prefixes_length == 0 || info->prefixes[record->prefixes_length - 1] == '\0';
  return is_ended ? KEY_OK : KEY_DAMAGED;
}
