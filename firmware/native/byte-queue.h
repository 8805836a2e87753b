/* A first-in, first-out queue of bytes with a limit; holds ciphertext only, frees its memory when it runs empty. */
#ifndef LATCHKEY_BYTE_QUEUE_H
#define LATCHKEY_BYTE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct byte_queue {
  uint8_t *bytes;
  size_t start;
  size_t length;
  size_t capacity;
};

/* Copies `length` bytes to the end; false when there is no memory, and then the queue is as before. */
bool byte_queue_push(struct byte_queue *queue, const uint8_t *bytes, size_t length);
/* Moves at most `capacity` bytes from the front to `out`; returns how many. */
size_t byte_queue_pull(struct byte_queue *queue, uint8_t *out, size_t capacity);
void byte_queue_clear(struct byte_queue *queue);

#endif
