/* Sockets of the host, by poll. */
#ifndef BOARD_NET_REAL_H
#define BOARD_NET_REAL_H

#include "net.h"

/* Once, before any socket. */
void net_real_start(void);
/* Waits until something happens, `wakes` can be read, the host has gone, or `timeout_ms` (negative: for ever) is over. */
void net_real_wait(struct board *board, int timeout_ms, int wakes);

#endif
