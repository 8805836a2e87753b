import { createHash } from 'node:crypto';
import { CliError, EXIT } from '../terminal/cli-error.ts';

/** @see ESP-IDF components/esp_partition, `esp_partition_info_t` and gen_esp32part.py */
const ENTRY_BYTES = 32;
const ENTRY_MAGIC = 0x50aa;
const MD5_MAGIC = 0xebeb;
const MD5_OFFSET = 16;
const LABEL_OFFSET = 12;
const LABEL_BYTES = 16;
const END = 0xffff;

export interface PlacedPartition {
  readonly label: string;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** The `partition-table.bin` of a build. @throws ERR_IMAGE */
export function parsePartitionImage(image: Uint8Array, file: string): readonly PlacedPartition[] {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.length);
  const broken = (fault: string): CliError => new CliError('ERR_IMAGE', EXIT.configuration, `${file} is broken: ${fault}`, 'build it again: latchkey firmware build');
  const partitions: PlacedPartition[] = [];
  for (let offset = 0; offset + ENTRY_BYTES <= bytes.length; offset += ENTRY_BYTES) {
    const magic = bytes.readUInt16LE(offset);
    if (magic === END) break;
    if (magic === MD5_MAGIC) {
      const digest = createHash('md5').update(bytes.subarray(0, offset)).digest();
      if (!digest.equals(bytes.subarray(offset + MD5_OFFSET, offset + ENTRY_BYTES))) throw broken('its MD5 does not match');
      return partitions;
    }
    if (magic !== ENTRY_MAGIC) throw broken(`row ${partitions.length} is no partition`);
    const label = bytes.toString('utf8', offset + LABEL_OFFSET, offset + LABEL_OFFSET + LABEL_BYTES).replace(/\0.*$/s, '');
    partitions.push({ label, offset: bytes.readUInt32LE(offset + 4), sizeBytes: bytes.readUInt32LE(offset + 8) });
  }
  throw broken(partitions.length === 0 ? 'it has no partition' : 'it has no MD5');
}
