import type { JsonObject, JsonValue } from './json-value.ts';
import { BOOLEAN_BYTES, NUMBER_BYTES } from './reported-limits.ts';

/** Of a UTF-16 unit: half a pair is two of the four bytes of its character. */
const MAX_BYTES_OF_CHARACTER = 3;
/** Bounds what is encoded at once. */
const SHORT_CHARACTERS = 256;

/** The size of reported properties as IoT Hub counts it; `null`, which deletes, is nothing. */
export function reportedSize(section: JsonObject): number {
  let byteCount = 0;
  const waiting: JsonValue[] = [section];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (typeof value !== 'object' || value === null) byteCount += scalarSize(value);
    else if (Array.isArray(value)) for (const element of value as readonly JsonValue[]) waiting.push(element);
    else {
      for (const name of Object.keys(value)) {
        byteCount += countedBytes(name);
        waiting.push((value as JsonObject)[name]!);
      }
    }
  }
  return byteCount;
}

function scalarSize(value: null | boolean | number | string): number {
  switch (typeof value) {
    case 'string':
      return countedBytes(value);
    case 'number':
      return NUMBER_BYTES;
    case 'boolean':
      return BOOLEAN_BYTES;
    default:
      return 0;
  }
}

/**
 * At least `reportedSize`, for a fifth of the work: every character of a name or string counts as the three bytes that it has at most.
 */
export function reportedSizeBound(section: JsonObject): number {
  let byteCount = 0;
  const waiting: JsonValue[] = [section];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (typeof value === 'string') byteCount += MAX_BYTES_OF_CHARACTER * value.length;
    else if (typeof value !== 'object') byteCount += NUMBER_BYTES;
    else if (value !== null) {
      // The indices of an array count, too; a bound may be too high.
      for (const name of Object.keys(value)) {
        byteCount += MAX_BYTES_OF_CHARACTER * name.length;
        waiting.push((value as JsonObject)[name]!);
      }
    }
  }
  return byteCount;
}

/** Whether the text is ASCII and half of no surrogate pair; the built-ins are far cheaper than a loop. */
function isShortAscii(text: string): boolean {
  try {
    return text.length <= SHORT_CHARACTERS && unescape(encodeURIComponent(text)) === text;
  } catch {
    return false;
  }
}

/** As `countedBytes`, or more where control characters are in it. */
export function countedBytesBound(text: string): number {
  return isShortAscii(text) ? text.length : countedBytes(text);
}

/** Bytes of UTF-8 without control characters (C0, C1); `NaN` for half of a surrogate pair. */
function countedBytes(text: string): number {
  let byteCount = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) byteCount += isControl(code) ? 0 : 1;
    else if (code < 0x800) byteCount += isControl(code) ? 0 : 2;
    else if (code < 0xd800 || code > 0xdfff) byteCount += 3;
    else {
      const low = text.charCodeAt(++i);
      if (code > 0xdbff || !(low >= 0xdc00 && low <= 0xdfff)) return NaN;
      byteCount += 4;
    }
  }
  return byteCount;
}

/** Whether the text is short and its own percent-encoding: letters, digits and `- _ . ! ~ * ' ( )` alone. */
export function isUnreserved(text: string): boolean {
  return isShortAscii(text) && encodeURIComponent(text) === text;
}

export function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (isControl(text.charCodeAt(i))) return true;
  return false;
}

/** The segments C0 and C1, with the character that deletes between them. */
function isControl(code: number): boolean {
  return code < 0x20 || (code >= 0x7f && code < 0xa0);
}
