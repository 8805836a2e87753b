#include "byte-list.h"

#include <string.h>

#include "heap.h"

void byte_list_append(struct byte_list *list, const void *bytes, size_t count) {
  if (count == 0) return;
  if (list->start + list->count + count > list->capacity) {
    if (list->count > 0) memmove(list->bytes, list->bytes + list->start, list->count);
    list->start = 0;
    if (list->count + count > list->capacity) {
      list->capacity = 2 * (list->count + count);
      list->bytes = board_resize(list->bytes, list->capacity);
    }
  }
  memcpy(list->bytes + list->start + list->count, bytes, count);
  list->count += count;
}

size_t byte_list_take(struct byte_list *list, void *out, size_t room) {
  const size_t count = list->count < room ? list->count : room;
  if (count > 0) memcpy(out, list->bytes + list->start, count);
  list->start += count;
  list->count -= count;
  if (list->count == 0) list->start = 0;
  return count;
}

void byte_list_free(struct byte_list *list) {
  board_free(list->bytes);
  *list = (struct byte_list){ 0 };
}
