import { findText } from './find-text.ts';
import { MAX_STRING_CHARACTERS } from './limits.ts';
import type { Json } from './syntax.ts';

type Value = Json | undefined;

export interface QueryFunction {
  readonly name: string;
  /** Fewest and most. */
  readonly parameters: readonly [number, number];
  /** A parameter of the wrong type gives `undefined`, as everywhere in the language. */
  apply(parameters: readonly Value[]): Value;
}

/** Of CONCAT: more than any person writes. */
const MAX_CONCATENATED = 64;

/** @returns `undefined` when there is none; names are read without case, and STARTSWITH as STARTS_WITH */
export function findFunction(name: string): QueryFunction | undefined {
  return FUNCTIONS.get(name.toUpperCase());
}

const isObject = (value: Value): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);
const isPrimitive = (value: Value): boolean => value === null || ['string', 'number', 'boolean'].includes(typeof value);

/** The documented functions: IS_DEFINED for twins, the others for routes, which share the language. */
const FUNCTIONS: ReadonlyMap<string, QueryFunction> = new Map(
  [
    ofAny('IS_DEFINED', (value) => value !== undefined),
    ofAny('IS_NULL', (value) => value === null),
    ofAny('IS_BOOL', (value) => typeof value === 'boolean'),
    ofAny('IS_NUMBER', (value) => typeof value === 'number'),
    ofAny('IS_STRING', (value) => typeof value === 'string'),
    ofAny('IS_ARRAY', (value) => Array.isArray(value)),
    ofAny('IS_OBJECT', isObject),
    ofAny('IS_PRIMITIVE', isPrimitive),
    ofAny('AS_NUMBER', asNumber),
    ofNumber('ABS', Math.abs),
    ofNumber('EXP', Math.exp),
    ofNumber('SQUARE', (value) => value * value),
    ofNumber('CEILING', Math.ceil),
    ofNumber('FLOOR', Math.floor),
    ofNumber('SIGN', Math.sign),
    ofNumber('SQRT', Math.sqrt),
    define('POWER', [2, 2], ([base, exponent]) =>
      typeof base === 'number' && typeof exponent === 'number' ? finite(base ** exponent) : undefined,
    ),
    ofString('LENGTH', (text) => text.length),
    ofString('LOWER', (text) => text.toLowerCase()),
    ofString('UPPER', (text) => text.toUpperCase()),
    define('CONCAT', [2, MAX_CONCATENATED], concat),
    define('SUBSTRING', [2, 3], substring),
    ofStrings('INDEX_OF', (text, fragment) => findText(text, fragment)),
    ofStrings('STARTS_WITH', (text, start) => text.startsWith(start)),
    ofStrings('STARTSWITH', (text, start) => text.startsWith(start)),
    ofStrings('ENDS_WITH', (text, end) => text.endsWith(end)),
    ofStrings('ENDSWITH', (text, end) => text.endsWith(end)),
    ofStrings('CONTAINS', (text, fragment) => findText(text, fragment) !== -1),
  ].map((entry) => [entry.name, entry]),
);

function define(name: string, parameters: readonly [number, number], apply: QueryFunction['apply']): QueryFunction {
  return { name, parameters, apply };
}

function ofAny(name: string, apply: (value: Value) => Value): QueryFunction {
  return define(name, [1, 1], ([value]) => apply(value));
}

function ofNumber(name: string, apply: (value: number) => number): QueryFunction {
  return define(name, [1, 1], ([value]) => (typeof value === 'number' ? finite(apply(value)) : undefined));
}

function ofString(name: string, apply: (text: string) => Value): QueryFunction {
  return define(name, [1, 1], ([text]) => (typeof text === 'string' ? apply(text) : undefined));
}

function ofStrings(name: string, apply: (text: string, other: string) => Value): QueryFunction {
  return define(name, [2, 2], ([text, other]) => (typeof text === 'string' && typeof other === 'string' ? apply(text, other) : undefined));
}

/** JSON has neither infinities nor NaN. */
export function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}

function asNumber(value: Value): Value {
  if (typeof value === 'number') return value;
  // Number('') is 0.
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  return finite(Number(value));
}

function concat(parameters: readonly Value[]): Value {
  let text = '';
  for (const part of parameters) {
    if (typeof part !== 'string' || text.length + part.length > MAX_STRING_CHARACTERS) return undefined;
    text += part;
  }
  return text;
}

function substring([text, start, length]: readonly Value[]): Value {
  if (typeof text !== 'string' || typeof start !== 'number' || start < 0) return undefined;
  if (length === undefined) return text.slice(start);
  return typeof length === 'number' && length >= 0 ? text.slice(start, start + length) : undefined;
}
