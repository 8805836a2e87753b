#include "envelope.h"

#include <stdbool.h>
#include <string.h>

struct cursor {
  const char *at;
  const char *end;
};

static void skip_space(struct cursor *cursor) {
  while (cursor->at < cursor->end && memchr(" \t\r\n", *cursor->at, 4) != NULL) cursor->at++;
}

static bool take(struct cursor *cursor, char expected) {
  skip_space(cursor);
  if (cursor->at == cursor->end || *cursor->at != expected) return false;
  cursor->at++;
  return true;
}

static bool take_text(struct cursor *cursor, struct envelope_text *text) {
  if (!take(cursor, '"')) return false;
  text->start = cursor->at;
  while (cursor->at < cursor->end && *cursor->at >= ' ' && *cursor->at <= '~' && *cursor->at != '"' && *cursor->at != '\\') cursor->at++;
  text->length = (size_t)(cursor->at - text->start);
  return cursor->at < cursor->end && *cursor->at++ == '"';
}

static bool equals(const struct envelope_text *text, const char *name) {
  return text->length == strlen(name) && memcmp(text->start, name, text->length) == 0;
}

/* The value of a member, by its place in the list of names. */
typedef enum envelope_error take_value(struct cursor *cursor, unsigned member, void *into);

static enum envelope_error take_object(struct cursor *cursor, const char *const names[], unsigned count, take_value *take_member, void *into) {
  unsigned seen = 0;
  if (!take(cursor, '{')) return ENVELOPE_FORMAT;
  for (unsigned found = 0; found < count; found++) {
    struct envelope_text name;
    unsigned member = 0;
    if (found > 0 && !take(cursor, ',')) return ENVELOPE_FORMAT;
    if (!take_text(cursor, &name)) return ENVELOPE_FORMAT;
    while (member < count && !equals(&name, names[member])) member++;
    if (member == count) return ENVELOPE_FORMAT;
    if (seen & 1u << member) return ENVELOPE_DUPLICATE;
    seen |= 1u << member;
    if (!take(cursor, ':')) return ENVELOPE_FORMAT;
    const enum envelope_error error = take_member(cursor, member, into);
    if (error != ENVELOPE_OK) return error;
  }
  if (take(cursor, '}')) return ENVELOPE_OK;
  /* All names were seen: whatever follows is one too many. */
  struct envelope_text extra;
  if (!take(cursor, ',') || !take_text(cursor, &extra)) return ENVELOPE_FORMAT;
  for (unsigned member = 0; member < count; member++) {
    if (equals(&extra, names[member])) return ENVELOPE_DUPLICATE;
  }
  return ENVELOPE_FORMAT;
}

static enum envelope_error take_text_member(struct cursor *cursor, unsigned member, void *into) {
  struct envelope_text *values = into;
  return take_text(cursor, &values[member]) ? ENVELOPE_OK : ENVELOPE_FORMAT;
}

static bool at_end(struct cursor *cursor) {
  skip_space(cursor);
  return cursor->at == cursor->end;
}

enum envelope_error envelope_scan_members(const char *bytes, size_t length, const char *const names[], struct envelope_text values[], unsigned count) {
  struct cursor cursor = {bytes, bytes + length};
  const enum envelope_error error = take_object(&cursor, names, count, take_text_member, values);
  return error != ENVELOPE_OK || at_end(&cursor) ? error : ENVELOPE_FORMAT;
}

static enum envelope_error take_signatures(struct cursor *cursor, struct envelope *out) {
  static const char *const names[] = {"protected", "signature"};
  if (!take(cursor, '[')) return ENVELOPE_FORMAT;
  do {
    struct envelope_text values[2];
    if (out->count == ENVELOPE_MAX_SIGNATURES) return ENVELOPE_SIZE;
    const enum envelope_error error = take_object(cursor, names, 2, take_text_member, values);
    if (error != ENVELOPE_OK) return error;
    out->signatures[out->count++] = (struct envelope_signature){.header = values[0], .signature = values[1]};
  } while (take(cursor, ','));
  return take(cursor, ']') ? ENVELOPE_OK : ENVELOPE_FORMAT;
}

static enum envelope_error take_envelope_member(struct cursor *cursor, unsigned member, void *into) {
  struct envelope *out = into;
  if (member == 0) return take_text(cursor, &out->payload) ? ENVELOPE_OK : ENVELOPE_FORMAT;
  return take_signatures(cursor, out);
}

enum envelope_error envelope_scan(const char *bytes, size_t length, struct envelope *out) {
  static const char *const names[] = {"payload", "signatures"};
  struct cursor cursor = {bytes, bytes + length};
  out->count = 0;
  if (length == 0 || length > ENVELOPE_MAX_BYTES) return ENVELOPE_SIZE;
  const enum envelope_error error = take_object(&cursor, names, 2, take_envelope_member, out);
  return error != ENVELOPE_OK || at_end(&cursor) ? error : ENVELOPE_FORMAT;
}
