/* Sockets over the driver's frames. */
#ifndef BOARD_NET_DRIVEN_H
#define BOARD_NET_DRIVEN_H

#include "driver.h"
#include "net.h"

/* Takes a frame about a socket or a name; false when it is about something else. */
bool net_driven_take(struct board *board, const struct frame *frame);
/* A new turn: what may leave in one turn is limited, else a sender that never rests would stop virtual time. */
void net_driven_begin_turn(struct board *board);
/* True when bytes wait for the next turn. */
bool net_driven_waits(const struct board *board);

#endif
