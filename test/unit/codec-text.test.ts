import { beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { fromHex, hex, loadCodecs, REALMS, thrown, type Codecs } from './codec-realms.ts';

const SEED = 20_250_512;

/** RFC 3629 by the platform's own decoder. */
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodedByPlatform(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

describe.each(REALMS)('the text codec %s', (realm) => {
  let text: Codecs['textCodec'];
  beforeAll(async () => {
    text = (await loadCodecs(realm)).textCodec;
  });

  test.each([
    ['', ''],
    ['\0', '00'],
    ['\x7f', '7f'],
    ['\x80', 'c280'],
    ['\u07ff', 'dfbf'],
    ['\u0800', 'e0a080'],
    ['\ud7ff', 'ed9fbf'],
    ['\ue000', 'ee8080'],
    ['\ufeff', 'efbbbf'],
    ['\ufffd', 'efbfbd'],
    ['\uffff', 'efbfbf'],
    ['\u{10000}', 'f0908080'],
    ['\u{10ffff}', 'f48fbfbf'],
    ['\u03ba\u1f79\u03c3\u03bc\u03b5', 'cebae1bdb9cf83cebcceb5'],
  ])('[RFC 3629] writes and reads %j', (characters, bytes) => {
    expect(hex(text.encodeUtf8(characters))).toBe(bytes);
    expect(text.decodeUtf8(fromHex(bytes))).toBe(characters);
  });

  test.each(['80', 'bf', 'c0 80', 'c1 bf', 'c2', 'c2 41', 'e0 80 80', 'e0 9f bf', 'e2 82', 'ed a0 80', 'ed bf bf', 'ed a0 bd ed b8 80',
    'f0 80 80 80', 'f0 8f bf bf', 'f0 9f 98', 'f4 90 80 80', 'f5 80 80 80', 'f8 88 80 80 80', 'fc 84 80 80 80 80', 'fe', 'ff'])(
    '[RFC 3629] refuses %s with ERR_PROTOCOL wherever it stands',
    (bytes) => {
      for (const before of [0, 1, 29, 30, 31, 32, 60, 61, 62, 63, 64, 65, 200]) {
        const padded = Uint8Array.of(...new Uint8Array(before).fill(0x61), ...fromHex(bytes), 0x62);
        expect(decodedByPlatform(padded)).toBeUndefined();
        expect(thrown(() => text.decodeUtf8(padded))).toEqual({
          name: 'LatchkeyError',
          code: 'ERR_PROTOCOL',
          message: 'text is not well-formed UTF-8',
        });
      }
    },
  );

  test('reads a character of each size across every place where pieces meet', () => {
    for (let before = 0; before < 140; before++) {
      const characters = `${'a'.repeat(before)}é€😀${'b'.repeat(70)}`;
      const bytes = Buffer.from(characters);
      expect(text.decodeUtf8(bytes)).toBe(characters);
      expect(hex(text.encodeUtf8(characters))).toBe(hex(bytes));
    }
    for (let before = 250; before < 262; before++) {
      const characters = `${'a'.repeat(before)}😀😀${'b'.repeat(600)}`;
      expect(hex(text.encodeUtf8(characters))).toBe(hex(Buffer.from(characters)));
    }
  });

  test('agrees with the platform on any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 700 }), (characters) => {
        const bytes = Buffer.from(characters);
        expect(hex(text.encodeUtf8(characters))).toBe(hex(bytes));
        expect(text.decodeUtf8(bytes)).toBe(characters);
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  test('agrees with the platform on which bytes are text', () => {
    // Bytes that begin, continue and break characters.
    const byte = fc.constantFrom(0x00, 0x41, 0x7f, 0x80, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff);
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 6 }), fc.nat(70), (values, before) => {
        const bytes = Uint8Array.of(...new Uint8Array(before).fill(0x61), ...values);
        const expected = decodedByPlatform(bytes);
        if (expected === undefined) expect(thrown(() => text.decodeUtf8(bytes))?.code).toBe('ERR_PROTOCOL');
        else expect(text.decodeUtf8(bytes)).toBe(expected);
      }),
      { seed: SEED, numRuns: 1500 },
    );
  });

  test.each(['\ud800', '\udfff', 'a\ud83d', '\ude00\ud83d', `${'x'.repeat(255)}\ud83d`, `${'x'.repeat(255)}\ud83dy`])(
    'refuses to write half of a surrogate pair: %j',
    (characters) => {
      expect(thrown(() => text.encodeUtf8(characters))).toMatchObject({ name: 'RangeError', message: 'text: half of a surrogate pair has no UTF-8' });
    },
  );

  test('[RFC 4648] writes and reads base64 of every length up to 200 as Node does', () => {
    for (let length = 0; length <= 200; length++) {
      const bytes = Uint8Array.from({ length }, (_, index) => index * 89 + length);
      const base64 = Buffer.from(bytes).toString('base64');
      expect(text.encodeBase64(bytes)).toBe(base64);
      expect(hex(text.decodeBase64(base64))).toBe(hex(bytes));
    }
  });

  test.each(['A', 'AB', 'ABC', 'ABCDE', 'AB=', 'A===', '====', 'AB==AB==', 'AB C', 'AB\nC', 'ABC-', 'ABC_', 'ABC€', `${'A'.repeat(31)}=AAAA`,
    `${'A'.repeat(30)}==AAAA`, `${'AAAA'.repeat(8)}A`, `${'AAAA'.repeat(8)}=`])('[RFC 4648] refuses %j as base64, without repeating it', (base64) => {
    expect(thrown(() => text.decodeBase64(base64))).toEqual({
      name: 'LatchkeyError',
      code: 'ERR_PROTOCOL',
      message: 'text is not base64 with padding',
    });
  });
});
