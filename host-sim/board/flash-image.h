/* What makes the root machine look like the chip's flash; the header world of xsAll.h. */
#ifndef BOARD_FLASH_IMAGE_H
#define BOARD_FLASH_IMAGE_H

#include "xsAll.h"
#include "xsScript.h"

/* The whole file, NUL-ended; ends the program when it cannot be read. Free it with free_text. */
char *read_text(const char *path, size_t *size);
void free_text(char *text);

/* Resolves the script's symbols in the root and marks its bytecode as read-only, so that no closure copies it into a chunk. */
void script_to_flash(txMachine *root, txScript *script);

/* Freezes every object and makes every variable of the preloaded modules constant. After a garbage collection. */
void root_freeze(txMachine *root);

/* Gives strings, keys, big integers and code of the shared root the kinds that a clone's collector leaves alone. */
void root_to_flash(txMachine *root);

#endif
