import { createHash } from 'node:crypto';
import type { DurableRecord } from './durable.ts';

/**
 * The first line of a state file. Behind it every line is a record: 16 hexadecimal digits of the SHA-256 of the rest, a
 * space, and JSON: `["twin/dev1",{…}]`, or `["twin/dev1"]` for one that is gone.
 */
export const HEADER = '{"format":"latchkey-hub-state","version":2}\n';

const CHECKSUM_DIGITS = 16;
const NEWLINE = 0x0a;

export function formatLine(key: string, value: unknown): string {
  const json = value === undefined ? JSON.stringify([key]) : JSON.stringify([key, value]);
  return `${checksum(json)} ${json}\n`;
}

export interface ParsedLines {
  /** The last value of every record that is there, in the order in which they first came. */
  readonly records: ReadonlyMap<string, unknown>;
  /** Up to the end of the last line that is whole. */
  readonly wholeBytes: number;
  readonly lines: number;
  /** Where a line is broken although a whole one follows it, counted from 1 with the header: no kill does this. */
  readonly brokenLine: number | undefined;
}

/** @param bytes everything behind the header */
export function parseLines(bytes: Uint8Array): ParsedLines {
  const records = new Map<string, unknown>();
  let wholeBytes = 0;
  let lines = 0;
  let firstBroken: number | undefined;
  for (let start = 0, number = 2; start < bytes.length; number += 1) {
    const end = bytes.indexOf(NEWLINE, start);
    if (end < 0) break;
    const record = parseLine(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString());
    start = end + 1;
    if (record === undefined) {
      firstBroken ??= number;
      continue;
    }
    if (firstBroken !== undefined) return { records, wholeBytes, lines, brokenLine: firstBroken };
    const [key, value] = record;
    if (value === undefined) records.delete(key);
    else records.set(key, value);
    wholeBytes = start;
    lines += 1;
  }
  return { records, wholeBytes, lines, brokenLine: undefined };
}

function parseLine(line: string): DurableRecord | undefined {
  const json = line.slice(CHECKSUM_DIGITS + 1);
  if (line[CHECKSUM_DIGITS] !== ' ' || line.slice(0, CHECKSUM_DIGITS) !== checksum(json)) return undefined;
  const [key, value] = JSON.parse(json) as [string, unknown];
  return [key, value];
}

function checksum(json: string): string {
  return createHash('sha256').update(json).digest('hex').slice(0, CHECKSUM_DIGITS);
}
