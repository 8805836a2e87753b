import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { NameBudget } from '../../../firmware/agent/json/name-budget.ts';
import { type JsonParsed, parseBounded } from '../../../firmware/agent/json/parse-bounded.ts';
import { textCodec } from '../../../firmware/codecs/text.ts';
import { recordEvidence } from '../../evidence.ts';
import { JSON_CASES } from './json-cases.ts';
import { judge, WIDE_LIMITS } from './json-oracle.ts';

const bytesOf = (latin1: string): Uint8Array => Uint8Array.from(Buffer.from(latin1, 'latin1'));
const wide = (json: Uint8Array): JsonParsed => parseBounded(json, { text: textCodec, names: new NameBudget({ maxNames: 10_000, maxBytes: 65_535 }), limits: WIDE_LIMITS });

test.each(JSON_CASES)('$name: $code', ({ latin1, code }) => {
  const names = new NameBudget();
  const result = parseBounded(bytesOf(latin1), { text: textCodec, names, limits: latin1.length > 100_000 ? { maxBytes: 1_000_000 } : code === 'ERR_JSON_DEPTH' ? { maxBytes: 200_000 } : {} });
  if (code === undefined) expect(result).toEqual({ ok: true, value: JSON.parse(Buffer.from(latin1, 'latin1').toString()) as unknown });
  else {
    expect(result).toEqual({ ok: false, code });
    expect(names.count).toBe(0);
  }
});

test('what the table calls malformed is refused by Node, too, and what it reads is read', () => {
  let count = 0;
  for (const { name, latin1, code } of JSON_CASES) {
    const verdict = judge(bytesOf(latin1));
    if (name.startsWith('y_')) expect([name, verdict.ok, code]).toEqual([name, true, undefined]);
    if (name.startsWith('n_')) expect([name, verdict.ok, code !== undefined]).toEqual([name, false, true]);
    count++;
  }
  expect(count).toBe(JSON_CASES.length);
  recordEvidence('json-cases', count);
});

test('every valid JSON gives what JSON.parse gives', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 8, depthSize: 'small', stringUnit: 'binary' }), (text) => {
      const bytes = Uint8Array.from(Buffer.from(text));
      const verdict = judge(bytes);
      expect(wide(bytes)).toEqual(verdict.ok && !verdict.hasProto ? { ok: true, value: verdict.value } : { ok: false, code: expect.any(String) });
    }),
    { seed: 20_261_122, numRuns: 500 },
  );
});

/** What JSON is made of, and what it must not be made of. */
const TELLING = [...'{}[]:,"\\/bfnrtu0123456789+-.eE truefalsnl\n\t\0', ...'\x1f\x7f\x80\xbf\xc0\xc2\xe0\xed\xf0\xf4\xff'].map((character) => character.charCodeAt(0));

test('a mutated JSON is refused exactly where Node refuses it', () => {
  let refused = 0;
  let read = 0;
  fc.assert(
    fc.property(fc.json({ maxDepth: 6, stringUnit: 'binary' }), fc.array(fc.tuple(fc.nat(), fc.nat(2), fc.constantFrom(...TELLING)), { minLength: 1, maxLength: 4 }), (text, changes) => {
      const bytes = [...Buffer.from(text)];
      for (const [place, kind, byte] of changes) bytes.splice(place % (bytes.length + 1), kind === 0 ? 0 : 1, ...(kind === 1 ? [] : [byte]));
      const verdict = judge(Uint8Array.from(bytes));
      const result = wide(Uint8Array.from(bytes));
      expect(result).toEqual(verdict.ok && !verdict.hasProto ? { ok: true, value: verdict.value } : { ok: false, code: expect.stringMatching(/^ERR_JSON_/) });
      if (verdict.ok) read++;
      else refused++;
    }),
    { seed: 20_261_122, numRuns: 3000, examples: [['"\\ud83d\\ude00"', [[2, 1, 0x30]]]] },
  );
  expect(Math.min(read, refused)).toBeGreaterThan(100);
});
