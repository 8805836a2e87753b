import { ProtocolFault } from './protocol-fault.ts';

/** A protocol header, or the body of a frame. */
export type Piece =
  | { readonly kind: 'header'; readonly protocolId: number; readonly bytes: Buffer }
  | { readonly kind: 'frame'; readonly type: number; readonly channel: number; readonly body: Buffer; readonly bytes: Buffer };

const HEADER_BYTES = 8;
const SIZE_BYTES = 4;
const MIN_DATA_OFFSET = 2;

/**
 * Cuts a client's bytes into headers and frames, and holds no more than one of them.
 * @see http://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html#section-framing
 */
export class FrameSplitter {
  #chunks: Buffer[] = [];
  #held = 0;
  #expectsHeader = true;
  #maxFrameBytes: number;

  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes;
  }

  feed(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
  }

  /** What comes next is a header. */
  expectHeader(): void {
    this.#expectsHeader = true;
  }

  setMaxFrameBytes(maxFrameBytes: number): void {
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** @returns `undefined` while there is no whole one  @throws ProtocolFault */
  next(): Piece | undefined {
    if (this.#expectsHeader) {
      if (this.#held < HEADER_BYTES) return undefined;
      this.#expectsHeader = false;
      return readHeader(this.#take(HEADER_BYTES));
    }
    if (this.#held < SIZE_BYTES) return undefined;
    const size = this.#peekSize();
    if (size < HEADER_BYTES || size > this.#maxFrameBytes) throw new ProtocolFault('amqp:connection:framing-error', `a frame of ${size} bytes, not of 8 to ${this.#maxFrameBytes}`);
    return this.#held < size ? undefined : readFrame(this.#take(size));
  }

  #peekSize(): number {
    const [first] = this.#chunks;
    if (first === undefined || first.length < SIZE_BYTES) this.#join();
    return this.#chunks[0]?.readUInt32BE(0) ?? 0;
  }

  #take(count: number): Buffer {
    this.#join();
    const bytes = this.#chunks[0] ?? Buffer.alloc(0);
    this.#held -= count;
    this.#chunks = this.#held === 0 ? [] : [bytes.subarray(count)];
    return bytes.subarray(0, count);
  }

  #join(): void {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks, this.#held)];
  }
}

function readHeader(bytes: Buffer): Piece {
  const isAmqp1 = bytes.toString('latin1', 0, 4) === 'AMQP' && bytes[5] === 1 && bytes[6] === 0 && bytes[7] === 0;
  if (!isAmqp1) throw new ProtocolFault('amqp:connection:framing-error', 'no protocol header of AMQP 1.0');
  return { kind: 'header', protocolId: bytes.readUInt8(4), bytes };
}

function readFrame(bytes: Buffer): Piece {
  const dataOffset = bytes.readUInt8(4);
  if (dataOffset < MIN_DATA_OFFSET || dataOffset * 4 > bytes.length) throw new ProtocolFault('amqp:connection:framing-error', `a data offset of ${dataOffset}`);
  return { kind: 'frame', type: bytes.readUInt8(5), channel: bytes.readUInt16BE(6), body: bytes.subarray(dataOffset * 4), bytes };
}
