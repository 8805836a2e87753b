import * as limits from '../limits.ts';
import type { Port, UdpSocket } from '../port.ts';
import { encodeNtpQuery, parseNtpAnswer } from './ntp.ts';

interface Query {
  readonly host: string;
  readonly port: number;
  readonly nonce: Uint8Array;
  address: string;
  /** `undefined` while it is awaited, `null` when it failed. */
  unixMs: number | null | undefined;
}

/** Two answers further apart than this cannot both be right; the earlier one is taken, and it is said. */
const DISAGREEMENT_MS = 10_000;

export interface NtpResult {
  /** `undefined` when no server gave an answer to its query. */
  readonly unixMs: number | undefined;
  readonly disagreementMs: number;
}

/** Asks every server once and says the result once: when all have answered, or at `woke` after the time-out. */
export class NtpClient {
  readonly deadlineMs: number;
  readonly #port: Port;
  readonly #floorMs: number;
  readonly #done: (result: NtpResult) => void;
  readonly #queries: Query[];
  #socket: UdpSocket | undefined;
  #ended = false;

  constructor(port: Port, servers: readonly string[], floorMs: number, nowMs: number, done: (result: NtpResult) => void) {
    this.#port = port;
    this.#floorMs = floorMs;
    this.#done = done;
    this.deadlineMs = nowMs + limits.NTP_TIMEOUT_MS;
    this.#queries = servers.map((server) => {
      const colon = server.indexOf(':');
      const nonce = new Uint8Array(8);
      for (let i = 0; i < nonce.length; i++) nonce[i] = port.random() * 256;
      return {
        host: colon < 0 ? server : server.slice(0, colon),
        port: colon < 0 ? limits.NTP_PORT : Number(server.slice(colon + 1)),
        nonce,
        address: '',
        unixMs: undefined,
      };
    });
  }

  open(): void {
    try {
      this.#socket = this.#port.openUdp({ onReadable: (count) => this.#readable(count), onError: () => this.#end() });
    } catch {
      return this.#end();
    }
    for (const query of this.#queries) {
      try {
        this.#port.resolve(query.host, (address) => this.#resolved(query, address));
      } catch {
        this.#resolved(query, undefined);
      }
    }
  }

  woke(nowMs: number): void {
    if (nowMs >= this.deadlineMs) this.#end();
  }

  close(): void {
    this.#ended = true;
    this.#socket?.close();
    this.#socket = undefined;
  }

  #resolved(query: Query, address: string | undefined): void {
    if (this.#ended) return;
    if (address === undefined) query.unixMs = null;
    else this.#ask(query, address);
    this.#endIfAll();
  }

  #ask(query: Query, address: string): void {
    query.address = address;
    try {
      this.#socket?.write(encodeNtpQuery(query.nonce), address, query.port);
    } catch {
      query.unixMs = null;
    }
  }

  #readable(count: number): void {
    for (let i = 0; i < count && !this.#ended; i++) {
      const datagram = this.#socket?.read();
      if (datagram === undefined) break;
      const bytes = new Uint8Array(datagram);
      for (const query of this.#queries) {
        // Not from the server that was asked, or not an answer to the query: the true one may still come.
        if (query.unixMs !== undefined || query.address !== datagram.address || query.port !== datagram.port) continue;
        query.unixMs = parseNtpAnswer(bytes, query.nonce, this.#floorMs);
        if (query.unixMs !== undefined) break;
      }
    }
    this.#endIfAll();
  }

  #endIfAll(): void {
    if (this.#queries.every((query) => query.unixMs !== undefined)) this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.close();
    let earliest: number | undefined;
    let latest = 0;
    for (const { unixMs } of this.#queries) {
      if (unixMs === undefined || unixMs === null) continue;
      earliest = earliest === undefined ? unixMs : Math.min(earliest, unixMs);
      latest = Math.max(latest, unixMs);
    }
    const apartMs = earliest === undefined ? 0 : latest - earliest;
    this.#done({ unixMs: earliest, disagreementMs: apartMs > DISAGREEMENT_MS ? apartMs : 0 });
  }
}
