import { LatchkeyError } from '../errors.ts';
import { DEFAULT_MAX_INBOUND } from '../limits.ts';
import { checkFirstByte, checkRemainingLength, FixedHeader, PUBLISH } from './fixed-header.ts';
import { type LargePublish, LargePublishReader } from './large-publish.ts';

export type { LargePublish };

/** Packets with one byte of remaining length, 129 bytes at most, always fit. */
export const MIN_MAX_INBOUND = 256;

export interface FramerOptions {
  /** Largest packet held whole, fixed header included. Default 8 KiB. */
  readonly maxInboundBytes?: number | undefined;
  /** @throws ERR_PROTOCOL for ill-formed UTF-8 */
  readonly decodeUtf8: (bytes: Uint8Array) => string;
  /** Whether the payload of this PUBLISH above the limit is wanted in pieces. Without it none is. */
  readonly claims?: ((publish: LargePublish) => boolean) | undefined;
}

export type Frame =
  /** One whole packet. The bytes are the receiver's: the framer does not touch them again. */
  | { readonly kind: 'packet'; readonly bytes: Uint8Array }
  /** A PUBLISH above the limit that was not claimed, once its last byte has passed. */
  | { readonly kind: 'oversize'; readonly publish: LargePublish }
  /** A claimed PUBLISH: any number of pieces and one end follow before any other frame. */
  | { readonly kind: 'large-begun'; readonly publish: LargePublish }
  /** The next part of its payload, never empty: a view of the chunk that was fed. */
  | { readonly kind: 'large-piece'; readonly bytes: Uint8Array }
  | { readonly kind: 'large-ended'; readonly publish: LargePublish };

/**
 * Cuts what a connection delivers into packets: `feed` a chunk, then call `next` until it gives `undefined`.
 *
 * A packet that lies whole in a chunk is a view of it; any other is collected in an array of exactly its size.
 * Nothing above `maxInboundBytes` is ever held: a larger PUBLISH passes by and is reported, or handed on in pieces;
 * any other larger packet is refused, and so is, at its first byte, a packet that a server never sends.
 */
export class Framer {
  readonly #maxInboundBytes: number;
  readonly #decodeUtf8: (bytes: Uint8Array) => string;
  readonly #claims: ((publish: LargePublish) => boolean) | undefined;
  readonly #header = new FixedHeader();

  #chunk: Uint8Array | undefined;
  #at = 0;
  /** The packet being collected. */
  #held: Uint8Array | undefined;
  #heldLength = 0;
  #large: LargePublishReader | undefined;
  #begun = false;
  #failure: unknown;

  /** @throws RangeError for a limit that no packet fits in. */
  constructor(options: FramerOptions) {
    const limit = options.maxInboundBytes ?? DEFAULT_MAX_INBOUND;
    if (!Number.isInteger(limit) || limit < MIN_MAX_INBOUND) {
      throw new RangeError(`maxInboundBytes: expected an integer of at least ${MIN_MAX_INBOUND}, got ${limit}`);
    }
    this.#maxInboundBytes = limit;
    this.#decodeUtf8 = options.decodeUtf8;
    this.#claims = options.claims;
  }

  /**
   * Takes the next bytes of the connection. They become the framer's, and with the frames the receiver's.
   * @throws TypeError while the chunk before is not used up.
   */
  feed(chunk: Uint8Array): void {
    if (this.#chunk !== undefined) throw new TypeError('feed: call next() until it gives undefined first');
    this.#chunk = chunk;
    this.#at = 0;
  }

  /**
   * The next frame; `undefined` when more bytes are needed.
   * @throws ERR_PROTOCOL, again at every later call: the connection must be closed.
   */
  next(): Frame | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#chunk === undefined) return undefined;
    try {
      const frame = this.#advance(this.#chunk);
      if (frame === undefined) this.#chunk = undefined;
      return frame;
    } catch (error) {
      this.#failure = error;
      this.#chunk = this.#held = this.#large = undefined;
      throw error;
    }
  }

  #advance(chunk: Uint8Array): Frame | undefined {
    for (;;) {
      if (this.#large !== undefined) return this.#advanceLarge(chunk, this.#large);
      if (this.#held !== undefined) return this.#collect(chunk, this.#held);
      if (this.#header.length === 0) {
        const frame = this.#cutShort(chunk, this.#at);
        if (frame !== undefined) return frame;
      }
      this.#at = this.#header.read(chunk, this.#at);
      if (!this.#header.complete) return undefined;
      const frame = this.#begin(chunk);
      if (frame !== undefined) return frame;
    }
  }

  /** Most packets: with one byte of remaining length, and whole in the chunk. */
  #cutShort(chunk: Uint8Array, start: number): Frame | undefined {
    const remaining = chunk[start + 1];
    if (remaining === undefined || remaining > 0x7f || start + 2 + remaining > chunk.length) return undefined;
    const firstByte = chunk[start]!;
    checkFirstByte(firstByte);
    checkRemainingLength(firstByte >> 4, remaining);
    return this.#cut(chunk, start, start + 2 + remaining);
  }

  #cut(chunk: Uint8Array, start: number, end: number): Frame {
    this.#at = end;
    if (end === chunk.length) this.#chunk = undefined;
    return { kind: 'packet', bytes: chunk.subarray(start, end) };
  }

  /** The packet if it lies in the chunk; else makes ready for the rest of it. */
  #begin(chunk: Uint8Array): Frame | undefined {
    const header = this.#header;
    const byteCount = header.length + header.remaining;
    if (byteCount > this.#maxInboundBytes) {
      if (header.type !== PUBLISH) {
        throw new LatchkeyError('ERR_PROTOCOL', `a packet of type ${header.type} has ${byteCount} bytes, limit ${this.#maxInboundBytes}`);
      }
      this.#large = new LargePublishReader(header, this.#decodeUtf8);
      return undefined;
    }
    const start = this.#at - header.length;
    const end = this.#at + header.remaining;
    if (start >= 0 && end <= chunk.length) {
      header.reset();
      return this.#cut(chunk, start, end);
    }
    this.#held = new Uint8Array(byteCount);
    this.#held.set(header.bytes.subarray(0, header.length));
    this.#heldLength = header.length;
    return undefined;
  }

  #collect(chunk: Uint8Array, held: Uint8Array): Frame | undefined {
    const piece = chunk.subarray(this.#at, this.#at + held.length - this.#heldLength);
    held.set(piece, this.#heldLength);
    this.#at += piece.length;
    this.#heldLength += piece.length;
    if (this.#heldLength < held.length) return undefined;
    this.#held = undefined;
    this.#header.reset();
    return { kind: 'packet', bytes: held };
  }

  #advanceLarge(chunk: Uint8Array, large: LargePublishReader): Frame | undefined {
    if (large.publish === undefined) {
      this.#at = large.readHeader(chunk, this.#at);
      if (large.publish === undefined) return undefined;
      this.#begun = this.#claims?.(large.publish) ?? false;
      if (this.#begun) return { kind: 'large-begun', publish: large.publish };
    }
    const publish: LargePublish = large.publish;
    const piece = large.readPiece(chunk, this.#at);
    this.#at += piece.length;
    if (this.#begun && piece.length > 0) return { kind: 'large-piece', bytes: piece };
    if (large.remaining > 0) return undefined;
    this.#large = undefined;
    this.#header.reset();
    return { kind: this.#begun ? 'large-ended' : 'oversize', publish };
  }
}
