/* The host modules: their C functions, gathered by natives.c. The header world of xsmc.h. */
#ifndef BOARD_NATIVES_H
#define BOARD_NATIVES_H

#include "board.h"
#include "xsmc.h"

/* A host class or object of the root under construction. */
void native_method(xsMachine *the, xsSlot *object, const char *name, xsCallback callback, int length);
void native_getter(xsMachine *the, xsSlot *object, const char *name, xsCallback callback);
void native_accessor(xsMachine *the, xsSlot *object, const char *name, xsCallback getter, xsCallback setter);

/* Fill `module` (the record that an import of the module gives). Each has two variables to work with: xsVar(2) and xsVar(3). */
void timer_module(xsMachine *the, xsSlot *module);
void time_module(xsMachine *the, xsSlot *module);
void tcp_module(xsMachine *the, xsSlot *module);
void udp_module(xsMachine *the, xsSlot *module);
void resolver_module(xsMachine *the, xsSlot *module);
void flash_module(xsMachine *the, xsSlot *module);
void key_value_module(xsMachine *the, xsSlot *module);
void board_module(xsMachine *the, xsSlot *module);
void tls_module(xsMachine *the, xsSlot *module);
void signer_module(xsMachine *the, xsSlot *module);
void verify_module(xsMachine *the, xsSlot *module);

#endif
