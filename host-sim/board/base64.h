/* RFC 4648 section 4, with padding, for the files of the board; not for secrets. */
#ifndef BOARD_BASE64_H
#define BOARD_BASE64_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

void base64_write(FILE *file, const uint8_t *bytes, size_t count);
/* Returns the count of bytes, -1 when the text is not base64. `out` holds 3 bytes for each 4 characters. */
long base64_decode(const char *text, size_t length, uint8_t *out);

#endif
