#include "harness-clock.h"

#include <stddef.h>
#include <time.h>

time_t __real_time(time_t *result);
int __real_clock_gettime(clockid_t id, struct timespec *now);
time_t __wrap_time(time_t *result);
int __wrap_clock_gettime(clockid_t id, struct timespec *now);

static int64_t wall_offset_s;
static int64_t monotonic_offset_s;

void clock_move_wall(int64_t seconds) {
  wall_offset_s += seconds;
}

void clock_move_monotonic(int64_t seconds) {
  monotonic_offset_s += seconds;
}

time_t __wrap_time(time_t *result) {
  const time_t now = __real_time(NULL) + (time_t)wall_offset_s;
  if (result != NULL) *result = now;
  return now;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *now) {
  const int code = __real_clock_gettime(id, now);
  now->tv_sec += (time_t)(id == CLOCK_MONOTONIC ? monotonic_offset_s : wall_offset_s);
  return code;
}
