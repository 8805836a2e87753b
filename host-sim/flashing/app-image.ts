import { createHash } from 'node:crypto';
import { IMAGE_CHIP_IDS, familyTitle } from '../chip-tools/esp-chips.ts';
import type { Chip } from '../firmware/chips.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';

/** @see ESP-IDF components/bootloader_support/include/esp_app_format.h, `esp_image_header_t` */
const MAGIC = 0xe9;
const HEADER_BYTES = 24;
const CHIP_ID_OFFSET = 12;
const HASH_APPENDED_OFFSET = 23;
const SEGMENT_HEADER_BYTES = 8;
const MAX_SEGMENTS = 16;
const CHECKSUM_SEED = 0xef;
const ALIGNMENT_BYTES = 16;
const SHA256_BYTES = 32;

/**
 * Looks at a bootloader or an application before it is written: format, chip, checksum, digest. A signature may follow.
 * @throws ERR_IMAGE, ERR_CHIP
 */
export function checkImage(image: Uint8Array, chip: Pick<Chip, 'family'>, file: string): void {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.length);
  const broken = (fault: string): CliError => new CliError('ERR_IMAGE', EXIT.configuration, `${file} is broken: ${fault}`, 'build it again: latchkey firmware build');
  if (bytes.length < HEADER_BYTES || bytes.readUInt8(0) !== MAGIC) throw broken('it is no image for an ESP32');
  const chipId = bytes.readUInt16LE(CHIP_ID_OFFSET);
  if (chipId !== IMAGE_CHIP_IDS[chip.family]) {
    const other = Object.entries(IMAGE_CHIP_IDS).find(([, id]) => id === chipId)?.[0];
    throw new CliError(
      'ERR_CHIP', EXIT.configuration, `${file} is made for ${other === undefined ? `another chip (id ${chipId})` : familyTitle(other)}, not for ${familyTitle(chip.family)}`,
      'give --chip the chip that it was built for, or build it for this one: latchkey firmware build --chip',
    );
  }
  const end = checkSegments(bytes, broken);
  if (bytes.readUInt8(HASH_APPENDED_OFFSET) !== 1) return;
  if (bytes.length < end + SHA256_BYTES) throw broken('it ends before its digest');
  const digest = createHash('sha256').update(bytes.subarray(0, end)).digest();
  if (!digest.equals(bytes.subarray(end, end + SHA256_BYTES))) throw broken('its SHA-256 does not match');
}

/** @returns where the digest begins */
function checkSegments(bytes: Buffer, broken: (fault: string) => CliError): number {
  const count = bytes.readUInt8(1);
  if (count === 0 || count > MAX_SEGMENTS) throw broken(`it says it has ${count} segments`);
  let offset = HEADER_BYTES;
  let checksum = CHECKSUM_SEED;
  for (let segment = 0; segment < count; segment++) {
    if (offset + SEGMENT_HEADER_BYTES > bytes.length) throw broken(`it ends before segment ${segment}`);
    const start = offset + SEGMENT_HEADER_BYTES;
    offset = start + bytes.readUInt32LE(offset + 4);
    if (offset > bytes.length) throw broken(`it ends in segment ${segment}`);
    for (const byte of bytes.subarray(start, offset)) checksum ^= byte;
  }
  // The checksum is the last byte of a block of 16.
  const end = offset + ALIGNMENT_BYTES - (offset % ALIGNMENT_BYTES);
  if (end > bytes.length) throw broken('it ends before its checksum');
  if (bytes.readUInt8(end - 1) !== checksum) throw broken('its checksum does not match');
  return end;
}
