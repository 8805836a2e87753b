/* The board's end of the stream to the driver (docs/architecture.md, "The board program"; driver-frames.ts). */
#ifndef BOARD_DRIVER_H
#define BOARD_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_type {
  FRAME_START = 1,
  FRAME_RUN = 2,
  FRAME_TCP_CONNECTED = 3,
  FRAME_TCP_DATA = 4,
  FRAME_TCP_CLOSED = 5,
  FRAME_TCP_FAILED = 6,
  FRAME_UDP_DATA = 7,
  FRAME_RESOLVED = 8,
  FRAME_STOP = 9,
  FRAME_REPORT = 10,
  FRAME_DUMP = 11,
  FRAME_IDLE = 65,
  FRAME_TCP_OPEN = 66,
  FRAME_TCP_WRITE = 67,
  FRAME_TCP_CLOSE = 68,
  FRAME_UDP_SEND = 69,
  FRAME_UDP_CLOSE = 70,
  FRAME_RESOLVE = 71,
  FRAME_LINE = 72,
  FRAME_DUMPED = 73,
};

/* Ends a driven board whose driver sends what is no frame. */
#define EXIT_DRIVER 3

struct frame {
  enum frame_type type;
  const uint8_t *payload; /* valid until the next driver_next */
  size_t count;
};

struct driver;

struct driver *driver_open(int fd);
void driver_close(struct driver *driver);

/* Waits for the next frame. False at the end of the stream, or when `wakes` has something to read (and then `*woken`). */
bool driver_next(struct driver *driver, int wakes, bool *woken, struct frame *frame);

/* Kept until driver_flush. `head` and `tail` are one payload. */
void driver_send(struct driver *driver, enum frame_type type, const void *head, size_t head_count, const void *tail,
  size_t tail_count);
void driver_send_line(struct driver *driver, const char *text, size_t count);
/* False when the driver is gone. */
bool driver_flush(struct driver *driver);

/* Fields of payloads; these end the program when the payload is too short. */
double frame_f64(const struct frame *frame, size_t at);
uint32_t frame_u32(const struct frame *frame, size_t at);
uint16_t frame_u16(const struct frame *frame, size_t at);
const uint8_t *frame_bytes(const struct frame *frame, size_t at, size_t count);

#endif
