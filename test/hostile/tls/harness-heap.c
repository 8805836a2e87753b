/* Counts the C heap of everything that is linked in statically, Mbed TLS included. Linked with --wrap; not together with ASan. */
#include "harness-heap.h"

#include <malloc.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *block);

static size_t in_use;

size_t heap_bytes(void) {
  return in_use;
}

static void *counted(void *block) {
  in_use += malloc_usable_size(block);
  return block;
}

void *__wrap_malloc(size_t size) {
  return counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size) {
  return counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *old, size_t size) {
  in_use -= malloc_usable_size(old);
  void *block = __real_realloc(old, size);
  if (block == NULL) in_use += malloc_usable_size(old);
  return counted(block);
}

void __wrap_free(void *block) {
  in_use -= malloc_usable_size(block);
  __real_free(block);
}
