import { expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { decodeNvsKeys, deriveNvsKeys, encodeNvsKeys, generateNvsKeys } from '../../../host-sim/nvs/nvs-keys.ts';
import { decodeNvs } from '../../../host-sim/nvs/nvs-reader.ts';
import { encodeNvs } from '../../../host-sim/nvs/nvs-writer.ts';

const HMAC_KEY = Buffer.from('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'hex');
/** EKEY_SEED and TKEY_SEED of ESP-IDF's nvs_sec_provider, as they lie in the chip's memory. */
const SEEDS = ['5a5abeae', 'a5a5dece'].map((word) => Buffer.from(word.repeat(8), 'hex'));

const opensslHmac = (key: Buffer, message: Buffer): Buffer =>
  spawnSync('openssl', ['dgst', '-sha256', '-mac', 'HMAC', '-macopt', `hexkey:${key.toString('hex')}`, '-binary'], { input: message }).stdout;

test("the keys of the HMAC scheme are OpenSSL's HMACs of ESP-IDF's two seeds", () => {
  const expected = Buffer.concat(SEEDS.map((seed) => opensslHmac(HMAC_KEY, seed)));
  expect(expected).toHaveLength(64);
  expect(Buffer.from(deriveNvsKeys(HMAC_KEY)).equals(expected)).toBe(true);
});

test.each([0, 31, 33, 64])('an HMAC key of %i bytes is refused', (length) => {
  expect(() => deriveNvsKeys(new Uint8Array(length))).toThrow(expect.objectContaining({ code: 'ERR_NVS_KEYS', message: `the HMAC key of NVS has 32 bytes, not ${length}` }));
});

test('generated keys come back from their partition, and differ each time', () => {
  const keys = generateNvsKeys();
  const partition = encodeNvsKeys(keys);
  expect(partition).toHaveLength(4096);
  expect(decodeNvsKeys(partition)).toEqual(Uint8Array.from(keys));
  expect(generateNvsKeys()).not.toEqual(keys);
});

test('a flipped bit at any byte of the keys or their CRC is found', () => {
  const partition = encodeNvsKeys(generateNvsKeys());
  for (let at = 0; at < 68; at++) {
    const broken = Uint8Array.from(partition);
    broken[at] = (broken[at] ?? 0) ^ 1;
    expect(() => decodeNvsKeys(broken)).toThrow('the partition of NVS keys has a wrong CRC');
  }
});

test('equal halves, a wrong length and a cut partition are refused', () => {
  expect(() => encodeNvsKeys(new Uint8Array(64).fill(7))).toThrow('encryption key and tweak key of NVS are equal');
  expect(() => encodeNvs([], { sizeBytes: 12_288, keys: new Uint8Array(32) })).toThrow('the keys of NVS have 64 bytes, not 32');
  expect(() => decodeNvsKeys(new Uint8Array(67))).toThrow('the partition of NVS keys has 67 bytes');
});

test('an image that was encrypted with other keys, or is read without keys, is refused', () => {
  const entries = [{ namespace: 'latchkey', key: 'hub', type: 'string', value: 'hub.example' }] as const;
  const image = encodeNvs(entries, { sizeBytes: 12_288, keys: deriveNvsKeys(HMAC_KEY) });
  expect(decodeNvs(image, deriveNvsKeys(HMAC_KEY))).toEqual(entries);
  expect(() => decodeNvs(image, generateNvsKeys())).toThrow(expect.objectContaining({ code: 'ERR_NVS_DAMAGED' }));
  expect(() => decodeNvs(image)).toThrow('encrypted with other keys: entry 0 of the page at 0x0 has a wrong CRC');
  expect(image.includes('hub.example')).toBe(false);
});
