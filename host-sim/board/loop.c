#define _GNU_SOURCE
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "board-clock.h"
#include "js-timer.h"
#include "net-driven.h"
#include "net-real.h"
#include "output.h"

/* Passes of one round in real time, so that a busy socket does not keep the timers waiting. */
#define PASSES_A_ROUND 4

static int signals[2] = { -1, -1 };

static void on_signal(int number) {
  const int saved = errno;
  const char byte = (char)number;
  (void)!write(signals[1], &byte, 1);
  errno = saved;
}

void loop_start(void) {
  const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
  if (pipe2(signals, O_CLOEXEC | O_NONBLOCK) != 0) {
    perror("board: pipe");
    exit(EXIT_FAILURE);
  }
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGUSR1, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  if (isatty(STDOUT_FILENO)) return;
  /* Ctrl-C goes to the whole group: the host takes it, and then stops its boards in order. */
  signal(SIGINT, SIG_IGN);
  /* Firmware that never comes back from a callback does not see that its host has gone. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void take_signals(struct board *board) {
  char number;
  while (read(signals[0], &number, 1) == 1) {
    if (number == SIGTERM) board_stop(board);
    else output_report(board);
  }
}

/* Until the next timer, in whole milliseconds as poll takes them. */
static int time_to_wait_ms(const struct board *board) {
  const double wait_ms = ceil(timers_next_ms(board) - clock_monotonic_ms());
  if (wait_ms <= 0) return 0;
  return wait_ms > (double)INT32_MAX ? -1 : (int)wait_ms;
}

static void run_real(struct board *board) {
  machines_run_main(&board->machines);
  while (!board->exiting) {
    timers_run(board);
    bool busy = true;
    for (int pass = 0; pass < PASSES_A_ROUND && busy && !board->exiting; pass++) busy = sockets_step(board);
    if (board->exiting) break;
    net_real_wait(board, busy ? 0 : time_to_wait_ms(board), signals[0]);
    take_signals(board);
  }
}

static void send_idle(struct board *board) {
  double wake_at_ms = timers_next_ms(board);
  const double next_turn_ms = clock_monotonic_ms() + 1;
  if (net_driven_waits(board) && next_turn_ms < wake_at_ms) wake_at_ms = next_turn_ms;
  driver_send(board->driver, FRAME_IDLE, &wake_at_ms, sizeof wake_at_ms, NULL, 0);
}

struct turns {
  bool started;
  bool stop_asked;
};

/* One turn: everything that happens without time passing. */
static void run_turn(struct board *board, double now_ms, struct turns *turns) {
  clock_advance(now_ms);
  net_driven_begin_turn(board);
  if (!turns->started) machines_run_main(&board->machines);
  turns->started = true;
  if (turns->stop_asked && !board->exiting) board_stop(board);
  turns->stop_asked = false;
  bool busy = true;
  while (busy && !board->exiting) {
    busy = timers_run(board);
    if (!board->exiting && sockets_step(board)) busy = true;
  }
  if (!board->exiting) send_idle(board);
}

static void dump_now(struct board *board, const struct frame *frame) {
  char path[4096];
  snprintf(path, sizeof path, "%.*s", (int)frame->count, (const char *)frame->payload);
  if (!output_dump(path)) fprintf(stderr, "board: %s: the dump could not be written\n", path);
  driver_send(board->driver, FRAME_DUMPED, NULL, 0, NULL, 0);
}

static void take_frame(struct board *board, const struct frame *frame, struct turns *turns) {
  if (net_driven_take(board, frame)) return;
  switch (frame->type) {
    case FRAME_RUN:
      run_turn(board, frame_f64(frame, 0), turns);
      break;
    case FRAME_STOP:
      turns->stop_asked = true;
      break;
    case FRAME_REPORT:
      output_report(board);
      break;
    case FRAME_DUMP:
      dump_now(board, frame);
      break;
    default:
      fprintf(stderr, "board: the driver sent a frame of type %d\n", (int)frame->type);
      exit(EXIT_DRIVER);
  }
}

static void run_driven(struct board *board) {
  struct turns turns = { 0 };
  bool woken;
  struct frame frame;
  while (!board->exiting) {
    if (driver_next(board->driver, signals[0], &woken, &frame)) take_frame(board, &frame, &turns);
    else if (woken) take_signals(board);
    else { /* the driver is gone, and with it time: there is no waiting for the firmware's good-byes */
      board_stop(board);
      board->exiting = true;
    }
    if (!driver_flush(board->driver)) board->exiting = true;
  }
}

void loop_run(struct board *board) {
  if (board->driver == NULL) run_real(board);
  else run_driven(board);
}
