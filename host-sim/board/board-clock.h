/* The board's time: one clock for JavaScript, Mbed TLS and C. Real, or what the driver says. */
#ifndef BOARD_CLOCK_H
#define BOARD_CLOCK_H

#include <stdint.h>

/* From the system's clocks; the wall clock starts at `wall_ms`, or at the system's when that is negative. */
void clock_start_real(double wall_ms);
/* Stands still but for clock_advance. */
void clock_start_driven(double wall_ms);
void clock_advance(double now_ms);

/* Milliseconds since the start; never goes back. */
double clock_monotonic_ms(void);
/* Milliseconds since 1970. */
double clock_wall_ms(void);
void clock_set_wall_ms(double wall_ms);
/* What `time.ticks` gives: starts one minute before the signed 32-bit wrap, so that every run passes it. */
int32_t clock_ticks(void);

#endif
