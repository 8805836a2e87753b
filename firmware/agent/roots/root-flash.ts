/** NOR flash as the ECMA-419 flash module gives it, opened on the partition of durable data. */
export interface RootFlash {
  status(): { readonly blocks: number; readonly blockLength: number };
  eraseBlock(start: number, end?: number): void;
  read(byteLength: number, byteOffset: number): ArrayBuffer;
  /** Whole units of 16 bytes, each once between two erases. */
  write(bytes: ArrayBuffer | Uint8Array, byteOffset: number): void;
}

/** What lies where in the partition; the clock's floor has the last two blocks (floor-store.ts). */
export const SLOTS = 3;
export const BLOCKS_PER_SLOT = 4;
export const LOG_FIRST_BLOCK = SLOTS * BLOCKS_PER_SLOT;
