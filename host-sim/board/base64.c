#include "base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(FILE *file, const uint8_t *bytes, size_t count) {
  for (size_t index = 0; index < count; index += 3) {
    const size_t rest = count - index;
    const uint32_t group = (uint32_t)bytes[index] << 16 | (rest > 1 ? (uint32_t)bytes[index + 1] << 8 : 0) |
      (rest > 2 ? (uint32_t)bytes[index + 2] : 0);
    fputc(alphabet[group >> 18], file);
    fputc(alphabet[group >> 12 & 63], file);
    fputc(rest > 1 ? alphabet[group >> 6 & 63] : '=', file);
    fputc(rest > 2 ? alphabet[group & 63] : '=', file);
  }
}

long base64_decode(const char *text, size_t length, uint8_t *out) {
  long count = 0;
  if (length % 4 != 0) return -1;
  for (size_t index = 0; index < length; index += 4) {
    uint32_t group = 0;
    int digits = 0;
    for (size_t at = index; at < index + 4; at++) {
      const char *found = text[at] == 0 ? NULL : strchr(alphabet, text[at]);
      const int padding = text[at] == '=' && index + 4 == length && at > index + 1;
      if (padding ? text[length - 1] != '=' : found == NULL || digits < (int)(at - index)) return -1;
      group = group << 6 | (padding ? 0 : (uint32_t)(found - alphabet));
      if (!padding) digits++;
    }
    if (group & (digits == 2 ? 0xFFFFu : digits == 3 ? 0xFFu : 0u)) return -1;
    for (int byte = 0; byte + 1 < digits; byte++) out[count++] = (uint8_t)(group >> (16 - 8 * byte));
  }
  return count;
}
