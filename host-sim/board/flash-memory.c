#define _GNU_SOURCE
#include "flash-memory.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_REGIONS 64
#define PAGE_BYTES 4096u

/* The handler of SIGSEGV is given no context. */
static struct region {
  char *start;
  size_t bytes;
} regions[MAX_REGIONS];
static size_t region_count;

void *flash_memory_allocate(size_t bytes) {
  if (region_count == MAX_REGIONS) return NULL;
  const size_t whole = (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
  void *start = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return NULL;
  regions[region_count++] = (struct region){ .start = start, .bytes = whole };
  return start;
}

static bool is_flash(const char *address) {
  for (size_t index = 0; index < region_count; index++) {
    if (address >= regions[index].start && address < regions[index].start + regions[index].bytes) return true;
  }
  return false;
}

static void on_fault(int number, siginfo_t *info, void *context) {
  static const char text[] = "board: a write to flash: to a built-in or to something that was preloaded\n";
  (void)context;
  if (is_flash(info->si_addr)) {
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(EXIT_FLASH_WRITE);
  }
  signal(number, SIG_DFL); /* another fault: it happens again, and ends the process as ever */
}

static void protect(int access) {
  for (size_t index = 0; index < region_count; index++) mprotect(regions[index].start, regions[index].bytes, access);
}

void flash_memory_lock(void) {
  struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
  sigaction(SIGSEGV, &action, NULL);
  protect(PROT_READ);
}

void flash_memory_unlock(void) {
  protect(PROT_READ | PROT_WRITE);
}
