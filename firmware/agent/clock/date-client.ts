import { Link, type LinkOwner } from '../link.ts';
import * as limits from '../limits.ts';
import type { Port } from '../port.ts';
import { dateOfHead } from './http-date.ts';

const HTTPS_PORT = 443;
/** Arguments of one call, so few that they fit every stack. */
const TEXT_PIECE_BYTES = 128;

/** One HEAD request over verified TLS for its `Date`; no token, no identity. Says the result once, `undefined` for a failure. */
export class DateClient implements LinkOwner {
  readonly deadlineMs: number;
  readonly #port: Port;
  readonly #server: string;
  readonly #done: (unixMs: number | undefined, code: string) => void;
  readonly #link: Link;
  readonly #head = new Uint8Array(limits.MAX_DATE_ANSWER_BYTES);
  #length = 0;
  #ended = false;

  constructor(port: Port, server: string, nowMs: number, done: (unixMs: number | undefined, code: string) => void) {
    const colon = server.indexOf(':');
    this.#port = port;
    this.#server = server;
    this.#done = done;
    this.deadlineMs = nowMs + limits.DATE_TIMEOUT_MS;
    const target = { host: colon < 0 ? server : server.slice(0, colon), port: colon < 0 ? HTTPS_PORT : Number(server.slice(colon + 1)), resume: false };
    this.#link = new Link(port, target, this);
  }

  open(): void {
    this.#link.open();
  }

  woke(nowMs: number): void {
    if (nowMs >= this.deadlineMs) this.#end(undefined, 'ERR_TIMEOUT');
  }

  close(): void {
    this.#ended = true;
    this.#link.close();
  }

  linkOpened(link: Link): void {
    link.send(this.#port.text.encodeUtf8(`HEAD / HTTP/1.1\r\nHost: ${this.#server}\r\nConnection: close\r\n\r\n`));
  }

  linkReceived(_link: Link, bytes: Uint8Array): void {
    if (this.#ended) return;
    if (this.#length + bytes.length > this.#head.length) return this.#end(undefined, 'ERR_PROTOCOL');
    this.#head.set(bytes, this.#length);
    this.#length += bytes.length;
    const end = this.#endOfHead();
    if (end < 0) return;
    const unixMs = dateOfHead(latin1(this.#head, end));
    this.#end(unixMs, unixMs === undefined ? 'ERR_PROTOCOL' : '');
  }

  linkWritable(): void {
    // One small request: nothing waits.
  }

  linkClosed(_link: Link, code: string): void {
    this.#end(undefined, code);
  }

  #endOfHead(): number {
    for (let i = 3; i < this.#length; i++) {
      if (this.#head[i] === 10 && this.#head[i - 1] === 13 && this.#head[i - 2] === 10 && this.#head[i - 3] === 13) return i - 3;
    }
    return -1;
  }

  #end(unixMs: number | undefined, code: string): void {
    if (this.#ended) return;
    this.close();
    this.#done(unixMs, code);
  }
}

/** In pieces: character by character each step would copy the text so far. */
function latin1(bytes: Uint8Array, length: number): string {
  let text = '';
  for (let i = 0; i < length; i += TEXT_PIECE_BYTES) {
    text += String.fromCharCode(...bytes.subarray(i, Math.min(length, i + TEXT_PIECE_BYTES)));
  }
  return text;
}
