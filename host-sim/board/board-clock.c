#include "board-clock.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/time.h>
#include <time.h>

#include "board-platform.h"

#define MS_PER_SECOND 1000.0
#define TICKS_AT_START (INT32_MAX - 60000 + 1)

int __real_clock_gettime(clockid_t id, struct timespec *now);

/* The process has one clock, and the C library's functions take no context. */
static struct {
  bool driven;
  double driven_ms;
  double started_ms;
  double wall_at_start_ms;
} board_clock;

static double system_ms(clockid_t id) {
  struct timespec now;
  __real_clock_gettime(id, &now);
  return (double)now.tv_sec * MS_PER_SECOND + (double)now.tv_nsec / 1e6;
}

void clock_start_real(double wall_ms) {
  board_clock.driven = false;
  board_clock.started_ms = system_ms(CLOCK_MONOTONIC);
  board_clock.wall_at_start_ms = wall_ms < 0 ? system_ms(CLOCK_REALTIME) : wall_ms;
}

void clock_start_driven(double wall_ms) {
  board_clock.driven = true;
  board_clock.driven_ms = 0;
  board_clock.wall_at_start_ms = wall_ms;
}

void clock_advance(double now_ms) {
  if (now_ms > board_clock.driven_ms) board_clock.driven_ms = now_ms;
}

double clock_monotonic_ms(void) {
  return board_clock.driven ? board_clock.driven_ms : system_ms(CLOCK_MONOTONIC) - board_clock.started_ms;
}

double clock_wall_ms(void) {
  return board_clock.wall_at_start_ms + clock_monotonic_ms();
}

void clock_set_wall_ms(double wall_ms) {
  board_clock.wall_at_start_ms = wall_ms - clock_monotonic_ms();
}

int32_t clock_ticks(void) {
  const uint64_t since_start = (uint64_t)floor(clock_monotonic_ms());
  return (int32_t)(uint32_t)(TICKS_AT_START + since_start);
}

/* XS: Date.now(). */
int board_gettimeofday(c_timeval *now, void *zone) {
  (void)zone;
  const double wall_ms = clock_wall_ms();
  now->tv_sec = (int64_t)floor(wall_ms / MS_PER_SECOND);
  now->tv_usec = (int64_t)((wall_ms - (double)now->tv_sec * MS_PER_SECOND) * 1000.0);
  return 0;
}

/* The C library's face, for Mbed TLS and firmware/native (linked with --wrap). A 32-bit time_t stops at its end in 2038. */
static time_t to_seconds(double ms) {
  const double seconds = floor(ms / MS_PER_SECOND);
  if (sizeof(time_t) == sizeof(int32_t) && seconds > (double)INT32_MAX) return INT32_MAX;
  return (time_t)seconds;
}

time_t __wrap_time(time_t *result) {
  const time_t now = to_seconds(clock_wall_ms());
  if (result != NULL) *result = now;
  return now;
}

int __wrap_gettimeofday(struct timeval *now, void *zone) {
  c_timeval wide;
  board_gettimeofday(&wide, zone);
  now->tv_sec = to_seconds(clock_wall_ms());
  now->tv_usec = (suseconds_t)wide.tv_usec;
  return 0;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *now) {
  const double ms = id == CLOCK_REALTIME ? clock_wall_ms() : clock_monotonic_ms();
  now->tv_sec = to_seconds(ms);
  now->tv_nsec = (long)((ms - (double)now->tv_sec * MS_PER_SECOND) * 1e6);
  if (now->tv_nsec > 999999999L || now->tv_nsec < 0) now->tv_nsec = 999999999L;
  return 0;
}
