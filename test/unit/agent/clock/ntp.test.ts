import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { encodeNtpQuery, parseNtpAnswer } from '../../../../firmware/agent/clock/ntp.ts';

const NONCE = new Uint8Array([0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]);
const FLOOR_MS = Date.UTC(2026, 10, 1);

/** A server's answer; times as they stand in the packet. */
function answer(fields: Partial<{ first: number; stratum: number; originate: Uint8Array; seconds: number; fraction: number; length: number }> = {}): Uint8Array {
  const { first = 0x24, stratum = 2, originate = NONCE, seconds = 0xeeab_0000, fraction = 0, length = 48 } = fields;
  const bytes = Buffer.alloc(Math.max(48, length));
  bytes[0] = first;
  bytes[1] = stratum;
  bytes.set(originate, 24);
  bytes.writeUInt32BE(seconds, 40);
  bytes.writeUInt32BE(fraction, 44);
  return bytes.subarray(0, length);
}

test('a query is 48 bytes, version 4, mode 3, and says nothing but the nonce [RFC 5905, 7.3]', () => {
  const query = encodeNtpQuery(NONCE);
  expect(Buffer.from(query).toString('hex')).toBe(`23${'00'.repeat(39)}1122334455667788`);
});

describe('the time of an answer', () => {
  test.each([
    // RFC 5905, figure 4: 1 January 1972 is 2,272,060,800 in era 0; the Unix epoch is 2,208,988,800.
    ['the first day of Unix', 2_208_988_800, 0, 0, 0],
    ['first day of UTC', 2_272_060_800, 0, 0, Date.UTC(1972, 0, 1)],
    ['a quarter of a second', 2_208_988_800, 0x4000_0000, 0, 250],
    ['the last fraction of a second', 2_208_988_800, 0xffff_ffff, 0, 1000],
    // RFC 5905, figure 4: the last time of era 0 is 8 February 2036; era 1 starts with 0.
    ['the last second of era 0', 0xffff_ffff, 0, FLOOR_MS, Date.UTC(2036, 1, 7, 6, 28, 15)],
    ['the first second of era 1 but one', 1, 0, FLOOR_MS, Date.UTC(2036, 1, 7, 6, 28, 17)],
    ['the first moment of era 1 but one', 0, 0x8000_0000, FLOOR_MS, Date.UTC(2036, 1, 7, 6, 28, 16, 500)],
    ['era 1, after the floor has got there', 86_400, 0, Date.UTC(2036, 1, 8), Date.UTC(2036, 1, 8, 6, 28, 16)],
    // Before the floor means the era after: out of reach, and so refused by the range.
    ['a second before the floor', FLOOR_MS / 1000 + 2_208_988_800 - 1, 0, FLOOR_MS, FLOOR_MS - 1000 + 2 ** 32 * 1000],
  ])('%s', (_name, seconds, fraction, floorMs, unixMs) => {
    expect(parseNtpAnswer(answer({ seconds, fraction }), NONCE, floorMs)).toBe(unixMs);
  });

  test.each([0x24, 0x1c, 0x64, 0xa4, 0x0c])('is taken with leap indicator 0 to 2 and any version: first byte %d', (first) => {
    expect(parseNtpAnswer(answer({ first }), NONCE, 0)).toBeDefined();
  });

  test.each([1, 2, 15])('is taken from stratum %d', (stratum) => expect(parseNtpAnswer(answer({ stratum }), NONCE, 0)).toBeDefined());

  test('is taken with extension fields behind it', () => {
    expect(parseNtpAnswer(answer({ length: 68 }), NONCE, 0)).toBe(parseNtpAnswer(answer(), NONCE, 0));
  });
});

describe('no answer is', () => {
  test.each<[string, Uint8Array]>([
    ['one whose clock is not synchronised (LI 3)', answer({ first: 0xe4 })],
    ['a kiss of death (stratum 0)', answer({ stratum: 0 })],
    ['stratum 16, not synchronised', answer({ stratum: 16 })],
    ['stratum 255', answer({ stratum: 255 })],
    ['mode 3, a client', answer({ first: 0x23 })],
    ['mode 5, a broadcast', answer({ first: 0x25 })],
    ['mode 0', answer({ first: 0x20 })],
    ['a transmit time of 0', answer({ seconds: 0, fraction: 0 })],
    ['an empty datagram', new Uint8Array(0)],
  ])('%s', (_name, bytes) => expect(parseNtpAnswer(bytes, NONCE, 0)).toBeUndefined());

  test('any prefix of one', () => {
    for (let length = 0; length < 48; length++) expect(parseNtpAnswer(answer({ length }), NONCE, 0)).toBeUndefined();
  });

  test('one that repeats the nonce with any bit changed', () => {
    for (let bit = 0; bit < 64; bit++) {
      const originate = NONCE.slice();
      originate[bit >> 3] = (originate[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(parseNtpAnswer(answer({ originate }), NONCE, 0)).toBeUndefined();
    }
  });
});

test('whatever the bytes, a time is not before the floor, and less than an era after it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 40, maxLength: 60 }), fc.nat(4_102_444_800), (bytes, floorSeconds) => {
      bytes.set(NONCE, 24);
      const unixMs = parseNtpAnswer(bytes, NONCE, floorSeconds * 1000);
      if (unixMs === undefined) return;
      expect(unixMs).toBeGreaterThanOrEqual(floorSeconds * 1000);
      expect(unixMs).toBeLessThanOrEqual(Math.max(floorSeconds * 1000 + 2 ** 32 * 1000, 2 ** 32 * 1000));
    }),
    { seed: 1, numRuns: 1000 },
  );
});
