/* Bytes in, bytes out, in order; the board's own memory. */
#ifndef BOARD_BYTE_LIST_H
#define BOARD_BYTE_LIST_H

#include <stddef.h>
#include <stdint.h>

struct byte_list {
  uint8_t *bytes;
  size_t start, count, capacity;
};

void byte_list_append(struct byte_list *list, const void *bytes, size_t count);
/* Moves at most `room` bytes from the front; returns how many. */
size_t byte_list_take(struct byte_list *list, void *out, size_t room);
void byte_list_free(struct byte_list *list);

#endif
