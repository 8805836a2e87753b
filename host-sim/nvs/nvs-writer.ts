import {
  ENTRY_BYTES, ITEM, ITEM_TYPE, MAX_BLOB_CHUNKS, MAX_CHUNK_BYTES, MAX_NAMESPACES, MAX_NAME_BYTES, MIN_PAGES, NO_CHUNK, PAGE_BYTES,
  RESERVED_PAGES, itemCrc, nvsCrc32, type NvsEntry, type NvsValue,
} from './format.ts';
import { NvsError } from './nvs-error.ts';
import { checkKeys, type NvsKeys } from './nvs-keys.ts';
import { PageWriter } from './page-writer.ts';

/** A first chunk of a blob does not begin in less than this, unless the blob fits (`Storage::writeMultiPageBlob`). */
const MIN_FIRST_CHUNK_BYTES = MAX_CHUNK_BYTES / 10;

export interface NvsImageOptions {
  /** Of the partition; the last page of an image always stays empty. */
  readonly sizeBytes: number;
  /** Encrypts every entry; headers and entry states are plain in the format. */
  readonly keys?: NvsKeys | undefined;
}

/**
 * The bytes of an NVS partition that holds `entries`, laid out as ESP-IDF would write them one after the other into an empty one.
 * @throws ERR_NVS_NAME, ERR_NVS_VALUE, ERR_NVS_FULL, ERR_NVS_SIZE, ERR_NVS_KEYS
 */
export function encodeNvs(entries: readonly NvsEntry[], options: NvsImageOptions): Buffer {
  const writer = new NvsWriter(options);
  for (const entry of entries) writer.write(entry);
  return writer.image;
}

class NvsWriter {
  readonly image: Buffer;
  readonly #keys: NvsKeys | undefined;
  readonly #namespaces = new Map<string, number>();
  readonly #written = new Set<string>();
  #pageCount = 0;
  #page: PageWriter;

  constructor({ sizeBytes, keys }: NvsImageOptions) {
    if (sizeBytes % PAGE_BYTES !== 0 || sizeBytes < MIN_PAGES * PAGE_BYTES) {
      throw new NvsError('ERR_NVS_SIZE', `an NVS partition of ${sizeBytes} bytes`, `give it ${MIN_PAGES} or more pages of ${PAGE_BYTES} bytes in partitions.csv`);
    }
    if (keys !== undefined) checkKeys(keys);
    this.#keys = keys;
    this.image = Buffer.alloc(sizeBytes, 0xff);
    this.#page = this.#openPage();
  }

  write(entry: NvsEntry): void {
    const { namespace, key } = entry;
    checkName(namespace, `namespace "${namespace}"`);
    checkName(key, `key "${key}" of ${namespace}`);
    const place = `${namespace}/${key}`;
    if (this.#written.has(place)) throw new NvsError('ERR_NVS_NAME', `${place} is given twice`, 'give every key once');
    this.#written.add(place);
    const index = this.#namespaceIndex(namespace);
    if (entry.type === 'blob') this.#writeBlob(index, key, entry.value, place);
    else if (entry.type === 'string') this.#writeString(index, key, entry.value, place);
    else this.#writeItem(makeItem(index, ITEM_TYPE[entry.type], 1, NO_CHUNK, key, encodeNumber(entry, place)));
  }

  #namespaceIndex(namespace: string): number {
    const known = this.#namespaces.get(namespace);
    if (known !== undefined) return known;
    const index = this.#namespaces.size + 1;
    if (index > MAX_NAMESPACES) throw new NvsError('ERR_NVS_FULL', `more than ${MAX_NAMESPACES} namespaces`, 'put more keys into one namespace');
    this.#writeItem(makeItem(0, ITEM_TYPE.u8, 1, NO_CHUNK, namespace, Buffer.from([index])));
    this.#namespaces.set(namespace, index);
    return index;
  }

  #writeString(namespace: number, key: string, text: string, place: string): void {
    if (text.includes('\0')) throw new NvsError('ERR_NVS_VALUE', `${place} holds a NUL`, 'NVS ends a string there: use a blob');
    const data = Buffer.from(`${text}\0`, 'utf8');
    if (data.length > MAX_CHUNK_BYTES) throw new NvsError('ERR_NVS_VALUE', `${place} has ${data.length - 1} bytes`, `a string has ${MAX_CHUNK_BYTES - 1} at most: use a blob`);
    this.#writeItem(makeDataItem(namespace, ITEM_TYPE.string, NO_CHUNK, key, data), data);
  }

  #writeBlob(namespace: number, key: string, blob: Uint8Array, place: string): void {
    let chunkCount = 0;
    let offset = 0;
    do {
      let room = (this.#page.freeEntries - 1) * ENTRY_BYTES;
      const isCramped = room < blob.length && room < MIN_FIRST_CHUNK_BYTES;
      if (room < ENTRY_BYTES || (chunkCount === 0 && isCramped)) {
        this.#nextPage();
        room = MAX_CHUNK_BYTES;
      }
      if (chunkCount === MAX_BLOB_CHUNKS) throw new NvsError('ERR_NVS_VALUE', `${place} has ${blob.length} bytes`, `a blob has ${MAX_BLOB_CHUNKS} chunks at most`);
      const chunk = blob.subarray(offset, offset + room);
      this.#page.append(makeDataItem(namespace, ITEM_TYPE.blobData, chunkCount++, key, chunk), chunk);
      offset += chunk.length;
      if (offset < blob.length || room - chunk.length < ENTRY_BYTES) this.#nextPage();
    } while (offset < blob.length);
    const description = Buffer.alloc(8, 0xff);
    description.writeUInt32LE(blob.length, 0);
    description.writeUInt8(chunkCount, ITEM.chunkCount - ITEM.data);
    description.writeUInt8(0, ITEM.chunkStart - ITEM.data);
    this.#writeItem(makeItem(namespace, ITEM_TYPE.blobIndex, 1, NO_CHUNK, key, description));
  }

  /** What cannot be divided goes to the next page when this one has no room for all of it. */
  #writeItem(item: Uint8Array, data?: Uint8Array): void {
    if (1 + Math.ceil((data?.length ?? 0) / ENTRY_BYTES) > this.#page.freeEntries) this.#nextPage();
    this.#page.append(item, data);
  }

  #nextPage(): void {
    this.#page.markFull();
    this.#page = this.#openPage();
  }

  #openPage(): PageWriter {
    const pages = this.image.length / PAGE_BYTES;
    if (this.#pageCount + RESERVED_PAGES >= pages) {
      throw new NvsError(
        'ERR_NVS_FULL', `the values need more than the ${pages - RESERVED_PAGES} pages that an NVS partition of ${this.image.length} bytes has for them`,
        'provision fewer or smaller values (roots are the largest), or make the partition larger in partitions.csv',
      );
    }
    const start = this.#pageCount * PAGE_BYTES;
    return new PageWriter(this.image.subarray(start, start + PAGE_BYTES), this.#pageCount++, this.#keys);
  }
}

function makeItem(namespace: number, type: number, span: number, chunk: number, key: string, data: Uint8Array): Buffer {
  const item = Buffer.alloc(ENTRY_BYTES, 0xff);
  item.set([namespace, type, span, chunk]);
  item.fill(0, ITEM.key, ITEM.data);
  item.write(key, ITEM.key, 'latin1');
  item.set(data, ITEM.data);
  item.writeUInt32LE(itemCrc(item), ITEM.crc);
  return item;
}

function makeDataItem(namespace: number, type: number, chunk: number, key: string, data: Uint8Array): Buffer {
  const description = Buffer.alloc(8, 0xff);
  description.writeUInt16LE(data.length, 0);
  description.writeUInt32LE(nvsCrc32(data), ITEM.dataCrc - ITEM.data);
  return makeItem(namespace, type, 1 + Math.ceil(data.length / ENTRY_BYTES), chunk, key, description);
}

function encodeNumber(entry: Exclude<NvsValue, { type: 'string' | 'blob' }>, place: string): Buffer {
  const bits = Number(entry.type.slice(1));
  const value = BigInt(entry.value);
  const fits = entry.type.startsWith('u') ? BigInt.asUintN(bits, value) === value : BigInt.asIntN(bits, value) === value;
  if (!fits) throw new NvsError('ERR_NVS_VALUE', `${place} does not fit ${entry.type}`, 'use a wider type');
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
  return bytes.subarray(0, bits / 8);
}

function checkName(name: string, what: string): void {
  if (!/^[!-~]+$/.test(name)) throw new NvsError('ERR_NVS_NAME', `${what} is not printable ASCII`, 'use letters, digits and dashes');
  if (name.length > MAX_NAME_BYTES) throw new NvsError('ERR_NVS_NAME', `${what} has ${name.length} characters`, `NVS names have ${MAX_NAME_BYTES} at most`);
}
