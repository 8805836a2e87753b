/* As ESP-IDF's platform_include/time.h does for newlib: the clock that picolibc has not. */
#pragma once
#include_next <time.h>

#define CLOCK_MONOTONIC ((clockid_t)4)
int clock_gettime(clockid_t clock_id, struct timespec *tp);
