import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readPartitionTable, type Partition } from '../../../host-sim/firmware/partition-table.ts';

/** An image as `esptool elf2image` lays it out: header, segments, checksum at the end of 16 bytes, SHA-256. */
export function makeImage(chipId: number, segments: readonly Uint8Array[] = [Buffer.from(Array.from({ length: 100 }, (_, i) => i * 7)), Buffer.from([0x11, 0x22, 0x33, 0x45])]): Buffer {
  const header = Buffer.alloc(24);
  header.set([0xe9, segments.length, 2, 0x20]);
  header.writeUInt32LE(0x4038_0000, 4);
  header.writeUInt8(0xee, 8); // no write-protect pin
  header.writeUInt16LE(chipId, 12);
  header.writeUInt8(1, 23);
  const parts = segments.flatMap((data, index) => {
    const start = Buffer.alloc(8);
    start.writeUInt32LE(0x3fc8_0000 + index * 0x1000, 0);
    start.writeUInt32LE(data.length, 4);
    return [start, Buffer.from(data)];
  });
  const body = Buffer.concat([header, ...parts]);
  const padded = Buffer.concat([body, Buffer.alloc(16 - (body.length % 16))]);
  let checksum = 0xef;
  for (const segment of segments) for (const byte of segment) checksum ^= byte;
  padded.writeUInt8(checksum, padded.length - 1);
  return Buffer.concat([padded, createHash('sha256').update(padded).digest()]);
}

const TYPES: Readonly<Record<string, number>> = { app: 0, data: 1 };
const SUBTYPES: Readonly<Record<string, number>> = { ota: 0, phy: 1, nvs: 2, nvs_keys: 4, ota_0: 0x10, ota_1: 0x11 };

/** The binary form of a table, as gen_esp32part.py writes it. */
export function makePartitionTable(partitions: readonly Partition[]): Buffer {
  const rows = partitions.map(({ label, type, subtype, offset, sizeBytes, flags }) => {
    const row = Buffer.alloc(32);
    row.set([0xaa, 0x50, TYPES[type] ?? Number(type), SUBTYPES[subtype] ?? Number(subtype)]);
    row.writeUInt32LE(offset, 4);
    row.writeUInt32LE(sizeBytes, 8);
    row.write(label, 12, 'latin1');
    row.writeUInt32LE(flags.includes('encrypted') ? 1 : 0, 28);
    return row;
  });
  const table = Buffer.concat(rows);
  const digest = Buffer.concat([Buffer.from('ebeb'.padEnd(32, 'f'), 'hex'), createHash('md5').update(table).digest()]);
  return Buffer.concat([table, digest, Buffer.alloc(0xc00 - table.length - digest.length, 0xff)]);
}

export const CHIP_IDS = { esp32: 0, esp32c3: 5, esp32s3: 9, esp32c6: 13 } as const;

/** What `latchkey firmware build` leaves. */
export function writeFirmware(folder: string, family: keyof typeof CHIP_IDS = 'esp32c3'): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'bootloader.bin'), makeImage(CHIP_IDS[family]));
  writeFileSync(join(folder, 'xs_esp32.bin'), makeImage(CHIP_IDS[family], [Buffer.alloc(5000, 3)]));
  writeFileSync(join(folder, 'ota_data_initial.bin'), Buffer.alloc(0x2000, 0xff));
  writeFileSync(join(folder, 'partition-table.bin'), makePartitionTable(readPartitionTable(family === 'esp32' ? 'partitions-esp32.csv' : 'partitions.csv')));
}
