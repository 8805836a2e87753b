#define _GNU_SOURCE
#include "key-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "LKKEYS1\n"
#define MAGIC_BYTES 8u
#define RECORD_HEADER_BYTES 6u

struct record {
  enum key_kind kind;
  size_t key_length;
  size_t prefixes_length;
  off_t key_at;
};

static enum key_status read_at(int fd, off_t at, void *out, size_t length) {
  uint8_t *bytes = out;
  while (length > 0) {
    const ssize_t count = pread(fd, bytes, length, at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return KEY_FAILED;
    if (count == 0) return KEY_DAMAGED;
    bytes += count;
    at += count;
    length -= (size_t)count;
  }
  return KEY_OK;
}

/* Opens the file if it is a regular one, ours, and closed to everybody else. */
static enum key_status open_private(const char *path, int *fd) {
  struct stat status;
  *fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (*fd < 0) return errno == ENOENT ? KEY_EMPTY : errno == ELOOP ? KEY_EXPOSED : KEY_FAILED;
  if (fstat(*fd, &status) != 0) return KEY_FAILED;
  const bool is_private = S_ISREG(status.st_mode) && status.st_uid == geteuid() && (status.st_mode & 077) == 0;
  return is_private ? KEY_OK : KEY_EXPOSED;
}

static bool lengths_are_valid(const struct record *record) {
  if (record->prefixes_length > KEY_PREFIXES_MAX_BYTES) return false;
  switch (record->kind) {
    case KEY_HMAC: return record->key_length >= KEY_MIN_BYTES && record->key_length <= KEY_MAX_BYTES;
    case KEY_PRIVATE: return record->key_length > 0 && record->key_length <= PRIVATE_KEY_MAX_BYTES;
  }
  return false;
}

/* Walks the headers, past the keys of other slots, to the end: a file with bytes behind it or a slot given twice is not ours. */
static enum key_status find_record(int fd, unsigned slot, struct record *found) {
  struct stat file;
  uint8_t start[MAGIC_BYTES + 1];
  bool is_found = false;
  enum key_status status = read_at(fd, 0, start, sizeof start);
  if (status != KEY_OK) return status;
  if (memcmp(start, MAGIC, MAGIC_BYTES) != 0 || start[MAGIC_BYTES] > KEY_STORE_SLOTS) return KEY_DAMAGED;
  off_t at = sizeof start;
  for (unsigned i = 0; i < start[MAGIC_BYTES]; i++) {
    uint8_t header[RECORD_HEADER_BYTES];
    status = read_at(fd, at, header, sizeof header);
    if (status != KEY_OK) return status;
    const struct record record = {
        .kind = (enum key_kind)header[1],
        .key_length = (size_t)header[2] | (size_t)header[3] << 8,
        .prefixes_length = (size_t)header[4] | (size_t)header[5] << 8,
        .key_at = at + (off_t)RECORD_HEADER_BYTES,
    };
    if (!lengths_are_valid(&record)) return KEY_DAMAGED;
    if (header[0] == slot) {
      if (is_found) return KEY_DAMAGED;
      *found = record;
      is_found = true;
    }
    at = record.key_at + (off_t)(record.key_length + record.prefixes_length);
  }
  if (fstat(fd, &file) != 0) return KEY_FAILED;
  if (file.st_size != at) return KEY_DAMAGED;
  return is_found ? KEY_OK : KEY_EMPTY;
}

static enum key_status open_record(const char *path, unsigned slot, int *fd, struct record *record) {
  const enum key_status status = open_private(path, fd);
  return status == KEY_OK ? find_record(*fd, slot, record) : status;
}

static enum key_status describe(void *self, unsigned slot, struct key_info *info) {
  const struct key_file *file = self;
  struct record record = {0};
  int fd = -1;
  enum key_status status = open_record(file->path, slot, &fd, &record);
  if (status != KEY_OK) goto out;
  info->kind = record.kind;
  info->prefixes_length = record.prefixes_length;
  status = read_at(fd, record.key_at + (off_t)record.key_length, info->prefixes, record.prefixes_length);
  if (status == KEY_OK && record.prefixes_length > 0 && info->prefixes[record.prefixes_length - 1] != '\0') status = KEY_DAMAGED;
out:
  if (fd >= 0) (void)close(fd);
  return status;
}

static enum key_status read_key(const char *path, unsigned slot, enum key_kind kind, uint8_t *out, size_t capacity, size_t *length) {
  struct record record = {0};
  int fd = -1;
  enum key_status status = open_record(path, slot, &fd, &record);
  if (status == KEY_OK && record.kind != kind) status = KEY_EMPTY;
  if (status == KEY_OK && record.key_length > capacity) status = KEY_DAMAGED;
  if (status == KEY_OK) status = read_at(fd, record.key_at, out, record.key_length);
  if (status == KEY_OK) *length = record.key_length;
  if (fd >= 0) (void)close(fd);
  return status;
}

static enum key_status read_hmac(void *self, unsigned slot, struct hmac_key *key) {
  const struct key_file *file = self;
  return read_key(file->path, slot, KEY_HMAC, key->bytes, sizeof key->bytes, &key->length);
}

static enum key_status read_private(void *self, unsigned slot, uint8_t *der, size_t capacity, size_t *length) {
  const struct key_file *file = self;
  return read_key(file->path, slot, KEY_PRIVATE, der, capacity, length);
}

/* Overwrites the key in place and marks the slot as nobody's: the headers stay, so a cut leaves a readable file. */
static enum key_status erase(void *self, unsigned slot) {
  static const uint8_t zeros[PRIVATE_KEY_MAX_BYTES];
  const uint8_t no_slot = UINT8_MAX;
  const struct key_file *file = self;
  struct record record = {0};
  int fd = -1;
  int writable = -1;
  enum key_status status = open_record(file->path, slot, &fd, &record);
  if (status != KEY_OK) goto out;
  status = KEY_FAILED;
  writable = open(file->path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
  if (writable < 0) goto out;
  if (pwrite(writable, zeros, record.key_length, record.key_at) != (ssize_t)record.key_length) goto out;
  if (pwrite(writable, &no_slot, 1, record.key_at - (off_t)RECORD_HEADER_BYTES) != 1) goto out;
  if (fsync(writable) == 0) status = KEY_OK;
out:
  if (writable >= 0) (void)close(writable);
  if (fd >= 0) (void)close(fd);
  return status;
}

bool key_file_init(struct key_file *file, const char *path) {
  const int length = snprintf(file->path, sizeof file->path, "%s", path);
  file->store = (struct key_store){
      .backend = "file",
      .derived_backend = "derived",
      .describe = describe,
      .read = read_hmac,
      .read_private = read_private,
      .erase = erase,
      .self = file,
  };
  return length > 0 && (size_t)length < sizeof file->path;
}
