/* A memory dump for the search for keys: what an attacker with the chip's RAM would have, and all that XS and malloc freed. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "output.h"

/* Larger regions are the shadow of AddressSanitizer. */
#define MAX_REGION_BYTES ((uint64_t)256 * 1024 * 1024)

static bool write_all(int fd, const void *bytes, size_t count) {
  const char *rest = bytes;
  while (count > 0) {
    const ssize_t written = write(fd, rest, count);
    if (written <= 0) return false;
    rest += written;
    count -= (size_t)written;
  }
  return true;
}

static bool copy_region(int memory, int out, uint64_t start, uint64_t end) {
  static char page[4096];
  for (uint64_t at = start; at < end; at += sizeof page) {
    /* Pages of the kernel's own ([vvar] and the like) cannot be read: they hold nothing of ours. */
    if (pread(memory, page, sizeof page, (off_t)at) != (ssize_t)sizeof page) continue;
    if (!write_all(out, page, sizeof page)) return false;
  }
  return true;
}

bool output_dump(const char *path) {
  static char line[512];
  FILE *maps = fopen("/proc/self/maps", "r");
  const int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  const int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  bool good = maps != NULL && memory >= 0 && out >= 0;
  while (good && fgets(line, sizeof line, maps) != NULL) {
    uint64_t start, end;
    char access[5];
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &start, &end, access) != 3) continue;
    if (strncmp(access, "rw", 2) != 0 || end - start > MAX_REGION_BYTES) continue;
    good = write_all(out, line, strlen(line)) && copy_region(memory, out, start, end);
  }
  if (maps != NULL) fclose(maps);
  if (memory >= 0) close(memory);
  if (out >= 0 && close(out) != 0) good = false;
  return good;
}
