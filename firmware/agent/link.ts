import * as limits from './limits.ts';
import type { Port, RootUse, TcpSocket, TlsEngine } from './port.ts';

export interface LinkTarget {
  readonly host: string;
  readonly port: number;
  /** Offer a cached TLS session. */
  readonly resume: boolean;
  /** Whose roots are trusted; default the hub's. */
  readonly purpose?: RootUse | undefined;
}

export interface LinkOwner {
  /** TLS is up. */
  linkOpened(link: Link): void;
  /** Plaintext; the bytes are the owner's from now on. */
  linkReceived(link: Link, bytes: Uint8Array): void;
  /** There is room for `send` again. */
  linkWritable(link: Link): void;
  /** Ended, by the peer or by a failure; said once, never after `close()`. */
  linkClosed(link: Link, code: string): void;
}

/**
 * One TLS connection: name, TCP, TLS, then plaintext both ways. It has no timer: who opens it bounds its time.
 * Holds at most one unsent packet; `canSend` says when there is room.
 */
export class Link {
  readonly #port: Port;
  readonly #owner: LinkOwner;
  readonly #target: LinkTarget;
  #tcp: TcpSocket | undefined;
  #tls: TlsEngine | undefined;
  #open = false;
  #closed = false;
  /** What TCP takes now. */
  #room = 0;
  /** The rest of a packet that TLS did not take whole. */
  #rest: Uint8Array | undefined;
  /** TLS may hold ciphertext that TCP had no room for. */
  #backlog = false;

  constructor(port: Port, target: LinkTarget, owner: LinkOwner) {
    this.#port = port;
    this.#owner = owner;
    this.#target = target;
  }

  /** Starts; what happens is said to the owner, possibly before this returns. */
  open(): void {
    try {
      this.#port.resolve(this.#target.host, (address) => this.#resolved(address));
    } catch (error) {
      this.#fail(error);
    }
  }

  get canSend(): boolean {
    return this.#open && this.#rest === undefined && !this.#backlog;
  }

  /** Sends one packet, all of it; call only while `canSend`. The bytes must not change until the next `linkWritable`. */
  send(bytes: Uint8Array): void {
    if (!this.#open) return;
    try {
      this.#push(bytes);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Says close_notify if TLS is up, and closes. */
  close(): void {
    if (this.#closed) return;
    if (this.#open && this.#tls !== undefined) {
      try {
        this.#tls.end();
        this.#flush();
      } catch {
        // The peer has gone before its close_notify: nothing is lost by it.
      }
    }
    this.#release();
  }

  #resolved(address: string | undefined): void {
    if (this.#closed) return;
    if (address === undefined) return this.#finish('ERR_DNS');
    try {
      this.#tcp = this.#port.openTcp({
        address,
        port: this.#target.port,
        onReadable: (byteCount) => this.#readable(byteCount),
        onWritable: (byteCount) => this.#writable(byteCount),
        onError: () => this.#finish(this.#open ? 'ERR_LINK_LOST' : this.#tls === undefined ? 'ERR_TCP' : 'ERR_TLS_CLOSED'),
      });
    } catch (error) {
      this.#fail(error);
    }
  }

  #writable(byteCount: number): void {
    if (this.#closed) return;
    this.#room = byteCount;
    try {
      if (this.#tls === undefined) {
        const { host, resume, purpose } = this.#target;
        this.#tls = this.#port.openTls({ host, roots: this.#port.roots(purpose), resume });
        this.#advance();
        return;
      }
      this.#flush();
      const rest = this.#rest;
      if (rest !== undefined && !this.#backlog) {
        this.#rest = undefined;
        this.#push(rest);
      }
    } catch (error) {
      return this.#fail(error);
    }
    if (this.canSend) this.#owner.linkWritable(this);
  }

  #readable(byteCount: number): void {
    let left = byteCount;
    try {
      while (left > 0 && !this.#closed) {
        const bytes = this.#tcp?.read(Math.min(left, limits.READ_PIECE_BYTES));
        if (bytes === undefined) return;
        left -= bytes.byteLength;
        if (this.#tls === undefined) return this.#finish('ERR_TLS_PROTOCOL');
        this.#tls.feed(bytes);
        if (this.#open) this.#deliver();
        else this.#advance();
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #advance(): void {
    const up = this.#tls?.handshake() === true;
    this.#flush();
    if (!up) return;
    this.#open = true;
    this.#owner.linkOpened(this);
    this.#deliver();
  }

  #deliver(): void {
    while (!this.#closed && this.#tls !== undefined) {
      const bytes = this.#tls.read(limits.READ_PIECE_BYTES);
      if (bytes === undefined) break;
      if (bytes === null) return this.#finish('ERR_LINK_ENDED');
      this.#owner.linkReceived(this, new Uint8Array(bytes));
    }
    // TLS answers some records (alerts, tickets, key updates) by itself.
    if (!this.#closed) this.#flush();
  }

  /** TLS takes a record's worth at a time; what is left when TCP has no more room waits. */
  #push(bytes: Uint8Array): void {
    let rest = bytes;
    for (;;) {
      const taken = this.#tls?.write(rest) ?? 0;
      this.#flush();
      if (taken === rest.length) return;
      rest = rest.subarray(taken);
      if (taken > 0 && !this.#backlog) continue;
      this.#rest = rest;
      return;
    }
  }

  /** Moves ciphertext from TLS to TCP as far as TCP has room. */
  #flush(): void {
    const tcp = this.#tcp;
    const tls = this.#tls;
    if (tcp === undefined || tls === undefined) return;
    while (this.#room > 0) {
      const bytes = tls.take(this.#room);
      if (bytes === undefined) {
        this.#backlog = false;
        return;
      }
      this.#room = tcp.write(bytes);
    }
    this.#backlog = true;
  }

  #fail(error: unknown): void {
    if (this.#closed) return;
    try {
      // The alert that says why.
      this.#flush();
    } catch {
      // The socket has gone too.
    }
    const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'ERR_LINK';
    this.#finish(code);
  }

  #finish(code: string): void {
    if (this.#closed) return;
    this.#release();
    this.#owner.linkClosed(this, code);
  }

  #release(): void {
    this.#closed = true;
    this.#open = false;
    this.#rest = undefined;
    this.#tls?.close();
    this.#tls = undefined;
    this.#tcp?.close();
    this.#tcp = undefined;
  }
}
