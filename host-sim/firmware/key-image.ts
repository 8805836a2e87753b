import { formatKeyFile, KeyFileError } from '../board/key-file.ts';
import type { KeyEntry } from '../board/key-file.ts';
import { EFUSE_KEY_BYTES, NVS_EFUSE_BLOCK } from './chips.ts';

/** A key in an eFuse block: nothing of it but the number of the block is written to flash. */
export interface EfuseKeyEntry {
  readonly slot: number;
  /** 0 to 5 for KEY0 to KEY5; never the one of the encrypted NVS. */
  readonly efuseBlock: number;
  /** Decoded resources that it may sign for, as in `HmacKeyEntry`. */
  readonly prefixes: readonly string[];
}

export type ChipKeyEntry = KeyEntry | EfuseKeyEntry;

/** Limits and kinds of `firmware/native/key-image.h`. */
export const KEY_IMAGE_MAX_BYTES = 8192;
const KIND_EFUSE = 3;
const EFUSE_BLOCKS = 6;
const START_BYTES = 9;
const RECORD_HEADER_BYTES = 6;
const CRC_BYTES = 4;
const ERASED = 0xff;
/** Stands in for the key while the rest of an eFuse entry is checked and formatted. */
const NO_KEY = Buffer.alloc(EFUSE_KEY_BYTES).toString('base64');

/**
 * The bytes of a chip's `signer` partition. They hold the keys of all but eFuse entries in clear: `fill(0)` them after use.
 *
 * @throws KeyFileError
 */
export function formatKeyImage(entries: readonly ChipKeyEntry[], partitionBytes: number): Buffer {
  // Slots, lengths and prefixes are checked there.
  formatKeyFile(entries.map((entry) => ('efuseBlock' in entry ? { slot: entry.slot, keyBase64: NO_KEY, prefixes: entry.prefixes } : entry))).fill(0);
  const start = formatKeyFile([]);
  start.writeUInt8(entries.length, START_BYTES - 1);
  const records = entries.map((entry) => ('efuseBlock' in entry ? efuseRecord(entry) : recordOf(entry)));
  const body = Buffer.concat([start, ...records]);
  for (const record of records) record.fill(0);
  const image = Buffer.alloc(partitionBytes, ERASED);
  if (body.length + CRC_BYTES > Math.min(partitionBytes, KEY_IMAGE_MAX_BYTES)) {
    body.fill(0);
    throw new KeyFileError(`the keys take ${body.length + CRC_BYTES} bytes, the partition has ${Math.min(partitionBytes, KEY_IMAGE_MAX_BYTES)}`);
  }
  body.copy(image);
  image.writeUInt32LE(crc32(body), body.length);
  body.fill(0);
  return image;
}

function recordOf(entry: KeyEntry): Buffer {
  const file = formatKeyFile([entry]);
  const record = Buffer.from(file.subarray(START_BYTES));
  file.fill(0);
  return record;
}

function efuseRecord({ slot, efuseBlock, prefixes }: EfuseKeyEntry): Buffer {
  if (!Number.isInteger(efuseBlock) || efuseBlock < 0 || efuseBlock >= EFUSE_BLOCKS || efuseBlock === NVS_EFUSE_BLOCK) {
    throw new KeyFileError(`slot ${slot}: eFuse block ${efuseBlock} is no block for a signer's key (0 to 4; 5 protects NVS)`);
  }
  const record = recordOf({ slot, keyBase64: NO_KEY, prefixes });
  const header = record.subarray(0, RECORD_HEADER_BYTES);
  header.writeUInt8(KIND_EFUSE, 1);
  header.writeUInt16LE(1, 2);
  return Buffer.concat([header, Buffer.from([efuseBlock]), record.subarray(RECORD_HEADER_BYTES + EFUSE_KEY_BYTES)]);
}

/** CRC-32 as in zlib; Node has one from 20.15 on. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
