import type { TLSSocket } from 'node:tls';

import { RELEASE_TIME_MS } from '../../../firmware/agent/release.ts';

/** Seconds from 1900 to 1970. */
const NTP_TO_UNIX_SECONDS = 2_208_988_800;
const STRATUM_AT = 1;
const ORIGINATE_AT = 24;
const TRANSMIT_AT = 40;
const DAY_MS = 24 * 3600 * 1000;
/** A time is believed within the floor, which is the release time on a new board, and ten years after it. */
const BEFORE_FLOOR_MS = RELEASE_TIME_MS - DAY_MS;
const BEYOND_HORIZON_MS = RELEASE_TIME_MS + 3653 * DAY_MS + DAY_MS;

/** What becomes of a right answer; `undefined`: none is sent. */
export type NtpLie = (answer: Uint8Array) => Uint8Array | undefined;

export interface NtpCase {
  readonly name: string;
  readonly lie: NtpLie;
  readonly says: Readonly<Record<string, unknown>>;
}

const SILENT = { code: 'ERR_NTP_SILENT', detail: 2 };
const OUT_OF_RANGE = { code: 'ERR_NTP_RANGE', detail: 0 };

function withByte(at: number, change: (byte: number) => number): NtpLie {
  return (answer) => answer.with(at, change(answer[at] ?? 0));
}

function withTime(unixMs: number): NtpLie {
  return (answer) => {
    const lying = Uint8Array.from(answer);
    new DataView(lying.buffer).setUint32(TRANSMIT_AT, Math.floor(unixMs / 1000) + NTP_TO_UNIX_SECONDS);
    return lying;
  };
}

/** Each differs from the right answer in one thing. @see RFC 5905, 7.3 and 7.4 */
export const NTP_CASES: readonly NtpCase[] = [
  { name: 'no answer', lie: () => undefined, says: SILENT },
  { name: 'a time before the floor', lie: withTime(BEFORE_FLOOR_MS), says: OUT_OF_RANGE },
  { name: 'a time more than ten years after the floor', lie: withTime(BEYOND_HORIZON_MS), says: OUT_OF_RANGE },
  { name: 'no time', lie: (answer) => answer.map((byte, at) => (at >= TRANSMIT_AT ? 0 : byte)), says: SILENT },
  { name: 'an answer to another query', lie: withByte(ORIGINATE_AT + 7, (byte) => byte ^ 1), says: SILENT },
  { name: "a kiss-o'-death", lie: withByte(STRATUM_AT, () => 0), says: SILENT },
  { name: 'a server that is not synchronised', lie: withByte(0, (byte) => byte | 0xc0), says: SILENT },
  { name: 'a stratum of 16', lie: withByte(STRATUM_AT, () => 16), says: SILENT },
  { name: 'a query in place of an answer', lie: withByte(0, (byte) => (byte & ~7) | 3), says: SILENT },
  { name: 'an answer that is cut short', lie: (answer) => answer.subarray(0, answer.length - 1), says: SILENT },
];

export interface DateCase {
  readonly name: string;
  /** Answers the request. */
  readonly lie: (socket: TLSSocket) => void;
  readonly code: string;
  /** Whose certificate the server shows; default the right one. */
  readonly certificate?: 'of another name' | 'of another root';
}

export const dateHead = (...fields: readonly string[]): string => ['HTTP/1.1 200 OK', ...fields, '', ''].join('\r\n');
const dateAt = (unixMs: number): string => `Date: ${new Date(unixMs).toUTCString()}`;
const GOOD_MS = RELEASE_TIME_MS + 90 * DAY_MS;

export const DATE_CASES: readonly DateCase[] = [
  { name: 'a date before the floor', lie: (socket) => void socket.end(dateHead(dateAt(BEFORE_FLOOR_MS))), code: 'ERR_DATE_RANGE' },
  { name: 'a date more than ten years after the floor', lie: (socket) => void socket.end(dateHead(dateAt(BEYOND_HORIZON_MS))), code: 'ERR_DATE_RANGE' },
  { name: 'no date', lie: (socket) => void socket.end(dateHead()), code: 'ERR_PROTOCOL' },
  { name: 'a date in another form', lie: (socket) => void socket.end(dateHead(`Date: ${new Date(GOOD_MS).toISOString()}`)), code: 'ERR_PROTOCOL' },
  { name: 'two dates', lie: (socket) => void socket.end(dateHead(dateAt(GOOD_MS), dateAt(GOOD_MS + 1000))), code: 'ERR_PROTOCOL' },
  { name: 'no HTTP', lie: (socket) => void socket.end(dateHead(dateAt(GOOD_MS)).replace('HTTP/1.1', 'ICY')), code: 'ERR_PROTOCOL' },
  { name: 'an endless head', lie: (socket) => void socket.write(`HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(20_000)}`), code: 'ERR_PROTOCOL' },
  { name: 'silence', lie: () => {}, code: 'ERR_TIMEOUT' },
  { name: 'an end without an answer', lie: (socket) => void socket.end(), code: 'ERR_LINK_ENDED' },
  { name: "another name's certificate", lie: (socket) => void socket.end(dateHead(dateAt(GOOD_MS))), certificate: 'of another name', code: 'ERR_TLS_HOSTNAME' },
  { name: "another root's certificate", lie: (socket) => void socket.end(dateHead(dateAt(GOOD_MS))), certificate: 'of another root', code: 'ERR_TLS_UNTRUSTED_ISSUER' },
];
