/**
 * The numbers of ESP-IDF's NVS format, version 2 (blobs over several pages).
 * @see ESP-IDF components/nvs_flash/private_include/nvs_constants.h and src/nvs_types.hpp
 */

export const PAGE_BYTES = 4096;
export const ENTRY_BYTES = 32;
export const ENTRIES_PER_PAGE = 126;
/** Header, then the table of entry states (two bits each), then entries. */
export const STATES_OFFSET = 32;
export const ENTRIES_OFFSET = 64;
/** One page is kept free: NVS moves entries there when it makes room. */
export const RESERVED_PAGES = 1;
/** `nvs_flash_init` refuses a smaller partition. */
export const MIN_PAGES = 3;
/** `NVS_KEY_NAME_MAX_SIZE` less its NUL. */
export const MAX_NAME_BYTES = 15;
/** A string with its NUL, or one chunk of a blob: all entries of a page but the header of the item. */
export const MAX_CHUNK_BYTES = (ENTRIES_PER_PAGE - 1) * ENTRY_BYTES;
/** Chunk numbers are 0 to 0x7F in one version of a blob. */
export const MAX_BLOB_CHUNKS = 127;
/** Namespace 0 holds the namespaces, 255 means any. */
export const MAX_NAMESPACES = 254;
export const FORMAT_VERSION = 0xfe;

/** Bits are cleared as a page goes on: empty, active, full, freeing. */
export const PAGE_STATE = { empty: 0xffffffff, active: 0xfffffffe, full: 0xfffffffc, freeing: 0xfffffff8 } as const;
export const ENTRY_STATE = { empty: 0b11, written: 0b10, erased: 0b00 } as const;

export const ITEM_TYPE = {
  u8: 0x01, i8: 0x11, u16: 0x02, i16: 0x12, u32: 0x04, i32: 0x14, u64: 0x08, i64: 0x18, string: 0x21, blobData: 0x42, blobIndex: 0x48,
} as const;

/** `chunkIndex` of everything that is no chunk of a blob. */
export const NO_CHUNK = 0xff;

/** Offsets in an item, the entry that describes a value. */
export const ITEM = { namespace: 0, type: 1, span: 2, chunk: 3, crc: 4, key: 8, data: 24, dataCrc: 28, chunkCount: 28, chunkStart: 29 } as const;
/** Offsets in a page's header. */
export const HEADER = { state: 0, sequence: 4, version: 8, crc: 28 } as const;

export type NvsNumberType = 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32';
export type NvsBigType = 'u64' | 'i64';

export type NvsValue =
  | { readonly type: NvsNumberType; readonly value: number }
  | { readonly type: NvsBigType; readonly value: bigint }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'blob'; readonly value: Uint8Array };

/** One value under its name. */
export type NvsEntry = NvsValue & { readonly namespace: string; readonly key: string };

const CRC_TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** `esp_rom_crc32_le(0xffffffff, …)`: the CRC of IEEE 802.3 with a register that begins at 0. */
export function nvsCrc32(...parts: readonly Uint8Array[]): number {
  let register = 0;
  for (const part of parts) for (const byte of part) register = (CRC_TABLE[(register ^ byte) & 0xff] ?? 0) ^ (register >>> 8);
  return ~register >>> 0;
}

/** The CRC of an item covers all of it but the CRC itself. */
export function itemCrc(item: Uint8Array): number {
  return nvsCrc32(item.subarray(0, ITEM.crc), item.subarray(ITEM.key, ENTRY_BYTES));
}

/** The CRC of a page's header covers all of it but the state, which changes later, and the CRC. */
export function headerCrc(page: Uint8Array): number {
  return nvsCrc32(page.subarray(HEADER.sequence, HEADER.crc));
}
