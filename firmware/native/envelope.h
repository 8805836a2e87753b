/*
 * The envelope of a root bundle: general JWS JSON (RFC 7515 7.2.1) of one fixed shape,
 *   {"payload":"…","signatures":[{"protected":"…","signature":"…"}, …]}
 * with exactly these members, in any order, none twice; no escapes, since base64url needs none. Nothing is copied: what is found points
 * into the bytes that were scanned. Nothing here is verified.
 */
#ifndef LATCHKEY_ENVELOPE_H
#define LATCHKEY_ENVELOPE_H

#include <stddef.h>

#define ENVELOPE_MAX_BYTES 16384u /* MAX_BUNDLE_BYTES of firmware/agent/roots/limits.ts */
#define ENVELOPE_MAX_SIGNATURES 16u

enum envelope_error { ENVELOPE_OK = 0, ENVELOPE_SIZE, ENVELOPE_FORMAT, ENVELOPE_DUPLICATE };

/* Characters between quotes. */
struct envelope_text {
  const char *start;
  size_t length;
};

struct envelope_signature {
  struct envelope_text header; /* `protected` */
  struct envelope_text signature;
};

struct envelope {
  struct envelope_text payload;
  unsigned count;
  struct envelope_signature signatures[ENVELOPE_MAX_SIGNATURES];
};

enum envelope_error envelope_scan(const char *bytes, size_t length, struct envelope *out);
/*
 * A JSON object of text members: `names` are those it must have, each once, and no other; `values` are found in their order.
 * Texts are printable ASCII without escapes.
 */
enum envelope_error envelope_scan_members(const char *bytes, size_t length, const char *const names[], struct envelope_text values[], unsigned count);

#endif
