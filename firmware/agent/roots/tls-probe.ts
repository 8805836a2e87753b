import { Link, type LinkOwner } from '../link.ts';
import { OPEN_TIMEOUT_MS } from '../limits.ts';
import type { Port } from '../port.ts';

/** A full TLS handshake with the hub and nothing more: no CONNECT, no token. Says once how it ended, `undefined` for a session that is up. */
export class TlsProbe implements LinkOwner {
  readonly deadlineMs: number;
  readonly #link: Link;
  readonly #done: (code: string | undefined) => void;
  #isEnded = false;

  constructor(port: Port, host: string, portNumber: number, nowMs: number, done: (code: string | undefined) => void) {
    this.deadlineMs = nowMs + OPEN_TIMEOUT_MS;
    this.#done = done;
    this.#link = new Link(port, { host, port: portNumber, resume: false }, this);
  }

  open(): void {
    this.#link.open();
  }

  woke(nowMs: number): void {
    if (nowMs >= this.deadlineMs) this.#end('ERR_TIMEOUT');
  }

  close(): void {
    this.#isEnded = true;
    this.#link.close();
  }

  linkOpened(): void {
    this.#end(undefined);
  }

  linkReceived(): void {
    // Nothing was asked.
  }

  linkWritable(): void {
    // Nothing is sent.
  }

  linkClosed(_link: Link, code: string): void {
    this.#end(code);
  }

  #end(code: string | undefined): void {
    if (this.#isEnded) return;
    this.close();
    this.#done(code);
  }
}
