import type { FloorFlash } from '../../firmware/agent/clock/floor-store.ts';

const ERASED = 0xff;
/** Programmed once between two erases, as flash with ECC or encryption wants it. */
const UNIT_BYTES = 16;

/** The power went: nothing after this happens. */
export class PowerCut extends Error {}

/**
 * NOR flash: erased to ones, programmed to zeros, in units that are each written once. A cut write leaves a random
 * subset of its bits, a cut erase a half-erased block.
 */
export class NorFlash implements FloorFlash {
  readonly blocks: number;
  readonly blockLength: number;
  readonly #cells: Uint8Array;
  /** Writes of a unit and erases of a block so far. */
  operations = 0;
  /** The power goes at this operation, counted from 1; 0: never. */
  cutAt = 0;
  /** Nothing of the operation was done, some of it, or all. */
  cutMoment: 'before' | 'inside' | 'after' = 'inside';
  random: () => number = Math.random;

  constructor(blocks: number, blockLength: number, cells?: Uint8Array) {
    this.blocks = blocks;
    this.blockLength = blockLength;
    this.#cells = cells ?? new Uint8Array(blocks * blockLength).fill(ERASED);
  }

  /** The same cells after a restart; what is done to one is not done to the other. */
  clone(): NorFlash {
    return new NorFlash(this.blocks, this.blockLength, this.#cells.slice());
  }

  status(): { readonly size: number; readonly blocks: number; readonly blockLength: number } {
    return { size: this.#cells.length, blocks: this.blocks, blockLength: this.blockLength };
  }

  eraseBlock(start: number, end = start + 1): void {
    for (let block = start; block < end; block++) {
      const cells = this.#cells.subarray(block * this.blockLength, (block + 1) * this.blockLength);
      if (!this.#isCut()) {
        cells.fill(ERASED);
        continue;
      }
      for (let i = 0; i < cells.length; i++) cells[i] = (cells[i] ?? 0) | this.#cutByte();
      throw new PowerCut();
    }
  }

  read(byteLength: number, byteOffset: number): ArrayBuffer {
    if (byteOffset < 0 || byteOffset + byteLength > this.#cells.length) throw new RangeError(`read of ${byteLength} bytes at ${byteOffset}`);
    return this.#cells.slice(byteOffset, byteOffset + byteLength).buffer as ArrayBuffer;
  }

  write(bytes: ArrayBuffer | Uint8Array, byteOffset: number): void {
    const source = new Uint8Array(bytes);
    if (byteOffset % UNIT_BYTES !== 0 || source.length % UNIT_BYTES !== 0) throw new RangeError(`write of ${source.length} bytes at ${byteOffset}`);
    for (let at = 0; at < source.length; at += UNIT_BYTES) {
      const start = byteOffset + at;
      for (let i = start; i < start + UNIT_BYTES; i++) {
        if (this.#cells[i] !== ERASED) throw new Error(`the unit at ${start} is written a second time`);
      }
      const isCut = this.#isCut();
      for (let i = 0; i < UNIT_BYTES; i++) this.#cells[start + i] = (source[at + i] ?? 0) | (isCut ? ERASED ^ this.#cutByte() : 0);
      if (isCut) throw new PowerCut();
    }
  }

  #isCut(): boolean {
    this.operations += 1;
    return this.operations === this.cutAt;
  }

  /** The bits that were done. */
  #cutByte(): number {
    return this.cutMoment === 'inside' ? this.#randomByte() : this.cutMoment === 'after' ? ERASED : 0;
  }

  /** Now and then all or none of the bits, which chance alone would hardly give. */
  #randomByte(): number {
    const kind = this.random();
    return kind < 0.2 ? 0 : kind < 0.4 ? ERASED : Math.floor(this.random() * 256);
  }
}
