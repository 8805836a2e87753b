import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { NameBudget } from '../../../firmware/agent/json/name-budget.ts';
import { parseBounded } from '../../../firmware/agent/json/parse-bounded.ts';
import { textCodec } from '../../../firmware/codecs/text.ts';
import { recordEvidence } from '../../evidence.ts';
import { JSON_CASES } from './json-cases.ts';
import { judge, WIDE_LIMITS } from './json-oracle.ts';

const bytesOf = (latin1: string): Uint8Array => Uint8Array.from(Buffer.from(latin1, 'latin1'));
const wide = (json: Uint8Array): unknown => parseBounded(json, { text: textCodec, names: new NameBudget({ maxNames: 10_000, maxBytes: 65_535 }), limits: WIDE_LIMITS });

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
    fc.property(fc.json({ maxDepth: 10, stringUnit: 'binary' }), (text) => {
      const bytes = Uint8Array.from(Buffer.from(text));
      const verdict = judge(bytes);
      expect(wide(bytes)).toEqual(verdict.ok ? { ok: true, value: verdict.value } : { ok: false, code: expect.any(String) });
    }),
    { numRuns: 2000 },
  );
});
