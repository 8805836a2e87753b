#ifndef HARNESS_HEAP_H
#define HARNESS_HEAP_H

#include <stddef.h>

/* Bytes in use now, as the allocator rounds them. */
size_t heap_bytes(void);

#endif
