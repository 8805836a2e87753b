/* The board's main loop, in real time or under a driver. */
#ifndef BOARD_LOOP_H
#define BOARD_LOOP_H

#include "board.h"

/* Catches SIGTERM and SIGUSR1; before the machines start. */
void loop_start(void);
/* Runs `main.js`, then what it set up, until the board exits. */
void loop_run(struct board *board);

#endif
