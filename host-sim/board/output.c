#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"
#include "heap.h"

/* CESU-8 writes a character above U+FFFF as two surrogates of three bytes: ED A0..AF xx ED B0..BF xx. */
static size_t to_utf8(char *text) {
  const unsigned char *from = (const unsigned char *)text;
  unsigned char *to = (unsigned char *)text;
  while (*from != 0) {
    const bool pair = from[0] == 0xED && (from[1] & 0xF0) == 0xA0 && from[2] != 0 && from[3] == 0xED && (from[4] & 0xF0) == 0xB0 &&
      from[5] != 0;
    if (!pair) {
      *to++ = *from++;
      continue;
    }
    const unsigned high = (from[1] & 0x0Fu) << 6 | (from[2] & 0x3Fu);
    const unsigned low = (from[4] & 0x0Fu) << 6 | (from[5] & 0x3Fu);
    const unsigned code = 0x10000u + (high << 10 | low);
    *to++ = (unsigned char)(0xF0u | code >> 18);
    *to++ = (unsigned char)(0x80u | (code >> 12 & 0x3Fu));
    *to++ = (unsigned char)(0x80u | (code >> 6 & 0x3Fu));
    *to++ = (unsigned char)(0x80u | (code & 0x3Fu));
    from += 6;
  }
  return (size_t)(to - (unsigned char *)text);
}

static void write_stdout(struct board *board, const char *bytes, size_t count) {
  while (count > 0) {
    const ssize_t written = write(STDOUT_FILENO, bytes, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) { /* the host is gone */
      board->exiting = true;
      return;
    }
    bytes += written;
    count -= (size_t)written;
  }
}

void output_line(struct board *board, const char *text) {
  const size_t length = strlen(text);
  char *line = board_alloc(length + 2);
  memcpy(line, text, length);
  const size_t count = to_utf8(line);
  if (board->driver != NULL) driver_send_line(board->driver, line, count);
  else {
    line[count] = '\n';
    write_stdout(board, line, count + 1);
  }
  board_free(line);
}

void output_report(struct board *board) {
  const struct heap_figures heap = machine_measure(board->machines.clone);
  char native_heap[80] = "\"cHeapBytes\":null,\"cHeapPeakBytes\":null";
  char line[640];
  if (native_heap_is_counted()) {
    snprintf(native_heap, sizeof native_heap, "\"cHeapBytes\":%zu,\"cHeapPeakBytes\":%zu", native_heap_bytes(),
      native_heap_peak_bytes());
  }
  native_heap_reset_peak();
  snprintf(line, sizeof line,
    "{\"event\":\"report\",\"bits\":%zu,\"slots\":%u,\"slotBytes\":%u,\"chunkBytes\":%u,\"heapBytes\":%u,"
    "\"peakSlots\":%u,\"peakChunkBytes\":%u,\"peakHeapBytes\":%u,\"reservedBytes\":%u,\"stackPeak\":%u,\"keys\":%u,"
    "\"aliases\":%u,\"garbageCollections\":%u,%s,\"computeUnits\":%u}",
    8 * sizeof(void *), heap.slots, heap.slot_bytes, heap.chunk_bytes, heap.slots * heap.slot_bytes + heap.chunk_bytes,
    heap.peak_slots, heap.peak_chunk_bytes, heap.peak_slots * heap.slot_bytes + heap.peak_chunk_bytes, heap.reserved_bytes,
    heap.stack_peak_slots, heap.keys, heap.aliases, heap.garbage_collections, native_heap, heap.compute_units);
  output_line(board, line);
}
