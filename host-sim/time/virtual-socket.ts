import { Duplex } from 'node:stream';
import type { LinkConnection, LinkEnd } from './link.ts';

/** The server's end of a connection over a virtual network, as a stream: what a `net.Socket` is to a server in real time. */
export class VirtualSocket extends Duplex {
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** To be handed to `Link.connect`. */
  readonly linkEnd: LinkEnd;
  readonly #moved: () => void;
  #connection: LinkConnection | undefined;

  /** @param moved called whenever bytes or ends go through, either way */
  constructor(peer: { readonly address: string; readonly port: number }, moved: () => void) {
    super({ allowHalfOpen: false });
    this.remoteAddress = peer.address;
    this.remotePort = peer.port;
    this.#moved = moved;
    this.linkEnd = {
      data: (bytes) => this.#receive(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
      end: () => this.#receive(null),
      reset: () => {
        moved();
        this.destroy(Object.assign(new Error('the connection was reset'), { code: 'ECONNRESET' }));
      },
    };
  }

  attach(connection: LinkConnection): void {
    this.#connection = connection;
  }

  /** As of `net.Socket`; servers call them, they change nothing here. */
  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.#moved();
    this.#connection?.dataFromServer(chunk);
    callback();
  }

  override _final(callback: () => void): void {
    this.#moved();
    this.#connection?.endFromServer();
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#moved();
    this.#connection?.endFromServer();
    callback(error);
  }

  #receive(bytes: Buffer | null): void {
    this.#moved();
    if (!this.destroyed) this.push(bytes);
  }
}
