import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { recordEvidence } from '../../evidence.ts';
import type { NvsEntry } from '../../../host-sim/nvs/format.ts';
import { deriveNvsKeys } from '../../../host-sim/nvs/nvs-keys.ts';
import { decodeNvs } from '../../../host-sim/nvs/nvs-reader.ts';
import { encodeNvs } from '../../../host-sim/nvs/nvs-writer.ts';
import { ACTIVE, blob, CASES, EMPTY, FULL, NAMESPACE, number, numbers, text } from './nvs-cases.ts';

const KEYS = deriveNvsKeys(new Uint8Array(32).fill(9));
/** Writes plain and encrypted, reads both back, and gives the states of the pages. */
function states(entries: readonly NvsEntry[], pages: number): number[] {
  const image = encodeNvs(entries, { sizeBytes: pages * 4096 });
  expect(decodeNvs(image)).toEqual(entries);
  expect(decodeNvs(encodeNvs(entries, { sizeBytes: pages * 4096, keys: KEYS }), KEYS)).toEqual(entries);
  return Array.from({ length: pages }, (_, page) => image.readUInt32LE(page * 4096));
}

test.each(CASES)('%s reads back, plain and encrypted', (_, entries, expected) => {
  expect(states(entries, expected.length)).toEqual(expected);
});

test("the images are those of ESP-IDF's own NVS code, byte for byte", () => {
  let equal = 0;
  for (const [name, entries, pages, digest] of CASES) {
    if (digest === undefined) continue;
    const image = encodeNvs(entries, { sizeBytes: pages.length * 4096 });
    expect([name, createHash('sha256').update(image).digest('hex').slice(0, digest.length)]).toEqual([name, digest]);
    equal++;
  }
  recordEvidence('nvs-boundaries', equal);
});

test('the smallest and largest number of every type read back', () => {
  const entries: NvsEntry[] = [];
  for (const [bits, unsigned, signed] of [[8, 'u8', 'i8'], [16, 'u16', 'i16'], [32, 'u32', 'i32']] as const) {
    entries.push({ namespace: NAMESPACE, key: unsigned, type: unsigned, value: 2 ** bits - 1 });
    entries.push({ namespace: NAMESPACE, key: `${signed}-low`, type: signed, value: -(2 ** (bits - 1)) }, { namespace: NAMESPACE, key: signed, type: signed, value: 2 ** (bits - 1) - 1 });
  }
  entries.push({ namespace: NAMESPACE, key: 'u64', type: 'u64', value: 2n ** 64n - 1n }, { namespace: NAMESPACE, key: 'i64', type: 'i64', value: -(2n ** 63n) });
  expect(decodeNvs(encodeNvs(entries, { sizeBytes: 12_288 }))).toEqual(entries);
});

test.each([
  ['a name of 16 characters', { ...number(1), key: 'abcdefghijklmnop' }, 'ERR_NVS_NAME', 'key "abcdefghijklmnop" of latchkey has 16 characters'],
  ['a namespace of 16 characters', { ...number(1), namespace: 'abcdefghijklmnop' }, 'ERR_NVS_NAME', 'namespace "abcdefghijklmnop" has 16 characters'],
  ['an empty name', { ...number(1), key: '' }, 'ERR_NVS_NAME', 'is not printable ASCII'],
  ['a name with a NUL', { ...number(1), key: 'a\0b' }, 'ERR_NVS_NAME', 'is not printable ASCII'],
  ['a string of 4,000 bytes', text(4000), 'ERR_NVS_VALUE', 'latchkey/text has 4000 bytes'],
  ['a string with a NUL', { ...text(1), value: 'secret\0tail' } as NvsEntry, 'ERR_NVS_VALUE', 'latchkey/text holds a NUL'],
  ['256 as u8', { ...number(1), value: 256 } as NvsEntry, 'ERR_NVS_VALUE', 'latchkey/k1 does not fit u8'],
  ['-129 as i8', { ...number(1), type: 'i8', value: -129 } as NvsEntry, 'ERR_NVS_VALUE', 'latchkey/k1 does not fit i8'],
] as const)('%s is refused, and its value is in no message', (_, entry, code, message) => {
  let error: unknown;
  try {
    encodeNvs([entry], { sizeBytes: 12_288 });
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
  expect(String(error)).not.toContain('secret');
});

test('the same key twice is refused', () => {
  expect(() => encodeNvs([number(1), number(1)], { sizeBytes: 12_288 })).toThrow(expect.objectContaining({ code: 'ERR_NVS_NAME', message: 'latchkey/k1 is given twice' }));
});

test('the last page stays free: what needs it is refused as full, with the remedy', () => {
  // Two of three pages hold 252 entries, one of them the namespace.
  expect(states(numbers(251), 3)).toEqual([FULL, ACTIVE, EMPTY]);
  expect(() => encodeNvs(numbers(252), { sizeBytes: 12_288 })).toThrow(expect.objectContaining({
    code: 'ERR_NVS_FULL', message: 'the values need more than the 2 pages that an NVS partition of 12288 bytes has for them',
    remedy: expect.stringContaining('make the partition larger'),
  }));
  expect(() => encodeNvs([blob(8000)], { sizeBytes: 12_288 })).toThrow(expect.objectContaining({ code: 'ERR_NVS_FULL' }));
});

test.each([0, 4096, 8192, 12_289])('a partition of %i bytes is refused', (sizeBytes) => {
  expect(() => encodeNvs([], { sizeBytes })).toThrow(expect.objectContaining({ code: 'ERR_NVS_SIZE' }));
});

test('a flipped bit in any written byte is found, or leaves every value as it was', () => {
  const entries = [...numbers(3), text(40), blob(70)];
  const image = encodeNvs(entries, { sizeBytes: 12_288 });
  for (let at = 0; at < 64 + 12 * 32; at++) {
    const broken = Buffer.from(image);
    broken[at] = (broken[at] ?? 0) ^ 0x10;
    let read: readonly NvsEntry[] = [];
    try {
      read = decodeNvs(broken);
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_NVS_DAMAGED' });
      continue;
    }
    // Only the table of states and the padding of data may differ without a CRC: values are whole or gone.
    for (const entry of read) expect(entries).toContainEqual(entry);
  }
});

test('whatever fits is read back as it was written', () => {
  const value = fc.oneof(fc.uint8Array({ maxLength: 5000 }), fc.string({ maxLength: 900 }).filter((s) => !s.includes('\0')));
  fc.assert(fc.property(fc.array(value, { maxLength: 12 }), fc.boolean(), (values, isEncrypted) => {
    const entries = values.map((item, index): NvsEntry => typeof item === 'string'
      ? { namespace: 'a', key: `k${index}`, type: 'string', value: item }
      : { namespace: 'b', key: `k${index}`, type: 'blob', value: Uint8Array.from(item) });
    const keys = isEncrypted ? KEYS : undefined;
    expect(decodeNvs(encodeNvs(entries, { sizeBytes: 0x18000, keys }), keys)).toEqual(entries);
  }), { numRuns: 60, seed: 5 });
});
