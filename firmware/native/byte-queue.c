#include "byte-queue.h"

#include <stdlib.h>
#include <string.h>

#define SMALLEST_CAPACITY 1024u

static bool make_room(struct byte_queue *queue, size_t length) {
  if (length > SIZE_MAX / 2 - queue->length) return false;
  const size_t needed = queue->length + length;
  if (queue->capacity - queue->start >= needed) return true;
  if (queue->start > 0) {
    memmove(queue->bytes, queue->bytes + queue->start, queue->length);
    queue->start = 0;
    if (queue->capacity >= needed) return true;
  }
  size_t capacity = queue->capacity == 0 ? SMALLEST_CAPACITY : queue->capacity;
  while (capacity < needed) capacity *= 2;
  uint8_t *bytes = realloc(queue->bytes, capacity);
  if (bytes == NULL) return false;
  queue->bytes = bytes;
  queue->capacity = capacity;
  return true;
}

bool byte_queue_push(struct byte_queue *queue, const uint8_t *bytes, size_t length) {
  if (length == 0) return true;
  if (!make_room(queue, length)) return false;
  memcpy(queue->bytes + queue->start + queue->length, bytes, length);
  queue->length += length;
  return true;
}

size_t byte_queue_pull(struct byte_queue *queue, uint8_t *out, size_t capacity) {
  const size_t length = queue->length < capacity ? queue->length : capacity;
  if (length == 0) return 0;
  memcpy(out, queue->bytes + queue->start, length);
  queue->start += length;
  queue->length -= length;
  if (queue->length == 0) byte_queue_clear(queue);
  return length;
}

void byte_queue_clear(struct byte_queue *queue) {
  free(queue->bytes);
  *queue = (struct byte_queue){0};
}
