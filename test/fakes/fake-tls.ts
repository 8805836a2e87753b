import type { TlsEngine } from '../../firmware/agent/port.ts';
import type { ServerSocket } from './fake-network.ts';

/** Records without any protection: a type, a 16-bit length, the payload. */
const HELLO = 1;
const DATA = 2;
const CLOSE_NOTIFY = 3;
const ALERT = 4;
const HEADER_BYTES = 3;
/** As much plaintext as a record of the chip takes. */
const RECORD_BYTES = 4096;

/** An error as the native engine throws it. */
export class FakeTlsError extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/** The client's engine: a state machine over bytes with the shape of the native one, that hides nothing. */
export class FakeTlsEngine implements TlsEngine {
  readonly #records = new RecordReader();
  readonly #plaintext: Uint8Array[] = [];
  #out = encodeRecord(HELLO, new Uint8Array(0));
  #isUp = false;
  #failure: string | undefined;
  #peerEnded = false;
  #isClosed = false;
  readonly #closed: () => void;

  /** @param closed called at the first `close` */
  constructor(closed: () => void) {
    this.#closed = closed;
  }

  feed(bytes: ArrayBuffer | Uint8Array): void {
    this.#check();
    for (const { type, payload } of this.#records.read(new Uint8Array(bytes))) {
      if (type === HELLO) this.#isUp = true;
      else if (type === DATA) this.#plaintext.push(payload);
      else if (type === CLOSE_NOTIFY) this.#peerEnded = true;
      else this.#failure = type === ALERT ? Buffer.from(payload).toString() : 'ERR_TLS_PROTOCOL';
    }
  }

  take(maxBytes: number): ArrayBuffer | undefined {
    this.#check();
    if (this.#out.length === 0) return undefined;
    const bytes = this.#out.slice(0, maxBytes);
    this.#out = this.#out.slice(maxBytes);
    return bytes.buffer;
  }

  handshake(): boolean {
    this.#check();
    if (this.#failure !== undefined) throw new FakeTlsError(this.#failure);
    return this.#isUp;
  }

  read(maxBytes: number): ArrayBuffer | undefined | null {
    this.#check();
    if (this.#failure !== undefined) throw new FakeTlsError(this.#failure);
    const first = this.#plaintext.shift();
    if (first === undefined) return this.#peerEnded ? null : undefined;
    if (first.length > maxBytes) this.#plaintext.unshift(first.subarray(maxBytes));
    return first.slice(0, maxBytes).buffer;
  }

  write(bytes: ArrayBuffer | Uint8Array): number {
    this.#check();
    if (this.#out.length >= RECORD_BYTES) return 0;
    const prefix = new Uint8Array(bytes).subarray(0, RECORD_BYTES);
    this.#out = join(this.#out, encodeRecord(DATA, prefix));
    return prefix.length;
  }

  end(): void {
    this.#check();
    this.#out = join(this.#out, encodeRecord(CLOSE_NOTIFY, new Uint8Array(0)));
  }

  close(): void {
    if (!this.#isClosed) this.#closed();
    this.#isClosed = true;
  }

  /** Use after close is use after free on the chip. */
  #check(): void {
    if (this.#isClosed) throw new Error('TLS engine used after close');
  }
}

/** The server's side over a socket: `onPlaintext` and `write`. */
export class FakeTlsServer {
  onOpen: () => void = () => {};
  onPlaintext: (bytes: Uint8Array) => void = () => {};
  onClose: () => void = () => {};
  /** The client said goodbye before it closed. */
  hasCloseNotify = false;
  readonly #socket: ServerSocket;
  readonly #records = new RecordReader();

  /** @param alert answers the hello with this failure; `null` with silence */
  constructor(socket: ServerSocket, alert?: string | null) {
    this.#socket = socket;
    socket.onClose = () => this.onClose();
    socket.onData = (bytes) => {
      for (const { type, payload } of this.#records.read(bytes)) {
        if (type === HELLO && alert === undefined) {
          socket.write(encodeRecord(HELLO, new Uint8Array(0)));
          this.onOpen();
        }
        else if (type === HELLO && typeof alert === 'string') socket.write(encodeRecord(ALERT, Buffer.from(alert)));
        else if (type === CLOSE_NOTIFY) this.hasCloseNotify = true;
        else if (type === DATA) this.onPlaintext(payload);
      }
    };
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += RECORD_BYTES) this.#socket.write(encodeRecord(DATA, bytes.subarray(at, at + RECORD_BYTES)));
  }

  /** close_notify, then the end of TCP. */
  close(): void {
    this.#socket.write(encodeRecord(CLOSE_NOTIFY, new Uint8Array(0)));
    this.#socket.close();
  }

  /** The end of TCP without a word. */
  drop(): void {
    this.#socket.close();
  }

  /** Bytes that are no record. */
  writeGarbage(): void {
    this.#socket.write(new Uint8Array([0xff, 0, 1, 0]));
  }
}

class RecordReader {
  #rest: Uint8Array = new Uint8Array(0);

  *read(bytes: Uint8Array): Generator<{ readonly type: number; readonly payload: Uint8Array }> {
    this.#rest = join(this.#rest, bytes);
    while (this.#rest.length >= HEADER_BYTES) {
      const [type = 0, high = 0, low = 0] = this.#rest;
      const end = HEADER_BYTES + high * 256 + low;
      if (this.#rest.length < end) return;
      const payload = this.#rest.slice(HEADER_BYTES, end);
      this.#rest = this.#rest.subarray(end);
      yield { type, payload };
    }
  }
}

function encodeRecord(type: number, payload: Uint8Array): Uint8Array {
  return join(new Uint8Array([type, payload.length >> 8, payload.length & 0xff]), payload);
}

function join(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(one.length + other.length);
  joined.set(one);
  joined.set(other, one.length);
  return joined;
}
