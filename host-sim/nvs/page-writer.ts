import { ENTRIES_OFFSET, ENTRIES_PER_PAGE, ENTRY_BYTES, ENTRY_STATE, FORMAT_VERSION, HEADER, headerCrc, PAGE_BYTES, PAGE_STATE, STATES_OFFSET } from './format.ts';
import { encryptEntry, type NvsKeys } from './nvs-keys.ts';

/** One page of an image that is written from its first entry to its last. */
export class PageWriter {
  readonly bytes: Buffer;
  readonly #address: number;
  readonly #keys: NvsKeys | undefined;
  #usedEntries = 0;

  /** @param sequence which page of the partition; also its sequence number */
  constructor(bytes: Buffer, sequence: number, keys: NvsKeys | undefined) {
    this.bytes = bytes.fill(0xff);
    this.#address = sequence * PAGE_BYTES;
    this.#keys = keys;
    bytes.writeUInt32LE(PAGE_STATE.active, HEADER.state);
    bytes.writeUInt32LE(sequence, HEADER.sequence);
    bytes.writeUInt8(FORMAT_VERSION, HEADER.version);
    bytes.writeUInt32LE(headerCrc(bytes), HEADER.crc);
  }

  get freeEntries(): number {
    return ENTRIES_PER_PAGE - this.#usedEntries;
  }

  markFull(): void {
    this.bytes.writeUInt32LE(PAGE_STATE.full, HEADER.state);
  }

  /** Appends an item and its data, padded to whole entries with 0xFF; they must fit. */
  append(item: Uint8Array, data: Uint8Array = new Uint8Array(0)): void {
    const dataEntries = Math.ceil(data.length / ENTRY_BYTES);
    if (1 + dataEntries > this.freeEntries) throw new RangeError('no room on this page');
    this.#appendEntry(item);
    for (let i = 0; i < dataEntries; i++) this.#appendEntry(data.subarray(i * ENTRY_BYTES, (i + 1) * ENTRY_BYTES));
  }

  #appendEntry(content: Uint8Array): void {
    const index = this.#usedEntries++;
    const offset = ENTRIES_OFFSET + index * ENTRY_BYTES;
    const entry = this.bytes.subarray(offset, offset + ENTRY_BYTES);
    entry.set(content);
    if (this.#keys !== undefined) encryptEntry(this.#keys, entry, this.#address + offset);
    const stateOffset = STATES_OFFSET + (index >> 2);
    const shift = (index & 3) * 2;
    this.bytes.writeUInt8(this.bytes.readUInt8(stateOffset) & ~((ENTRY_STATE.empty ^ ENTRY_STATE.written) << shift), stateOffset);
  }
}
