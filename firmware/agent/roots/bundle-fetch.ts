import type { Port, TcpSocket } from '../port.ts';
import { MAX_BUNDLE_BYTES } from './root-limits.ts';
import { HTTP_PORT, type BundlePlace } from './root-place.ts';

export type FetchResult =
  | { readonly ok: true; readonly bytes: Uint8Array }
  /** `ERR_FETCH_NOT_FOUND` (404), `ERR_FETCH_STATUS`, `ERR_FETCH_SIZE`, `ERR_FETCH_FORMAT`, `ERR_TIMEOUT`, `ERR_DNS`, `ERR_TCP`. */
  | { readonly ok: false; readonly code: string };

const MAX_HEAD_BYTES = 2048;
const READ_BYTES = 1024;
export const FETCH_TIMEOUT_MS = 30_000;

/**
 * One plain HTTP GET: HTTP/1.0, so that nothing comes in chunks; no identity, no redirect, a bounded answer with its length said before.
 * The result is said once. What comes is believed for its signatures alone.
 */
export class BundleFetch {
  readonly deadlineMs: number;
  readonly #port: Port;
  readonly #place: BundlePlace;
  readonly #done: (result: FetchResult) => void;
  #tcp: TcpSocket | undefined;
  #isSent = false;
  #isEnded = false;
  #head: Uint8Array | undefined = new Uint8Array(MAX_HEAD_BYTES);
  #headLength = 0;
  #body: Uint8Array | undefined;
  #bodyLength = 0;

  constructor(port: Port, place: BundlePlace, nowMs: number, done: (result: FetchResult) => void) {
    this.#port = port;
    this.#place = place;
    this.#done = done;
    this.deadlineMs = nowMs + FETCH_TIMEOUT_MS;
  }

  open(): void {
    this.#guarded(() => this.#port.resolve(this.#place.host, (address) => this.#resolved(address)));
  }

  woke(nowMs: number): void {
    if (nowMs >= this.deadlineMs) this.#fail('ERR_TIMEOUT');
  }

  /** Says nothing. */
  close(): void {
    this.#isEnded = true;
    this.#tcp?.close();
    this.#tcp = undefined;
    this.#head = undefined;
    this.#body = undefined;
  }

  #resolved(address: string | undefined): void {
    if (this.#isEnded) return;
    if (address === undefined) return this.#fail('ERR_DNS');
    this.#guarded(() => {
      this.#tcp = this.#port.openTcp({
        address,
        port: this.#place.port,
        onReadable: (byteCount) => this.#guarded(() => this.#readable(byteCount)),
        onWritable: (byteCount) => this.#guarded(() => this.#writable(byteCount)),
        onError: () => this.#closed(),
      });
    });
  }

  #writable(byteCount: number): void {
    if (this.#isSent || this.#tcp === undefined) return;
    const { host, port, path } = this.#place;
    const name = port === HTTP_PORT ? host : `${host}:${port}`;
    const request = this.#port.text.encodeUtf8(`GET ${path} HTTP/1.0\r\nHost: ${name}\r\nAccept: application/json\r\nConnection: close\r\n\r\n`);
    // Below 1 KB: a socket that has just connected takes it whole.
    if (byteCount < request.length) return;
    this.#isSent = true;
    this.#tcp.write(request);
  }

  #readable(byteCount: number): void {
    for (let left = byteCount; left > 0 && this.#tcp !== undefined; ) {
      const buffer = this.#tcp.read(Math.min(left, READ_BYTES));
      if (buffer === undefined || buffer.byteLength === 0) return;
      left -= buffer.byteLength;
      const bytes = new Uint8Array(buffer);
      if (this.#body === undefined) this.#takeHead(bytes);
      else this.#takeBody(bytes);
    }
  }

  #takeHead(bytes: Uint8Array): void {
    const head = this.#head;
    if (head === undefined) return;
    for (let i = 0; i < bytes.length; i++) {
      if (this.#headLength === MAX_HEAD_BYTES) return this.#fail('ERR_FETCH_FORMAT');
      head[this.#headLength] = bytes[i] ?? 0;
      this.#headLength += 1;
      if (!endsHead(head, this.#headLength)) continue;
      this.#head = undefined;
      const size = this.#sizeOf(head.subarray(0, this.#headLength));
      if (size === undefined) return;
      this.#body = new Uint8Array(size);
      return this.#takeBody(bytes.subarray(i + 1));
    }
  }

  /** The length of the body; `undefined` when there is none to take, which is said. */
  #sizeOf(head: Uint8Array): number | undefined {
    let text = '';
    for (let i = 0; i < head.length; i++) text += String.fromCharCode(head[i] ?? 0);
    const lines = text.split('\r\n');
    const status = lines[0] ?? '';
    const isHttp = status.startsWith('HTTP/1.') && status.charAt(8) === ' ';
    const code = status.slice(9, 12);
    if (!isHttp || code !== '200') {
      this.#fail(!isHttp ? 'ERR_FETCH_FORMAT' : code === '404' ? 'ERR_FETCH_NOT_FOUND' : 'ERR_FETCH_STATUS');
      return undefined;
    }
    let size: number | undefined;
    for (const line of lines) {
      if (line.slice(0, 18).toLowerCase() === 'transfer-encoding:') size = NaN;
      if (line.slice(0, 15).toLowerCase() !== 'content-length:') continue;
      const length = line.slice(15).trim();
      // Digits alone: no sign, exponent or hexadecimal.
      size = size === undefined && String(Number(length)) === length ? Number(length) : NaN;
    }
    if (size !== undefined && Number.isInteger(size) && size > 0 && size <= MAX_BUNDLE_BYTES) return size;
    this.#fail(size !== undefined && size > MAX_BUNDLE_BYTES ? 'ERR_FETCH_SIZE' : 'ERR_FETCH_FORMAT');
    return undefined;
  }

  #takeBody(bytes: Uint8Array): void {
    const body = this.#body;
    if (body === undefined) return;
    if (this.#bodyLength + bytes.length > body.length) return this.#fail('ERR_FETCH_FORMAT');
    body.set(bytes, this.#bodyLength);
    this.#bodyLength += bytes.length;
    if (this.#bodyLength === body.length) this.#finish({ ok: true, bytes: body });
  }

  #closed(): void {
    this.#fail(this.#isSent ? 'ERR_FETCH_FORMAT' : 'ERR_TCP');
  }

  #guarded(action: () => void): void {
    if (this.#isEnded) return;
    try {
      action();
    } catch {
      this.#fail('ERR_TCP');
    }
  }

  #fail(code: string): void {
    this.#finish({ ok: false, code });
  }

  #finish(result: FetchResult): void {
    if (this.#isEnded) return;
    this.close();
    this.#done(result);
  }
}

function endsHead(head: Uint8Array, length: number): boolean {
  return length >= 4 && head[length - 1] === 10 && head[length - 2] === 13 && head[length - 3] === 10 && head[length - 4] === 13;
}
