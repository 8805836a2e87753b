import { ServiceError } from '../service-error.ts';
import { createJsonObject, isJsonObject, type JsonObject, type JsonValue } from './json.ts';
import {
  BOOLEAN_BYTES, FIRST_WITH_EXPONENT, KEY_BYTES, MAX_DEPTH, MAX_INTEGER, MIN_INTEGER, NUMBER_BYTES, PART_BYTES, STRING_BYTES, TEXT_FACTOR,
} from './limits.ts';

export type TwinPartName = keyof typeof PART_BYTES;

/** Controls C0 and C1 with DEL, and the characters that IoT Hub's own error text lists (the documents leave `#` out). */
const NOT_IN_KEYS = /[\u0000-\u001f\u007f-\u009f.$# ]/;
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g;

/** How much of a name stands in an error. */
const SHOWN_CHARACTERS = 64;

/** What the hub itself writes into a document: a client that sends back what it read does not mean to set it. */
const READ_ONLY = new Set(['$metadata', '$version']);

/**
 * Takes a patch or a whole document that somebody wrote.
 * @param readOnly what happens to `$metadata` and `$version` at the top: a service may send them back, a device may not
 * @throws ServiceError 400004
 */
export function checkProperties(value: unknown, part: TwinPartName, readOnly: 'ignored' | 'refused'): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${part} must be a JSON object.`);
  return checkObject(value, 0, readOnly === 'ignored');
}

function checkObject(value: object, depth: number, dropsReadOnly: boolean): JsonObject {
  if (depth > MAX_DEPTH) throw invalid(`Nested depth of the properties exceeds ${MAX_DEPTH}.`);
  const checked = createJsonObject();
  for (const [name, item] of Object.entries(value)) {
    if (dropsReadOnly && READ_ONLY.has(name)) continue;
    checkKey(name);
    checked[name] = checkValue(item, name, depth + 1);
  }
  return checked;
}

function checkKey(name: string): void {
  if (NOT_IN_KEYS.test(name)) {
    throw invalid(`Property or Tag name has invalid characters. Error in Property/Tag ${show(name)}. Must not contain Control Characters, '.', '$', '#', or ' '.`);
  }
  if (Buffer.byteLength(name) > KEY_BYTES) throw invalid(`The length of property name ${show(name)} exceeds ${KEY_BYTES} bytes.`);
}

function checkValue(value: unknown, name: string, depth: number): JsonValue {
  switch (typeof value) {
    case 'string':
      if (Buffer.byteLength(value) > STRING_BYTES) throw invalid(`The value of property ${show(name)} exceeds ${STRING_BYTES} bytes.`);
      return value;
    case 'number':
      checkNumber(value, name);
      return value;
    case 'boolean':
      return value;
    case 'object':
      if (value === null) return null;
      if (!Array.isArray(value)) return checkObject(value, depth, false);
      if (depth > MAX_DEPTH) throw invalid(`Nested depth of the properties exceeds ${MAX_DEPTH}.`);
      return value.map((item) => checkValue(item, name, depth + 1));
    default:
      throw invalid(`The value of property ${show(name)} is no JSON.`);
  }
}

function checkNumber(value: number, name: string): void {
  if (!Number.isFinite(value)) throw invalid(`The value of property ${show(name)} is no JSON number.`);
  if (!Number.isInteger(value) || Math.abs(value) >= FIRST_WITH_EXPONENT) return;
  if (value < MIN_INTEGER || value > MAX_INTEGER) throw invalid(`The value of property ${show(name)} must lie between ${MIN_INTEGER} and ${MAX_INTEGER}.`);
}

/** @throws ServiceError 413001 when the document of `part` is larger than IoT Hub lets it be */
export function checkSize(document: JsonObject, part: TwinPartName): void {
  const limit = PART_BYTES[part];
  const bytes = measureProperties(document);
  if (bytes > limit) throw tooLarge(`The ${part} of the twin would take ${bytes} bytes; at most ${limit} are allowed.`);
  if (JSON.stringify(document).length > limit * TEXT_FACTOR) throw tooLarge(`The ${part} of the twin would take more than ${limit * TEXT_FACTOR} characters of JSON.`);
}

/**
 * The size as IoT Hub measures it: names and text in UTF-8 without control characters, 8 for a number, 4 for a boolean.
 * @see https://learn.microsoft.com/azure/iot-hub/iot-hub-devguide-device-twins#device-twin-size
 */
export function measureProperties(document: JsonObject): number {
  let bytes = 0;
  for (const name of Object.keys(document)) bytes += measureText(name) + measureValue(document[name] as JsonValue);
  return bytes;
}

function measureValue(value: JsonValue): number {
  if (typeof value === 'string') return measureText(value);
  if (typeof value === 'number') return NUMBER_BYTES;
  // `null` stands in arrays only; the documents give it no size.
  if (typeof value === 'boolean' || value === null) return BOOLEAN_BYTES;
  if (isJsonObject(value)) return measureProperties(value);
  let bytes = 0;
  for (const item of value) bytes += measureValue(item);
  return bytes;
}

function measureText(text: string): number {
  const bytes = Buffer.byteLength(text);
  if (!CONTROL.test(text)) return bytes;
  return bytes - Buffer.byteLength((text.match(CONTROLS) ?? []).join(''));
}

function show(name: string): string {
  const shown = name.replace(CONTROLS, '?');
  return shown.length > SHOWN_CHARACTERS ? `${shown.slice(0, SHOWN_CHARACTERS)}…` : shown;
}

function invalid(message: string): ServiceError {
  return new ServiceError(400, 400_004, 'ArgumentInvalid', message);
}

function tooLarge(message: string): ServiceError {
  return new ServiceError(413, 413_001, 'MessageTooLarge', message);
}
