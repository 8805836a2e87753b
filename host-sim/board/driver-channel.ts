import type { Duplex } from 'node:stream';

import { decodeFrame, encodeFrame, isBoardFrame, LENGTH_BYTES, MAX_FRAME_BYTES } from './driver-frames.ts';
import type { BoardFrame, HostFrame } from './driver-frames.ts';

export type { BoardFrame, DriverFrame, HostFrame } from './driver-frames.ts';

/** The host's end of the stream between a driven board and its driver. */
export class DriverChannel {
  /** Called for every frame, in order. Set it before the first `send`. */
  onFrame: (frame: BoardFrame) => void = () => {};
  /** Called once when the board is gone, or when it sent what is no frame. */
  onClose: (error?: Error) => void = () => {};

  readonly #stream: Duplex;
  #waiting: Buffer = Buffer.alloc(0);
  #closed = false;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on('data', (bytes: Buffer) => this.#receive(bytes));
    stream.on('error', (error) => this.#finish(error));
    stream.on('close', () => this.#finish());
    stream.on('end', () => this.#finish());
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Sends one frame; frames for a board that is gone are dropped. */
  send(frame: HostFrame): void {
    if (!this.#closed) this.#stream.write(encodeFrame(frame));
  }

  /** Ends the stream: the board takes it as a request to stop. */
  close(): void {
    this.#stream.end();
  }

  #receive(bytes: Buffer): void {
    this.#waiting = this.#waiting.length === 0 ? bytes : Buffer.concat([this.#waiting, bytes]);
    try {
      for (let body = this.#next(); body !== undefined && !this.#closed; body = this.#next()) {
        const frame = decodeFrame(body);
        if (!isBoardFrame(frame)) throw new RangeError(`driver frame "${frame.type}" is not the board's to send`);
        this.onFrame(frame);
      }
    } catch (error) {
      this.#stream.destroy();
      this.#finish(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Type and payload of the next whole frame. */
  #next(): Buffer | undefined {
    if (this.#waiting.length < LENGTH_BYTES) return undefined;
    const length = this.#waiting.readUInt32LE(0);
    if (length < 1 || length > MAX_FRAME_BYTES) throw new RangeError(`driver frame of ${length} bytes`);
    if (this.#waiting.length < LENGTH_BYTES + length) return undefined;
    const body = this.#waiting.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
    this.#waiting = this.#waiting.subarray(LENGTH_BYTES + length);
    return body;
  }

  #finish(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.onClose(error);
  }
}
