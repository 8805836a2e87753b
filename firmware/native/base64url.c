#include "base64url.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#define NO_DIGIT 64u

static unsigned digit_of(char character) {
  if (character >= 'A' && character <= 'Z') return (unsigned)(character - 'A');
  if (character >= 'a' && character <= 'z') return (unsigned)(character - 'a') + 26u;
  if (character >= '0' && character <= '9') return (unsigned)(character - '0') + 52u;
  if (character == '-') return 62u;
  return character == '_' ? 63u : NO_DIGIT;
}

size_t base64url_decoded_length(size_t length) {
  return length % 4 == 1 ? SIZE_MAX : length / 4 * 3 + (length % 4 == 0 ? 0 : length % 4 - 1);
}

bool base64url_decode(const char *text, size_t length, uint8_t *out) {
  if (base64url_decoded_length(length) == SIZE_MAX) return false;
  uint32_t bits = 0;
  unsigned count = 0;
  for (size_t i = 0; i < length; i++) {
    const unsigned digit = digit_of(text[i]);
    if (digit == NO_DIGIT) return false;
    bits = bits << 6 | digit;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    *out++ = (uint8_t)(bits >> count);
  }
  return (bits & ((1u << count) - 1u)) == 0;
}

void base64url_encode(const uint8_t *bytes, size_t length, char *out) {
  uint32_t bits = 0;
  unsigned count = 0;
  for (size_t i = 0; i < length; i++) {
    bits = bits << 8 | bytes[i];
    for (count += 8; count >= 6;) {
      count -= 6;
      *out++ = alphabet[bits >> count & 63u];
    }
  }
  if (count > 0) *out++ = alphabet[bits << (6 - count) & 63u];
}
