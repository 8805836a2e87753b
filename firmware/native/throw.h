/* Errors from C to JavaScript. */
#ifndef LATCHKEY_THROW_H
#define LATCHKEY_THROW_H

#include "xsmc.h"

/* Throws an Error with the own property `code`. Copies both texts; does not return. */
void native_throw(xsMachine *the, const char *code, const char *message) __attribute__((noreturn));
/* `value` when it is in `low`…`high` and whole; throws RangeError otherwise, TypeError when it is no number. */
double native_integer(xsMachine *the, xsSlot *slot, const char *name, double low, double high);

#endif
