import { LatchkeyError } from '../errors.ts';
import { emptyObject, type JsonObject, type JsonValue } from './json-value.ts';
import {
  BOOLEAN_BYTES,
  FIRST_EXPONENT,
  MAX_REPORTED_BYTES,
  MAX_REPORTED_DEPTH,
  MAX_REPORTED_INTEGER,
  MAX_REPORTED_NAME_BYTES,
  MAX_REPORTED_STRING_BYTES,
  MIN_REPORTED_INTEGER,
  NUMBER_BYTES,
} from './reported-limits.ts';
import { countedBytesBound, hasControl, isUnreserved, reportedSize } from './reported-size.ts';

export interface ReportedOptions {
  /** As IoT Hub counts; default 32 KiB, its limit. */
  readonly maxBytes?: number | undefined;
}

type Container = Record<string, JsonValue> | JsonValue[];

/** An object or array that is being copied. A list of them, not a recursion: the stack of the chip is small. */
interface Level {
  readonly source: Readonly<Record<string, unknown>>;
  readonly target: Container;
  /** Of an object. */
  readonly names: readonly string[] | undefined;
  readonly length: number;
  at: number;
}

/**
 * A copy of what an application wants reported, in which later changes of the original do not show. Members that are `undefined`
 * are left out; `null` deletes a property.
 * @throws ERR_REPORTED for what IoT Hub would refuse or JSON cannot say
 */
export function copyReported(patch: unknown, { maxBytes = MAX_REPORTED_BYTES }: ReportedOptions = {}): JsonObject {
  if (!isPlainObject(patch)) throw refused([], 'is no object', 'report an object of properties');
  const levels: Level[] = [levelOf(patch, emptyObject())];
  let byteCount = 0;
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    if (level.at === level.length) {
      levels.pop();
      if (levels.length === 0) return level.target as JsonObject;
      continue;
    }
    const name = nameAt(level, level.at++);
    const value = level.source[name];
    if (level.names !== undefined) {
      if (value === undefined) continue;
      byteCount += checkName(name, levels);
    }
    if (typeof value === 'object' && value !== null) {
      if (levels.length > MAX_REPORTED_DEPTH) throw refused(levels, `is deeper than ${MAX_REPORTED_DEPTH} levels`, 'report less nested values');
      if (!isPlainObject(value) && !Array.isArray(value)) throw refused(levels, 'is no plain object', 'report its fields or a string');
      const inner = levelOf(value as Readonly<Record<string, unknown>>, Array.isArray(value) ? [] : emptyObject());
      put(level.target, name, inner.target as JsonValue);
      levels.push(inner);
    } else {
      byteCount += checkScalar(value, levels);
      put(level.target, name, value as JsonValue);
    }
    if (byteCount > maxBytes) byteCount = reportedSize(levels[0]!.target as JsonObject);
    if (byteCount > maxBytes) throw refused(levels, `takes the report above ${maxBytes} bytes`, 'report less at once');
  }
  throw new TypeError('unreachable');
}

function levelOf(source: Readonly<Record<string, unknown>>, target: Container): Level {
  const names = Array.isArray(source) ? undefined : Object.keys(source);
  return { source, target, names, length: names === undefined ? (source['length'] as number) : names.length, at: 0 };
}

function nameAt({ names }: Level, at: number): string {
  return names === undefined ? String(at) : names[at]!;
}

function put(target: Container, name: string, value: JsonValue): void {
  if (Array.isArray(target)) target.push(value);
  else target[name] = value;
}

/** Returns the bytes that count, or more where control characters do not. @throws ERR_REPORTED */
function checkName(name: string, levels: readonly Level[]): number {
  if (name === '__proto__') throw refused(levels, 'has a reserved name', 'rename it');
  const isPlain = isUnreserved(name);
  // The documents leave "#" out; the service itself refuses it.
  if (name.includes('.') || (!isPlain && (name.includes('$') || name.includes('#') || name.includes(' ')))) throw refused(levels, 'has "$", ".", "#" or a space in its name', 'rename it');
  if (isPlain) return name.length;
  const byteCount = countedBytesBound(name);
  if (hasControl(name)) throw refused(levels, 'has a control character in its name', 'rename it');
  if (byteCount <= MAX_REPORTED_NAME_BYTES) return byteCount;
  throw refused(levels, Number.isNaN(byteCount) ? 'has half of a surrogate pair in its name' : `has a name above ${MAX_REPORTED_NAME_BYTES} bytes`, 'rename it');
}

/** As `checkName`. @throws ERR_REPORTED */
function checkScalar(value: unknown, levels: readonly Level[]): number {
  if (value === null) return 0;
  if (typeof value === 'boolean') return BOOLEAN_BYTES;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw refused(levels, `is ${value}, which JSON cannot say`, 'report null or a string');
    const isOut = value < MIN_REPORTED_INTEGER || value > MAX_REPORTED_INTEGER;
    if (isOut && Number.isInteger(value) && Math.abs(value) < FIRST_EXPONENT) throw refused(levels, 'is an integer beyond 52 bits', 'report a string');
    return NUMBER_BYTES;
  }
  if (typeof value === 'string') {
    const byteCount = countedBytesBound(value);
    if (byteCount <= MAX_REPORTED_STRING_BYTES) return byteCount;
    if (Number.isNaN(byteCount)) throw refused(levels, 'holds half of a surrogate pair', 'report bytes as base64');
    throw refused(levels, `is a string above ${MAX_REPORTED_STRING_BYTES} bytes`, 'report it in parts or send it as telemetry');
  }
  throw refused(levels, `is of type ${typeof value}`, 'report a value of JSON');
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Names are said, values are not. */
function refused(levels: readonly Level[], what: string, remedy: string): LatchkeyError {
  const path = levels.map((level) => nameAt(level, level.at - 1)).join('.');
  const shown = path.length > 100 ? `${path.slice(0, 100)}…` : path;
  return new LatchkeyError('ERR_REPORTED', `reported properties: ${shown === '' ? 'the patch' : JSON.stringify(shown)} ${what}; ${remedy}`);
}
