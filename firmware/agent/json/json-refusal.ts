/**
 * Why JSON from the cloud was refused. A value that is returned, never thrown: bad input is no exception.
 * - `ERR_JSON_SYNTAX`: RFC 8259 is broken: structure, number, literal, escape, control character, bytes after the end.
 * - `ERR_JSON_UTF8`: bytes in a string that are no well-formed UTF-8 (RFC 3629).
 * - `ERR_JSON_SURROGATE`: an escape that is half of a surrogate pair; such text has no UTF-8 and cannot be sent on.
 * - `ERR_JSON_TRUNCATED`: the bytes ended before the value did.
 * - `ERR_JSON_DEPTH`, `ERR_JSON_MEMBERS`, `ERR_JSON_SIZE`: more levels, members and elements, or bytes than the limit.
 * - `ERR_JSON_NUMBER`: a number with more characters than the chip's `JSON.parse` takes.
 * - `ERR_JSON_NAME`: a name above the limit, or `__proto__`.
 * - `ERR_JSON_NAMES`: the names that the program may learn in its life are used up.
 * - `ERR_TWIN_FORM`: JSON, but no twin: a part is no object, or there is no `desired`.
 * - `ERR_TWIN_VERSION`: `$version` is missing or no whole number.
 */
export type JsonRefusal =
  | 'ERR_JSON_SYNTAX'
  | 'ERR_JSON_UTF8'
  | 'ERR_JSON_SURROGATE'
  | 'ERR_JSON_TRUNCATED'
  | 'ERR_JSON_DEPTH'
  | 'ERR_JSON_MEMBERS'
  | 'ERR_JSON_SIZE'
  | 'ERR_JSON_NUMBER'
  | 'ERR_JSON_NAME'
  | 'ERR_JSON_NAMES'
  | 'ERR_TWIN_FORM'
  | 'ERR_TWIN_VERSION';
