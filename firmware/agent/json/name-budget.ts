import { DEFAULT_MAX_NAMES, DEFAULT_MAX_NAMES_BYTES } from './json-limits.ts';

/** Positions in the store are 16 bits, and 0 says that a slot of the table is free. */
const MOST_BYTES = 0xffff;
const FIRST_STORE_BYTES = 256;
/** FNV-1a, 32 bits. */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
/** An array index is below 2^32 - 1: up to ten digits, compared as a number that is exact. */
const MAX_INDEX_DIGITS = 10;
const MAX_INDEX = 0xffff_fffe;

export interface NameBudgetOptions {
  /** New names that are taken in the life of the program, 1 to 32,767. Default 128. */
  readonly maxNames?: number | undefined;
  /** Their bytes and one more each, at most 65,535. Default 4 KiB. */
  readonly maxBytes?: number | undefined;
}

/**
 * The property names that the cloud has taught the program. XS never frees the name of a property, so that a sender of new names
 * would use up the memory for good: one budget serves the whole life of the program, and what has a new name beyond it is refused.
 * Names that are known go on working. Array indices ("0", "17") cost the engine no name and are free here.
 */
export class NameBudget {
  readonly #maxNames: number;
  readonly #maxBytes: number;
  /** Open addressing: where a name's length lies in the store, its bytes behind it. */
  readonly #table: Uint16Array;
  /** Grows to `maxBytes`; its first byte is not used. */
  #store = new Uint8Array(1);
  #used = 1;
  #count = 0;
  /** Slots of the table that were filled since `begin`. */
  readonly #pending: number[] = [];
  #usedBefore = 1;

  /** @throws RangeError */
  constructor(options: NameBudgetOptions = {}) {
    const { maxNames = DEFAULT_MAX_NAMES, maxBytes = DEFAULT_MAX_NAMES_BYTES } = options;
    checkRange('maxNames', maxNames, MOST_BYTES >> 1);
    checkRange('maxBytes', maxBytes, MOST_BYTES);
    this.#maxNames = maxNames;
    this.#maxBytes = maxBytes;
    let slots = 4;
    while (slots < 2 * maxNames) slots *= 2;
    this.#table = new Uint16Array(slots);
  }

  /** Names that were taken so far. */
  get count(): number {
    return this.#count;
  }

  /** A document begins: its new names count once it is accepted. */
  begin(): void {
    this.#pending.length = 0;
    this.#usedBefore = this.#used;
  }

  /** The document was refused, and with it the names since `begin`. */
  rollBack(): void {
    for (const slot of this.#pending) this.#table[slot] = 0;
    this.#count -= this.#pending.length;
    this.#used = this.#usedBefore;
    this.#pending.length = 0;
  }

  /** Whether the name, 255 bytes of UTF-8 at most, is known or was taken now. */
  admit(bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    if (length > 0xff) return false;
    const mask = this.#table.length - 1;
    let slot = hashOf(bytes, start, end) & mask;
    for (;;) {
      const place = this.#table[slot]!;
      if (place === 0) break;
      if (this.#isAt(place, bytes, start, length)) return true;
      slot = (slot + 1) & mask;
    }
    if (isArrayIndex(bytes, start, end)) return true;
    if (this.#count === this.#maxNames || this.#used + 1 + length > this.#maxBytes + 1) return false;
    this.#add(slot, bytes, start, end);
    return true;
  }

  #isAt(place: number, bytes: Uint8Array, start: number, length: number): boolean {
    const store = this.#store;
    if (store[place] !== length) return false;
    for (let i = 0; i < length; i++) if (store[place + 1 + i] !== bytes[start + i]) return false;
    return true;
  }

  #add(slot: number, bytes: Uint8Array, start: number, end: number): void {
    const place = this.#used;
    const used = place + 1 + end - start;
    if (used > this.#store.length) {
      const grown = new Uint8Array(Math.min(Math.max(2 * this.#store.length, used, FIRST_STORE_BYTES), this.#maxBytes + 1));
      grown.set(this.#store);
      this.#store = grown;
    }
    this.#store[place] = end - start;
    this.#store.set(bytes.subarray(start, end), place + 1);
    this.#used = used;
    this.#table[slot] = place;
    this.#count++;
    this.#pending.push(slot);
  }
}

function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = FNV_OFFSET;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, FNV_PRIME);
  return hash ^ (hash >>> 16);
}

/** ECMA-262, section 6.1.7: a number in its shortest form, below 2^32 - 1. */
function isArrayIndex(bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (length === 0 || length > MAX_INDEX_DIGITS || (bytes[start] === 0x30 && length > 1)) return false;
  let index = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return false;
    index = 10 * index + digit;
  }
  return index <= MAX_INDEX;
}

function checkRange(label: string, value: number, most: number): void {
  if (!Number.isInteger(value) || value < 1 || value > most) throw new RangeError(`${label}: expected 1 to ${most}, got ${value}`);
}
