#include "driver.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "byte-list.h"
#include "heap.h"

#define HEAD_BYTES 5u /* u32 length, u8 type */
#define MAX_FRAME_BYTES (1u << 20)
#define READ_BYTES 65536u

struct driver {
  int fd;
  struct byte_list in;
  struct byte_list out;
  size_t taken; /* bytes of the frame that was handed out */
};

struct driver *driver_open(int fd) {
  struct driver *driver = board_alloc(sizeof *driver);
  driver->fd = fd;
  return driver;
}

void driver_close(struct driver *driver) {
  close(driver->fd);
  byte_list_free(&driver->in);
  byte_list_free(&driver->out);
  board_free(driver);
}

static void broken(const char *what) __attribute__((noreturn));
static void broken(const char *what) {
  fprintf(stderr, "board: the driver sent %s\n", what);
  exit(EXIT_DRIVER);
}

/* The frame at the front, when it is whole. */
static bool take_frame(struct driver *driver, struct frame *frame) {
  const uint8_t *bytes = driver->in.bytes + driver->in.start;
  uint32_t length;
  if (driver->in.count < HEAD_BYTES) return false;
  memcpy(&length, bytes, sizeof length);
  if (length < 1 || length > MAX_FRAME_BYTES) broken("a frame of a wrong length");
  if (driver->in.count < sizeof length + length) return false;
  frame->type = (enum frame_type)bytes[sizeof length];
  frame->payload = bytes + HEAD_BYTES;
  frame->count = length - 1;
  driver->taken = sizeof length + length;
  return true;
}

static void drop_taken(struct driver *driver) {
  driver->in.start += driver->taken;
  driver->in.count -= driver->taken;
  driver->taken = 0;
}

bool driver_next(struct driver *driver, int wakes, bool *woken, struct frame *frame) {
  static uint8_t bytes[READ_BYTES];
  *woken = false;
  drop_taken(driver);
  while (!take_frame(driver, frame)) {
    struct pollfd waits[] = { { .fd = driver->fd, .events = POLLIN }, { .fd = wakes, .events = POLLIN } };
    if (poll(waits, 2, -1) < 0 && errno != EINTR) return false;
    if (waits[1].revents & POLLIN) {
      *woken = true;
      return false;
    }
    if (waits[0].revents == 0) continue;
    const ssize_t count = read(driver->fd, bytes, sizeof bytes);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) return false;
    byte_list_append(&driver->in, bytes, (size_t)count);
  }
  return true;
}

void driver_send(struct driver *driver, enum frame_type type, const void *head, size_t head_count, const void *tail,
  size_t tail_count) {
  const uint32_t length = (uint32_t)(1 + head_count + tail_count);
  const uint8_t code = (uint8_t)type;
  byte_list_append(&driver->out, &length, sizeof length);
  byte_list_append(&driver->out, &code, sizeof code);
  byte_list_append(&driver->out, head, head_count);
  byte_list_append(&driver->out, tail, tail_count);
}

void driver_send_line(struct driver *driver, const char *text, size_t count) {
  driver_send(driver, FRAME_LINE, text, count, NULL, 0);
}

bool driver_flush(struct driver *driver) {
  while (driver->out.count > 0) {
    const ssize_t written = write(driver->fd, driver->out.bytes + driver->out.start, driver->out.count);
    if (written < 0 && errno == EAGAIN) {
      struct pollfd wait = { .fd = driver->fd, .events = POLLOUT };
      poll(&wait, 1, -1);
      continue;
    }
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    driver->out.start += (size_t)written;
    driver->out.count -= (size_t)written;
  }
  driver->out.start = 0;
  return true;
}

const uint8_t *frame_bytes(const struct frame *frame, size_t at, size_t count) {
  if (at > frame->count || count > frame->count - at) broken("a frame that is too short");
  return frame->payload + at;
}

double frame_f64(const struct frame *frame, size_t at) {
  double value;
  memcpy(&value, frame_bytes(frame, at, sizeof value), sizeof value);
  return value;
}

uint32_t frame_u32(const struct frame *frame, size_t at) {
  uint32_t value;
  memcpy(&value, frame_bytes(frame, at, sizeof value), sizeof value);
  return value;
}

uint16_t frame_u16(const struct frame *frame, size_t at) {
  uint16_t value;
  memcpy(&value, frame_bytes(frame, at, sizeof value), sizeof value);
  return value;
}
