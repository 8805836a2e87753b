import { crc32 } from '../crc32.ts';

/** NOR flash as the ECMA-419 flash module gives it. */
export interface FloorFlash {
  status(): { readonly blocks: number; readonly blockLength: number };
  eraseBlock(start: number, end?: number): void;
  read(byteLength: number, byteOffset: number): ArrayBuffer;
  write(bytes: ArrayBuffer | Uint8Array, byteOffset: number): void;
}

/** `LKFL`, little-endian. */
const MAGIC = 0x4c464b4c;
const RECORD_BYTES = 16;
/** The store is the last two blocks of the partition. */
const STORE_BLOCKS = 2;

/**
 * The clock's floor in flash: records of 16 bytes (magic, sequence, seconds, CRC-32), each written once, in two blocks
 * that take turns. A power cut in a write or an erase leaves the floor before it. At one write a day a block lasts 8 months.
 */
export class FloorStore {
  readonly #flash: FloorFlash;
  readonly #firstBlock: number;
  readonly #blockLength: number;

  constructor(flash: FloorFlash) {
    const { blocks, blockLength } = flash.status();
    this.#flash = flash;
    this.#firstBlock = blocks - STORE_BLOCKS;
    this.#blockLength = blockLength;
  }

  /** Milliseconds since 1970; 0 when none was saved. */
  read(): number {
    return this.#newest().seconds * 1000;
  }

  /** Saves whole seconds; an earlier time than the saved one is ignored. */
  save(unixMs: number): void {
    const newest = this.#newest();
    const seconds = Math.floor(unixMs / 1000);
    if (seconds <= newest.seconds) return;
    const perBlock = this.#blockLength / RECORD_BYTES;
    let slot = newest.slot + 1;
    while (slot % perBlock !== 0 && !this.#isErased(slot)) slot += 1;
    slot %= perBlock * STORE_BLOCKS;
    if (slot % perBlock === 0) this.#flash.eraseBlock(this.#firstBlock + slot / perBlock);
    const record = new Uint8Array(RECORD_BYTES);
    const view = new DataView(record.buffer);
    view.setUint32(0, MAGIC, true);
    view.setUint32(4, newest.sequence + 1, true);
    view.setUint32(8, seconds, true);
    view.setUint32(12, crc32(record, 12), true);
    this.#flash.write(record, this.#offsetOf(slot));
  }

  #newest(): { readonly slot: number; readonly sequence: number; readonly seconds: number } {
    let newest = { slot: -1, sequence: 0, seconds: 0 };
    const slots = (this.#blockLength / RECORD_BYTES) * STORE_BLOCKS;
    for (let slot = 0; slot < slots; slot++) {
      const record = new Uint8Array(this.#flash.read(RECORD_BYTES, this.#offsetOf(slot)));
      const view = new DataView(record.buffer);
      if (view.getUint32(0, true) !== MAGIC || view.getUint32(12, true) !== crc32(record, 12)) continue;
      const sequence = view.getUint32(4, true);
      if (sequence > newest.sequence) newest = { slot, sequence, seconds: view.getUint32(8, true) };
    }
    return newest;
  }

  /** A record cut in the middle of its write may not be written again. */
  #isErased(slot: number): boolean {
    return new Uint8Array(this.#flash.read(RECORD_BYTES, this.#offsetOf(slot))).every((byte) => byte === 0xff);
  }

  #offsetOf(slot: number): number {
    return this.#firstBlock * this.#blockLength + slot * RECORD_BYTES;
  }
}
