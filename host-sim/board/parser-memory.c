#include "parser-memory.h"

#include <stdint.h>

#include "heap.h"

#define BLOCK_BYTES ((size_t)1024 * 1024)
#define ALIGNMENT 16u

struct block {
  struct block *next;
  size_t used, bytes; /* after the header */
};

/* One process, one parser at a time. */
static struct {
  struct block *blocks;
  size_t pieces;
} parser_memory;

static size_t aligned(size_t bytes) {
  return (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static struct block *add_block(size_t bytes) {
  const size_t room = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
  struct block *block = xs_malloc(aligned(sizeof *block) + room);
  if (block == NULL) return NULL;
  *block = (struct block){ .next = parser_memory.blocks, .bytes = room };
  parser_memory.blocks = block;
  return block;
}

void *parser_malloc(size_t bytes) {
  const size_t needed = aligned(bytes);
  struct block *block = parser_memory.blocks;
  if (needed < bytes) return NULL;
  if (block == NULL || block->bytes - block->used < needed) block = add_block(needed);
  if (block == NULL) return NULL;
  uint8_t *piece = (uint8_t *)block + aligned(sizeof *block) + block->used;
  block->used += needed;
  parser_memory.pieces++;
  return piece;
}

void parser_free(void *piece) {
  if (piece == NULL || --parser_memory.pieces > 0) return;
  while (parser_memory.blocks != NULL) {
    struct block *block = parser_memory.blocks;
    parser_memory.blocks = block->next;
    xs_free(block);
  }
}
