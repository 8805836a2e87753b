import type { JsonObject, JsonValue } from './json-value.ts';
import { BOOLEAN_BYTES, NUMBER_BYTES } from './reported-limits.ts';

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

export function scalarSize(value: null | boolean | number | string): number {
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

/** Bytes of UTF-8 without control characters (C0, C1); `NaN` for half of a surrogate pair. */
export function countedBytes(text: string): number {
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

/** The segments C0 and C1, with the character that deletes between them. */
export function isControl(code: number): boolean {
  return code < 0x20 || (code >= 0x7f && code < 0xa0);
}
