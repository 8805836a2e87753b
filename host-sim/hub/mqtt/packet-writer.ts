import { EventEmitter } from 'node:events';
import { writeToStream, type Packet } from 'mqtt-packet';

// Else the codec makes 65,536 buffers at the first packet.
writeToStream.cacheNumbers = false;

/** Collects the packets that answer one chunk, so that they leave in one write and one TLS record. */
export class PacketWriter extends EventEmitter implements NodeJS.WritableStream {
  readonly writable = true;
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  add(packet: Packet): void {
    writeToStream(packet, this);
  }

  /** How much was added since the last `take`. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What was added since the last call; `undefined` when that is nothing. */
  take(): Buffer | undefined {
    if (this.#bytes === 0) return undefined;
    const bytes = Buffer.concat(this.#pieces, this.#bytes);
    this.#pieces = [];
    this.#bytes = 0;
    return bytes;
  }

  /** For the codec only. */
  write(piece: Uint8Array | string): boolean {
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    return true;
  }

  /** For the codec only: it refuses a packet of ours. */
  destroy(error?: Error): void {
    throw new TypeError('a packet that the codec refuses', { cause: error });
  }

  end(): this {
    return this;
  }
}
