/* Into JavaScript and out of it: calls from the loop, and what natives take from their arguments. */
#ifndef BOARD_CALL_H
#define BOARD_CALL_H

#include "xsmc.h"

/* Call `function` with `target` as this, then run the promise jobs. An exception ends the board. */
void call_plain(xsMachine *machine, xsSlot *function, xsSlot *target);
void call_number(xsMachine *machine, xsSlot *function, xsSlot *target, double number);
void call_strings(xsMachine *machine, xsSlot *function, xsSlot *target, const char *first, const char *second);

/* The function in property `name` of the first argument, NULL when absent; throws TypeError when it is something else.
 * Uses xsVar(0). What it returns is to be marked. */
xsSlot *argument_callback(xsMachine *the, const char *name);
/* A port from property `name` of the first argument, or `absent`. Uses xsVar(0). */
int argument_port(xsMachine *the, const char *name, int absent);
/* `this` of a constructor: an instance of new.target, and host data of its own. */
void construct(xsMachine *the, void *data);

#endif
