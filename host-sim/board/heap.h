/* Three users of the C heap, told apart: XS, the board itself, and TLS with the natives (the only one that is counted). */
#ifndef BOARD_HEAP_H
#define BOARD_HEAP_H

#include <stdbool.h>
#include <stddef.h>

void *xs_malloc(size_t bytes);
void *xs_calloc(size_t count, size_t bytes);
void *xs_realloc(void *block, size_t bytes);
void xs_free(void *block);

/* Zeroed memory of the board's own; ends the program when there is none. */
void *board_alloc(size_t bytes);
/* Grows or shrinks; what is new is not zeroed. */
void *board_resize(void *block, size_t bytes);
void board_free(void *block);

/* False in a build that does not count (AddressSanitizer). */
bool native_heap_is_counted(void);
/* What malloc, calloc and realloc gave to Mbed TLS and firmware/native, rounded up as the allocator does. */
size_t native_heap_bytes(void);
/* The highest `native_heap_bytes` since the start or the last reset. */
size_t native_heap_peak_bytes(void);
void native_heap_reset_peak(void);

#endif
