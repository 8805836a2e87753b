import { encodeUtf8 } from './utf8.ts';

const CONTINUES = 0x80;

/** Takes the parts of a packet that mqtt-packet writes, in order, and puts them into one array of the packet's size. */
export class MqttSink {
  #bytes: Uint8Array | undefined;
  #byteCount = 0;

  write(part: string | Uint8Array): boolean {
    const bytes = typeof part === 'string' ? encodeUtf8(part) : part;
    if (this.#bytes === undefined) {
      // The first byte; or all of a packet without content, in a constant of mqtt-packet's.
      this.#bytes = bytes;
    } else {
      if (this.#byteCount === 1) this.#begin(this.#bytes[0]!, bytes);
      this.#bytes.set(bytes, this.#byteCount);
    }
    this.#byteCount += bytes.length;
    return true;
  }

  /** How mqtt-packet says that a packet is not valid. */
  destroy(error: Error): void {
    throw new TypeError(`packet: ${error.message}`, { cause: error });
  }

  /** The packet; the caller's. */
  take(): Uint8Array {
    const bytes = this.#bytes;
    if (bytes === undefined || bytes.length !== this.#byteCount) throw new TypeError('packet: its length is not what its header says');
    return bytes.length === 2 ? new Uint8Array(bytes) : bytes;
  }

  #begin(firstByte: number, remainingLength: Uint8Array): void {
    let remaining = 0;
    for (let i = remainingLength.length - 1; i >= 0; i--) remaining = (remaining << 7) | (remainingLength[i]! & ~CONTINUES);
    this.#bytes = new Uint8Array(1 + remainingLength.length + remaining);
    this.#bytes[0] = firstByte;
  }
}
