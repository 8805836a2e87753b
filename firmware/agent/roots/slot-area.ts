import { equalBytes } from './bundle.ts';
import { BLOCKS_PER_SLOT, type RootFlash } from './root-flash.ts';
import { UNIT_BYTES } from './root-records.ts';

/** Flash is compared in pieces, so that no second copy of a bundle is needed. */
const PIECE_BYTES = 512;

/** Bytes in the slots of flash: what lies where, what is erased, and whether flash has taken what was written. */
export class SlotArea {
  readonly #flash: RootFlash;
  readonly blockLength: number;

  constructor(flash: RootFlash) {
    this.#flash = flash;
    this.blockLength = flash.status().blockLength;
  }

  read(slot: number, byteLength: number): Uint8Array {
    return new Uint8Array(this.#flash.read(byteLength, this.#offsetOf(slot)));
  }

  /** Whether `bytes` lie at `at` of a slot. */
  holds(bytes: Uint8Array, slot: number, at = 0): boolean {
    const offset = this.#offsetOf(slot) + at;
    for (let from = 0; from < bytes.length; from += PIECE_BYTES) {
      const piece = bytes.subarray(from, from + PIECE_BYTES);
      if (!equalBytes(new Uint8Array(this.#flash.read(piece.length, offset + from)), piece)) return false;
    }
    return true;
  }

  /** Whether `byteLength` bytes can be written at `at` of a slot. */
  isErased(slot: number, at: number, byteLength: number): boolean {
    const offset = this.#offsetOf(slot);
    const end = at + Math.ceil(byteLength / UNIT_BYTES) * UNIT_BYTES;
    for (let from = at; from < end; from += PIECE_BYTES) {
      const bytes = new Uint8Array(this.#flash.read(Math.min(PIECE_BYTES, end - from), offset + from));
      for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0xff) return false;
    }
    return true;
  }

  /** Whole units; what follows the last byte is left as erased flash reads. */
  write(bytes: Uint8Array, slot: number, at = 0): void {
    const offset = this.#offsetOf(slot) + at;
    const whole = bytes.length - (bytes.length % UNIT_BYTES);
    if (whole > 0) this.#flash.write(bytes.subarray(0, whole), offset);
    if (whole === bytes.length) return;
    const rest = new Uint8Array(UNIT_BYTES).fill(0xff);
    rest.set(bytes.subarray(whole));
    this.#flash.write(rest, offset + whole);
  }

  /** @param blocks counted from the slot's first */
  erase(slot: number, blocks: readonly number[]): void {
    for (const block of blocks) this.#flash.eraseBlock(slot * BLOCKS_PER_SLOT + block);
  }

  #offsetOf(slot: number): number {
    return slot * BLOCKS_PER_SLOT * this.blockLength;
  }
}
