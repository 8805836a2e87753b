#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "board-clock.h"
#include "board.h"
#include "driver.h"
#include "heap.h"
#include "key-file.h"
#include "loop.h"
#include "native.h"
#include "net-real.h"
#include "net.h"
#include "nor-flash.h"
#include "output.h"
#include "resolver.h"
#include "settings-file.h"
#include "tcp-socket.h"
#include "udp-socket.h"

bool sockets_step(struct board *board) {
  const bool tcp = tcp_step(board);
  const bool udp = !board->exiting && udp_step(board);
  const bool names = !board->exiting && resolver_step(board);
  return tcp || udp || names;
}

const char *board_device_file(const struct board *board, const char *name) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/%s", board->options.device, name);
  return path;
}

static void open_device(struct board *board) {
  const struct options *options = &board->options;
  if (mkdir(options->device, 0700) != 0 && errno != EEXIST) {
    fprintf(stderr, "board: %s: %s\n", options->device, strerror(errno));
    exit(EXIT_FAILURE);
  }
  board->flash = flash_open(board_device_file(board, "flash.bin"), options->cut_at, options->cut_seed);
  board->settings = settings_open(board_device_file(board, "settings.kv"));
  board->keys = board_alloc(sizeof *board->keys);
  if (!key_file_init(board->keys, board_device_file(board, "keys.bin"))) {
    fprintf(stderr, "board: %s: the path is too long\n", options->device);
    exit(EXIT_FAILURE);
  }
  native_start(&board->keys->store);
}

/* The first frame says what time it is. */
static void open_driver(struct board *board) {
  bool woken;
  struct frame frame;
  board->driver = driver_open(board->options.driver_fd);
  board->net = &net_driven;
  if (!driver_next(board->driver, -1, &woken, &frame) || frame.type != FRAME_START) {
    fputs("board: the driver's first frame is to be START\n", stderr);
    exit(EXIT_DRIVER);
  }
  clock_start_driven(frame_f64(&frame, 0));
}

static void open_world(struct board *board) {
  if (board->options.driver_fd >= 0) {
    open_driver(board);
    return;
  }
  board->net = &net_real;
  net_real_start();
  clock_start_real(board->options.wall_ms);
}

static void close_board(struct board *board) {
  tcp_flush(board);
  output_report(board);
  const char *dump = board->options.dump;
  if (dump != NULL && !output_dump(dump)) fprintf(stderr, "board: %s: the dump could not be written\n", dump);
  if (board->driver != NULL) driver_flush(board->driver);
  machines_delete(&board->machines);
  native_stop();
}

int main(int count, char **arguments) {
  struct board *board = board_alloc(sizeof *board);
  setenv("TZ", "UTC0", 1); /* Date has local times: those of a chip are UTC */
  options_parse(&board->options, count, arguments);
  board->random_state = board->options.seed;
  loop_start();
  open_device(board);
  open_world(board);
  const struct options *options = &board->options;
  machines_start(&board->machines, &options->creation, options->preload, options->main, board);
  loop_run(board);
  const int exit_code = board->exit_code;
  close_board(board);
  /* Past the C library's end: threads that still resolve names, and leaks that the end of a process is for, do not matter. */
  _exit(exit_code);
}
