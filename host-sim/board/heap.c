/* malloc and its family, counted by the linker's --wrap for everything but XS and the board's own files. */
#include "heap.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef BOARD_COUNTS_HEAP

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
void __real_free(void *block);

static size_t used_bytes;
static size_t peak_bytes;

static void *add(void *block) {
  if (block != NULL) used_bytes += malloc_usable_size(block);
  if (used_bytes > peak_bytes) peak_bytes = used_bytes;
  return block;
}

static void subtract(void *block) {
  if (block != NULL) used_bytes -= malloc_usable_size(block);
}

void *__wrap_malloc(size_t bytes) {
  return add(__real_malloc(bytes));
}

void *__wrap_calloc(size_t count, size_t bytes) {
  return add(__real_calloc(count, bytes));
}

void *__wrap_realloc(void *block, size_t bytes) {
  const size_t before = block == NULL ? 0 : malloc_usable_size(block);
  void *moved = __real_realloc(block, bytes);
  if (moved == NULL && bytes != 0) return NULL;
  used_bytes -= before;
  return add(moved);
}

void __wrap_free(void *block) {
  subtract(block);
  __real_free(block);
}

bool native_heap_is_counted(void) {
  return true;
}

#else

#define __real_malloc malloc
#define __real_calloc calloc
#define __real_realloc realloc
#define __real_free free

static const size_t used_bytes = 0;
static size_t peak_bytes;

bool native_heap_is_counted(void) {
  return false;
}

#endif

size_t native_heap_bytes(void) {
  return used_bytes;
}

size_t native_heap_peak_bytes(void) {
  return peak_bytes;
}

void native_heap_reset_peak(void) {
  peak_bytes = used_bytes;
}

void *xs_malloc(size_t bytes) {
  return __real_malloc(bytes);
}

void *xs_calloc(size_t count, size_t bytes) {
  return __real_calloc(count, bytes);
}

void *xs_realloc(void *block, size_t bytes) {
  return __real_realloc(block, bytes);
}

void xs_free(void *block) {
  __real_free(block);
}

static void *must(void *block) {
  if (block != NULL) return block;
  fputs("board: the host is out of memory\n", stderr);
  abort();
}

void *board_alloc(size_t bytes) {
  return must(__real_calloc(1, bytes));
}

void *board_resize(void *block, size_t bytes) {
  return must(__real_realloc(block, bytes));
}

void board_free(void *block) {
  __real_free(block);
}
