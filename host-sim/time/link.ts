import type { Clock } from './clock.ts';
import { DelayLine } from './delay-line.ts';

/** Crossings of the link before the client knows that it is connected (SYN, SYN-ACK) … */
const CLIENT_OPEN_DELAYS = 2;
/** … and before the server sees the first byte of the client: those two, and the crossing of that byte. */
const SERVER_OPEN_DELAYS = 3;

/** One side of a connection, as the link sees it. */
export interface LinkEnd {
  /** The handshake is done: after twice the delay for the client, three times for the server. */
  opened?(): void;
  data(bytes: Uint8Array): void;
  /** The other side sends no more. */
  end(): void;
  /** The connection broke; nothing more is delivered. */
  reset(): void;
}

/** One connection over the link. Its ends are called back on the link's clock, never from within a call. */
export class LinkConnection {
  readonly #toServer: DelayLine;
  readonly #toClient: DelayLine;
  readonly #client: LinkEnd;
  readonly #server: LinkEnd;
  readonly #onFinished: () => void;
  readonly #ended = { client: false, server: false };
  #endsDelivered = 0;
  #isFinished = false;

  constructor(link: Link, client: LinkEnd, server: LinkEnd, onFinished: (connection: LinkConnection) => void) {
    this.#client = client;
    this.#server = server;
    this.#onFinished = () => onFinished(this);
    this.#toServer = new DelayLine(link.clock, link.delayMs);
    this.#toClient = new DelayLine(link.clock, link.delayMs);
    this.#toServer.send(0, () => server.opened?.(), SERVER_OPEN_DELAYS * link.delayMs);
    this.#toClient.send(0, () => client.opened?.(), CLIENT_OPEN_DELAYS * link.delayMs);
  }

  /** Bytes on their way, both directions. */
  get pendingBytes(): number {
    return this.#toServer.pendingBytes + this.#toClient.pendingBytes;
  }

  /** The bytes must not change afterwards. */
  dataFromClient(bytes: Uint8Array): void {
    if (!this.#ended.client) this.#toServer.send(bytes.byteLength, () => this.#server.data(bytes));
  }

  /** The bytes must not change afterwards. */
  dataFromServer(bytes: Uint8Array): void {
    if (!this.#ended.server) this.#toClient.send(bytes.byteLength, () => this.#client.data(bytes));
  }

  /** The client sends no more. */
  endFromClient(): void {
    if (this.#ended.client) return;
    this.#ended.client = true;
    this.#toServer.send(0, () => this.#deliverEnd(this.#server));
  }

  /** The server sends no more. */
  endFromServer(): void {
    if (this.#ended.server) return;
    this.#ended.server = true;
    this.#toClient.send(0, () => this.#deliverEnd(this.#client));
  }

  /** Breaks the connection now: bytes on their way are lost, both ends are told. */
  cut(): void {
    if (this.#isFinished) return;
    this.#finish();
    this.#client.reset();
    this.#server.reset();
  }

  /** Holds what is on its way; the ends notice nothing but silence. */
  pause(): void {
    this.#toServer.pause();
    this.#toClient.pause();
  }

  resume(): void {
    this.#toServer.resume();
    this.#toClient.resume();
  }

  #deliverEnd(end: LinkEnd): void {
    end.end();
    this.#endsDelivered++;
    if (this.#endsDelivered === 2) this.#finish();
  }

  #finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#toServer.close();
    this.#toClient.close();
    this.#onFinished();
  }
}

/**
 * A link with a one-way delay between clients and servers, over real or virtual time. Bandwidth is not modelled.
 * The first bytes of a client reach the server three delays after the connection was opened, as over TCP.
 */
export class Link {
  readonly clock: Clock;
  readonly delayMs: number;
  readonly #connections = new Set<LinkConnection>();
  #isPaused = false;

  constructor(options: { readonly clock: Clock; readonly delayMs: number }) {
    if (!(options.delayMs >= 0)) throw new RangeError(`delayMs: expected 0 or more, got ${options.delayMs}`);
    this.clock = options.clock;
    this.delayMs = options.delayMs;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  connect(client: LinkEnd, server: LinkEnd): LinkConnection {
    const connection = new LinkConnection(this, client, server, (finished) => this.#connections.delete(finished));
    this.#connections.add(connection);
    if (this.#isPaused) connection.pause();
    return connection;
  }

  /** Breaks every open connection and returns how many there were. */
  cut(): number {
    const open = [...this.#connections];
    for (const connection of open) connection.cut();
    return open.length;
  }

  /** Silence on every connection, and on those that are opened meanwhile, until `resume`. */
  pause(): void {
    this.#isPaused = true;
    for (const connection of this.#connections) connection.pause();
  }

  resume(): void {
    this.#isPaused = false;
    for (const connection of this.#connections) connection.resume();
  }
}
