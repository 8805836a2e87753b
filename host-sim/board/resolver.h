/* Names to addresses: the --hosts table first, then the backend. The header world of xsmc.h. */
#ifndef BOARD_RESOLVER_H
#define BOARD_RESOLVER_H

#include "net.h"

#define MAX_HOST_NAME_BYTES 253 /* RFC 1035 2.3.4, as text */

/* From the backend: `address` is dotted, or NULL when the name was not found. */
void resolver_answer(struct board *board, uint32_t id, const char *address);

bool resolver_step(struct board *board);

#endif
