/* getaddrinfo on threads of its own: it blocks for as long as it likes. */
#ifndef BOARD_REAL_RESOLVER_H
#define BOARD_REAL_RESOLVER_H

#include "board.h"

void real_resolver_start(void);
void real_resolver_ask(uint32_t id, const char *name);
/* Readable when there are answers. */
int real_resolver_fd(void);
/* Hands them to resolver_answer. */
void real_resolver_take(struct board *board);

#endif
