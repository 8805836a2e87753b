/* The harness's clock: the system's, moved by the script. Linked with --wrap, so that Mbed TLS is told the same. */
#ifndef HARNESS_CLOCK_H
#define HARNESS_CLOCK_H

#include <stdint.h>

/* Both move what the clocks say from now on; they add up. */
void clock_move_wall(int64_t seconds);
void clock_move_monotonic(int64_t seconds);

#endif
