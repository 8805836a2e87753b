#include "resource.h"

#include <string.h>

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

static bool is_printable(char c) {
  return c > ' ' && c <= '~';
}

bool resource_decode(const char *encoded, char *out, size_t capacity) {
  size_t length = 0;
  for (const char *p = encoded; *p != '\0'; p++) {
    char c = *p;
    if (!is_printable(c)) return false;
    if (c == '%') {
      const int high = hex_value(p[1]);
      const int low = high < 0 ? -1 : hex_value(p[2]);
      if (low < 0) return false;
      c = (char)(high * 16 + low);
      if (!is_printable(c)) return false;
      p += 2;
    }
    if (length + 1 >= capacity) return false;
    if (c == '/' && (length == 0 || out[length - 1] == '/')) return false;
    out[length++] = c;
  }
  if (length == 0 || out[length - 1] == '/') return false;
  out[length] = '\0';
  return true;
}

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool resource_is_within(const char *resource, const char *prefix) {
  const size_t length = strlen(prefix);
  bool in_host = true;
  if (length == 0) return false;
  for (size_t i = 0; i < length; i++) {
    if (prefix[i] == '/') in_host = false;
    const bool same = in_host ? lower(resource[i]) == lower(prefix[i]) : resource[i] == prefix[i];
    if (!same) return false; /* the end of `resource` too: NUL is no byte of the prefix */
  }
  return resource[length] == '\0' || resource[length] == '/';
}
