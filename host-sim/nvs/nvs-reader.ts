import {
  ENTRIES_OFFSET, ENTRIES_PER_PAGE, ENTRY_BYTES, ENTRY_STATE, FORMAT_VERSION, HEADER, ITEM, ITEM_TYPE, PAGE_BYTES, PAGE_STATE, STATES_OFFSET,
  headerCrc, itemCrc, nvsCrc32, type NvsBigType, type NvsEntry, type NvsNumberType, type NvsValue,
} from './format.ts';
import { NvsError } from './nvs-error.ts';
import { checkKeys, decryptEntry, type NvsKeys } from './nvs-keys.ts';

interface Item {
  readonly namespace: number;
  readonly type: number;
  readonly chunk: number;
  readonly key: string;
  /** The eight bytes of the item itself. */
  readonly own: Buffer;
  /** What follows it: a string with its NUL, or a chunk. */
  readonly data: Buffer;
}

/**
 * The values of an NVS partition, in the order in which they stand there; every CRC is checked.
 * @throws ERR_NVS_DAMAGED, which wrong keys look like too, ERR_NVS_KEYS
 */
export function decodeNvs(image: Uint8Array, keys?: NvsKeys): readonly NvsEntry[] {
  if (keys !== undefined) checkKeys(keys);
  if (image.length % PAGE_BYTES !== 0) throw damaged(`${image.length} bytes are no whole number of pages`);
  const items = pagesOf(image).flatMap((page) => itemsOf(page.bytes, page.address, keys));
  const namespaces = new Map(items.filter(({ namespace }) => namespace === 0).map((item) => [item.own.readUInt8(0), item.key]));
  return items.flatMap((item) => {
    if (item.namespace === 0 || item.type === ITEM_TYPE.blobData) return [];
    const namespace = namespaces.get(item.namespace);
    if (namespace === undefined) throw damaged(`"${item.key}" is in a namespace that has no name`);
    return [{ namespace, key: item.key, ...valueOf(item, items) }];
  });
}

/** The pages that hold something, in the order in which they were begun. */
function pagesOf(image: Uint8Array): readonly { bytes: Buffer; address: number }[] {
  const pages: { bytes: Buffer; address: number; sequence: number }[] = [];
  for (let address = 0; address < image.length; address += PAGE_BYTES) {
    const bytes = Buffer.from(image.buffer, image.byteOffset + address, PAGE_BYTES);
    const state = bytes.readUInt32LE(HEADER.state);
    if (state === PAGE_STATE.empty) {
      if (bytes.some((byte) => byte !== 0xff)) throw damaged(`the page at ${hex(address)} is neither empty nor begun`);
      continue;
    }
    if (state !== PAGE_STATE.active && state !== PAGE_STATE.full && state !== PAGE_STATE.freeing) throw damaged(`the page at ${hex(address)} has an unknown state`);
    if (bytes.readUInt32LE(HEADER.crc) !== headerCrc(bytes)) throw damaged(`the header of the page at ${hex(address)} has a wrong CRC`);
    if (bytes.readUInt8(HEADER.version) !== FORMAT_VERSION) throw damaged(`the page at ${hex(address)} is of another version of the format`);
    pages.push({ bytes, address, sequence: bytes.readUInt32LE(HEADER.sequence) });
  }
  return pages.sort((a, b) => a.sequence - b.sequence);
}

function itemsOf(page: Buffer, pageAddress: number, keys: NvsKeys | undefined): readonly Item[] {
  const read = (index: number): Buffer => {
    const offset = ENTRIES_OFFSET + index * ENTRY_BYTES;
    const entry = page.subarray(offset, offset + ENTRY_BYTES);
    return keys === undefined ? entry : Buffer.from(decryptEntry(keys, entry, pageAddress + offset));
  };
  const items: Item[] = [];
  for (let index = 0; index < ENTRIES_PER_PAGE; index++) {
    const state = stateOf(page, index);
    if (state === ENTRY_STATE.empty || state === ENTRY_STATE.erased) continue;
    const place = `entry ${index} of the page at ${hex(pageAddress)}`;
    if (state !== ENTRY_STATE.written) throw damaged(`${place} has an impossible state`);
    const bytes = read(index);
    if (bytes.readUInt32LE(ITEM.crc) !== itemCrc(bytes)) throw damaged(`${place} has a wrong CRC`);
    const span = bytes.readUInt8(ITEM.span);
    if (span === 0 || index + span > ENTRIES_PER_PAGE) throw damaged(`${place} is longer than its page`);
    const own = bytes.subarray(ITEM.data, ENTRY_BYTES);
    const type = bytes.readUInt8(ITEM.type);
    const key = bytes.toString('latin1', ITEM.key, ITEM.data).replace(/\0.*$/s, '');
    let data = Buffer.alloc(0);
    if (type === ITEM_TYPE.string || type === ITEM_TYPE.blobData) {
      const byteCount = own.readUInt16LE(0);
      if (Math.ceil(byteCount / ENTRY_BYTES) + 1 !== span) throw damaged(`${place} has a size that does not match its span`);
      data = Buffer.concat(Array.from({ length: span - 1 }, (_, i) => read(index + 1 + i))).subarray(0, byteCount);
      if (own.readUInt32LE(ITEM.dataCrc - ITEM.data) !== nvsCrc32(data)) throw damaged(`the value of ${place} has a wrong CRC`);
    }
    items.push({ namespace: bytes.readUInt8(ITEM.namespace), type, chunk: bytes.readUInt8(ITEM.chunk), key, own, data });
    index += span - 1;
  }
  return items;
}

function stateOf(page: Buffer, index: number): number {
  return (page.readUInt8(STATES_OFFSET + (index >> 2)) >> ((index & 3) * 2)) & 0b11;
}

function valueOf(item: Item, items: readonly Item[]): NvsValue {
  const type = (Object.keys(ITEM_TYPE) as (keyof typeof ITEM_TYPE)[]).find((name) => ITEM_TYPE[name] === item.type);
  if (type === 'string') {
    if (item.data.at(-1) !== 0) throw damaged(`the string "${item.key}" has no end`);
    return { type, value: item.data.toString('utf8', 0, item.data.length - 1) };
  }
  if (type === 'blobIndex') return { type: 'blob', value: blobOf(item, items) };
  if (type === undefined || type === 'blobData') throw damaged(`"${item.key}" is of an unknown type`);
  const bits = Number(type.slice(1));
  const raw = Buffer.alloc(8);
  item.own.copy(raw, 0, 0, bits / 8);
  const value = type.startsWith('u') ? raw.readBigUInt64LE() : BigInt.asIntN(bits, raw.readBigUInt64LE());
  return bits === 64 ? { type: type as NvsBigType, value } : { type: type as NvsNumberType, value: Number(value) };
}

function blobOf(index: Item, items: readonly Item[]): Uint8Array {
  const byteCount = index.own.readUInt32LE(0);
  const first = index.own.readUInt8(ITEM.chunkStart - ITEM.data);
  const chunks = Array.from({ length: index.own.readUInt8(ITEM.chunkCount - ITEM.data) }, (_, i) => {
    const chunk = items.find((item) => item.type === ITEM_TYPE.blobData && item.namespace === index.namespace && item.key === index.key && item.chunk === first + i);
    if (chunk === undefined) throw damaged(`chunk ${i} of the blob "${index.key}" is missing`);
    return chunk.data;
  });
  const blob = Uint8Array.from(Buffer.concat(chunks));
  if (blob.length !== byteCount) throw damaged(`the blob "${index.key}" has ${blob.length} bytes instead of ${byteCount}`);
  return blob;
}

const hex = (address: number): string => `0x${address.toString(16)}`;

function damaged(fault: string): NvsError {
  return new NvsError('ERR_NVS_DAMAGED', `the NVS image is damaged or encrypted with other keys: ${fault}`, 'provision the device again');
}
