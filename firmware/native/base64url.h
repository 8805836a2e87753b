/* base64url without padding (RFC 4648 5, RFC 7515 2), canonical: unused bits are zero. */
#ifndef LATCHKEY_BASE64URL_H
#define LATCHKEY_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters of `bytes` bytes. */
#define BASE64URL_LENGTH(bytes) (((bytes) * 4u + 2u) / 3u)

/* Bytes of `length` characters; SIZE_MAX for a length that no text has. */
size_t base64url_decoded_length(size_t length);
/* False for a character outside the alphabet, padding, a length or bits that no encoder makes; `out` takes base64url_decoded_length bytes
 * and may be `text` itself. */
bool base64url_decode(const char *text, size_t length, uint8_t *out);
/* Writes BASE64URL_LENGTH(length) characters, no NUL. */
void base64url_encode(const uint8_t *bytes, size_t length, char *out);

#endif
