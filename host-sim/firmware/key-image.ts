import { formatKeyFile, KeyFileError } from '../board/key-file.ts';
import type { KeyEntry } from '../board/key-file.ts';

/** Limit of `firmware/native/key-image.h`. */
export const KEY_IMAGE_MAX_BYTES = 8192;
const CRC_BYTES = 4;
const ERASED = 0xff;

/**
 * The bytes of a chip's `signer` partition: the key file, its CRC-32, 0xFF to the end. They hold keys in clear (not those in eFuse blocks): `fill(0)`
 * them after use.
 *
 * @throws KeyFileError
 */
export function formatKeyImage(entries: readonly KeyEntry[], partitionBytes: number): Buffer {
  const file = formatKeyFile(entries);
  try {
    const capacity = Math.min(partitionBytes, KEY_IMAGE_MAX_BYTES);
    if (file.length + CRC_BYTES > capacity) throw new KeyFileError(`the keys take ${file.length + CRC_BYTES} bytes, the partition has ${capacity}`);
    const image = Buffer.alloc(partitionBytes, ERASED);
    file.copy(image);
    image.writeUInt32LE(crc32(file), file.length);
    return image;
  } finally {
    file.fill(0);
  }
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
