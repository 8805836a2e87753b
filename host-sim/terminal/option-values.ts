import { InvalidArgumentError, Option } from 'commander';
import { formatDuration, parseDurationMs } from './duration.ts';

/** Parsers for commander's options: text in, value out, a usage error (exit code 2) when it is not one. */

const MAX_PORT = 65_535;

/** A duration in milliseconds, within `minMs` and `maxMs`. */
export function durationMs(minMs: number, maxMs: number): (text: string) => number {
  return (text) => {
    const value = attempt(() => parseDurationMs(text));
    if (value < minMs || value > maxMs) {
      throw new InvalidArgumentError(`expected ${formatDuration(minMs)} to ${formatDuration(maxMs)}, got ${text}.`);
    }
    return value;
  };
}

/** A duration in seconds, whole ones, within `minSeconds` and `maxSeconds`. */
export function wholeSeconds(minSeconds: number, maxSeconds: number): (text: string) => number {
  const parse = durationMs(minSeconds * 1000, maxSeconds * 1000);
  return (text) => {
    const value = parse(text) / 1000;
    if (!Number.isInteger(value)) throw new InvalidArgumentError(`expected whole seconds, got ${text}.`);
    return value;
  };
}

/** An option with a duration whose default is shown as it would be typed. */
export function durationOption(flags: string, description: string, parse: (text: string) => number, defaultText: string): Option {
  return new Option(flags, description).argParser(parse).default(parse(defaultText), defaultText);
}

/** A date such as `1970-01-01` or `2026-11-22T12:00:00Z`, in milliseconds since 1970. */
export function dateMs(text: string): number {
  const value = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?Z)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(value)) throw new InvalidArgumentError(`expected a date such as 1970-01-01 or 2026-11-22T12:00:00Z, got "${text}".`);
  return value;
}

/** A whole number, within `min` and `max`. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}, got "${text}".`);
    return value;
  };
}

/** A port; 0 takes any free one. */
export const port = wholeNumber(0, MAX_PORT);

/** Collects an option that may be repeated. */
export function repeated<T>(parse: (text: string) => T): (text: string, earlier: readonly T[] | undefined) => readonly T[] {
  return (text, earlier) => [...(earlier ?? []), parse(text)];
}

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** `host` or `host:port`. */
export function hostAndPort(defaultPort: number): (text: string) => HostAndPort {
  return (text) => {
    const match = /^([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::(\d{1,5}))?$/.exec(text);
    if (match === null) throw new InvalidArgumentError(`expected HOST or HOST:PORT, got "${text}".`);
    const [, host = '', portText] = match;
    return { host, port: portText === undefined ? defaultPort : wholeNumber(1, MAX_PORT)(portText) };
  };
}

function attempt<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new InvalidArgumentError(text.endsWith('?') ? text : `${text}.`);
  }
}
