import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { recordEvidence } from '../../evidence.ts';
import type { NvsEntry } from '../../../host-sim/nvs/format.ts';
import { decodeNvsKeys, encodeNvsKeys } from '../../../host-sim/nvs/nvs-keys.ts';
import { decodeNvs } from '../../../host-sim/nvs/nvs-reader.ts';
import { encodeNvs } from '../../../host-sim/nvs/nvs-writer.ts';

const vector = (name: string): Buffer => readFileSync(new URL(`../../vectors/nvs/${name}`, import.meta.url));

/** The entries of nvs.csv, the input that ESP-IDF's generator was given. */
function readCsv(): NvsEntry[] {
  const entries: NvsEntry[] = [];
  let namespace = '';
  for (const line of vector('nvs.csv').toString('utf8').trim().split('\n').slice(1)) {
    const [key = '', kind, encoding, value = ''] = line.split(',');
    const place = { namespace, key };
    if (kind === 'namespace') namespace = key;
    else if (encoding === 'string') entries.push({ ...place, type: 'string', value });
    else if (encoding === 'binary') entries.push({ ...place, type: 'blob', value: Uint8Array.from(vector(value)) });
    else if (encoding === 'u64') entries.push({ ...place, type: 'u64', value: BigInt(value) });
    else entries.push({ ...place, type: encoding as 'u8' | 'u16' | 'u32' | 'i32', value: Number(value) });
  }
  return entries;
}

const ENTRIES = readCsv();
const IMAGE_BYTES = 0x10000;

test("the plain image equals that of ESP-IDF's generator byte for byte", () => {
  expect(ENTRIES).toHaveLength(162);
  expect(encodeNvs(ENTRIES, { sizeBytes: IMAGE_BYTES }).equals(vector('nvs-plain.bin'))).toBe(true);
  recordEvidence('nvs-vectors-plain', ENTRIES.length);
});

test("the encrypted image equals that of ESP-IDF's generator byte for byte", () => {
  const keys = decodeNvsKeys(vector('keys.bin'));
  expect(encodeNvs(ENTRIES, { sizeBytes: IMAGE_BYTES, keys }).equals(vector('nvs-encrypted.bin'))).toBe(true);
  recordEvidence('nvs-vectors-encrypted', ENTRIES.length);
});

test("the partition of keys equals that of ESP-IDF's generator byte for byte", () => {
  expect(Buffer.from(encodeNvsKeys(decodeNvsKeys(vector('keys.bin')))).equals(vector('keys.bin'))).toBe(true);
});

test.each(['nvs-plain.bin', 'nvs-encrypted.bin'])('%s reads back as what the generator was given', (name) => {
  const keys = name === 'nvs-encrypted.bin' ? decodeNvsKeys(vector('keys.bin')) : undefined;
  expect(decodeNvs(vector(name), keys)).toEqual(ENTRIES);
});
