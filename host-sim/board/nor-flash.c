#include "nor-flash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap.h"
#include "random.h"

#define ERASED 0xFF

struct flash {
  int fd;
  uint32_t writes;
  uint32_t cut_at;
  uint64_t cut_random;
  uint8_t cells[FLASH_BYTES];
};

static void fail(const char *what) __attribute__((noreturn));
static void fail(const char *what) {
  fprintf(stderr, "board: flash.bin: %s: %s\n", what, strerror(errno));
  exit(EXIT_FAILURE);
}

/* Written through at once: what a test sees in the file is what the chip would hold. */
static void store(struct flash *flash, size_t offset, size_t count) {
  while (count > 0) {
    const ssize_t written = pwrite(flash->fd, flash->cells + offset, count, (off_t)offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail("cannot be written");
    offset += (size_t)written;
    count -= (size_t)written;
  }
}

struct flash *flash_open(const char *path, uint32_t cut_at, uint64_t cut_seed) {
  struct flash *flash = board_alloc(sizeof *flash);
  flash->cut_at = cut_at;
  flash->cut_random = cut_seed;
  flash->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (flash->fd < 0) fail("cannot be opened");
  const ssize_t count = pread(flash->fd, flash->cells, FLASH_BYTES, 0);
  if (count < 0) fail("cannot be read");
  if (count < FLASH_BYTES) {
    memset(flash->cells + count, ERASED, (size_t)(FLASH_BYTES - count));
    store(flash, (size_t)count, (size_t)(FLASH_BYTES - count));
  }
  return flash;
}

void flash_close(struct flash *flash) {
  close(flash->fd);
  board_free(flash);
}

void flash_read(const struct flash *flash, size_t offset, void *bytes, size_t count) {
  memcpy(bytes, flash->cells + offset, count);
}

static bool is_erased(const uint8_t *cells) {
  for (size_t index = 0; index < FLASH_UNIT_BYTES; index++) {
    if (cells[index] != ERASED) return false;
  }
  return true;
}

/* True for the write during which the power goes. */
static bool is_cut(struct flash *flash) {
  flash->writes++;
  return flash->cut_at != 0 && flash->writes == flash->cut_at;
}

static void cut(struct flash *flash, size_t offset, size_t count) __attribute__((noreturn));
static void cut(struct flash *flash, size_t offset, size_t count) {
  store(flash, offset, count);
  fprintf(stderr, "board: the power was cut at flash write %u\n", flash->writes);
  _exit(EXIT_POWER_CUT);
}

bool flash_program(struct flash *flash, size_t offset, const uint8_t *bytes, size_t count) {
  for (size_t at = 0; at < count; at += FLASH_UNIT_BYTES) {
    const uint8_t *cells = flash->cells + offset + at;
    if (!is_erased(cells) && memcmp(cells, bytes + at, FLASH_UNIT_BYTES) != 0) return false;
  }
  for (size_t at = 0; at < count; at += FLASH_UNIT_BYTES) {
    uint8_t *cells = flash->cells + offset + at;
    const bool ends = is_cut(flash);
    for (size_t index = 0; index < FLASH_UNIT_BYTES; index++) {
      const uint8_t spared = ends ? (uint8_t)random_next(&flash->cut_random) : 0;
      cells[index] &= (uint8_t)(bytes[at + index] | spared);
    }
    if (ends) cut(flash, offset + at, FLASH_UNIT_BYTES);
    store(flash, offset + at, FLASH_UNIT_BYTES);
  }
  return true;
}

void flash_erase(struct flash *flash, size_t block) {
  uint8_t *cells = flash->cells + block * FLASH_BLOCK_BYTES;
  const bool ends = is_cut(flash);
  for (size_t index = 0; index < FLASH_BLOCK_BYTES; index++) {
    cells[index] |= ends ? (uint8_t)random_next(&flash->cut_random) : ERASED;
  }
  if (ends) cut(flash, block * FLASH_BLOCK_BYTES, FLASH_BLOCK_BYTES);
  store(flash, block * FLASH_BLOCK_BYTES, FLASH_BLOCK_BYTES);
}
