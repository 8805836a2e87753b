/* What C costs in compute units: without it, moving work from JavaScript to C would look free. */
#ifndef LATCHKEY_CHARGE_H
#define LATCHKEY_CHARGE_H

#include <stdint.h>

#include "xsmc.h"

/* Adds to the machine's meter. The virtual board defines it; elsewhere native.c has one that does nothing. */
void native_charge(xsMachine *the, uint32_t units);

#endif
