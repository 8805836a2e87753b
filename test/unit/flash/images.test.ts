import { expect, test } from '@jest/globals';
import { readPartitionTable } from '../../../host-sim/firmware/partition-table.ts';
import { checkImage } from '../../../host-sim/flashing/app-image.ts';
import { parsePartitionImage } from '../../../host-sim/flashing/partition-image.ts';
import { CHIP_IDS, makeImage, makePartitionTable } from './firmware-images.ts';

const C3 = { family: 'esp32c3' } as const;

test.each(['esp32', 'esp32s3', 'esp32c3', 'esp32c6'] as const)('an image for %s is taken for that chip and refused for every other', (family) => {
  for (const other of ['esp32', 'esp32s3', 'esp32c3', 'esp32c6'] as const) {
    const check = (): void => checkImage(makeImage(CHIP_IDS[family]), { family: other }, 'app.bin');
    if (other === family) expect(check).not.toThrow();
    else expect(check).toThrow(expect.objectContaining({ code: 'ERR_CHIP', message: expect.stringMatching(/^app\.bin is made for ESP32/) }));
  }
});

test('a signature behind the digest is left to the chip', () => {
  expect(() => checkImage(Buffer.concat([makeImage(5), Buffer.alloc(4096, 0xe7)]), C3, 'app.bin')).not.toThrow();
});

test('an image that is cut anywhere is refused', () => {
  const image = makeImage(5);
  for (let length = 0; length < image.length; length++) {
    expect(() => checkImage(image.subarray(0, length), C3, 'app.bin')).toThrow(expect.objectContaining({ code: 'ERR_IMAGE', remedy: expect.stringContaining('firmware build') }));
  }
});

test('an image with any byte changed is refused', () => {
  const image = makeImage(5);
  for (let at = 0; at < image.length; at++) {
    if (at === 23) continue; // says whether there is a digest
    const broken = Buffer.from(image);
    broken[at] = (broken[at] ?? 0) ^ 0x40;
    expect(() => checkImage(broken, C3, 'app.bin')).toThrow(expect.objectContaining({ code: expect.stringMatching(/^ERR_(IMAGE|CHIP)$/) }));
  }
});

test.each(['partitions.csv', 'partitions-esp32.csv'] as const)('the binary form of %s says where everything lies', (file) => {
  const partitions = readPartitionTable(file);
  expect(partitions.length).toBeGreaterThan(5);
  expect(parsePartitionImage(makePartitionTable(partitions), 'table.bin')).toEqual(partitions.map(({ label, offset, sizeBytes }) => ({ label, offset, sizeBytes })));
});

test('a table that is changed or cut is refused', () => {
  const table = makePartitionTable(readPartitionTable('partitions.csv'));
  const rowBytes = readPartitionTable('partitions.csv').length * 32;
  for (let at = 0; at < rowBytes; at++) {
    const broken = Buffer.from(table);
    broken[at] = (broken[at] ?? 0) ^ 1;
    expect(() => parsePartitionImage(broken, 'table.bin')).toThrow(expect.objectContaining({ code: 'ERR_IMAGE' }));
  }
  for (const length of [0, 31, rowBytes, rowBytes + 16]) expect(() => parsePartitionImage(table.subarray(0, length), 'table.bin')).toThrow(expect.objectContaining({ code: 'ERR_IMAGE' }));
});
