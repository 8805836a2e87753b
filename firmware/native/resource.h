/* Resources of SAS tokens: `{host}/devices/{id}` and the like. */
#ifndef LATCHKEY_RESOURCE_H
#define LATCHKEY_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Undoes the percent-encoding once. False when it is malformed: a `%` without two hex digits, a byte outside printable ASCII
 * before or after, an empty segment, or no room.
 */
bool resource_decode(const char *encoded, char *out, size_t capacity);
/*
 * Whether `prefix` covers `resource`, both decoded: by segment (`a/b` covers `a/b` and `a/b/c`, not `a/bc`); the host, which is the first
 * segment, without case, the rest with case.
 */
bool resource_is_within(const char *resource, const char *prefix);

#endif
