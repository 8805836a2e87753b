/* Module `timer`. Like the SDK's (modules/base/timer): timers that are due together run in the order in which they were set. */
#ifndef BOARD_JS_TIMER_H
#define BOARD_JS_TIMER_H

#include <stdbool.h>

#include "board.h"

/* Calls what is due now; what is set meanwhile waits for the next time. */
bool timers_run(struct board *board);
/* Monotonic milliseconds, +infinity for none. */
double timers_next_ms(const struct board *board);

#endif
