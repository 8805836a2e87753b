import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { NameBudget } from '../../../firmware/agent/json/name-budget.ts';
import { parseBounded } from '../../../firmware/agent/json/parse-bounded.ts';
import { unescapeJson } from '../../../firmware/agent/json/unescape-json.ts';
import { textCodec } from '../../../firmware/codecs/text.ts';

const utf8 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));
const parse = (value: unknown, names: NameBudget): unknown => parseBounded(utf8(JSON.stringify(value)), { text: textCodec, names });
const NO_MORE = { ok: false, code: 'ERR_JSON_NAMES' };

test('a sender of new names in every message is refused once the budget is used, and known names go on working', () => {
  const names = new NameBudget({ maxNames: 20 });
  expect(parse({ setPoint: 1, unit: 'C' }, names)).toMatchObject({ ok: true });
  const accepted = Array.from({ length: 1000 }, (_, index) => parse({ [`key${index}`]: 1 }, names)).filter((result) => (result as { ok: boolean }).ok);
  expect(accepted.length).toBe(18);
  expect(names.count).toBe(20);
  expect(parse({ unit: { setPoint: [{ unit: 1 }] } }, names)).toEqual({ ok: true, value: { unit: { setPoint: [{ unit: 1 }] } } });
  expect(parse({ unit: { other: 1 } }, names)).toEqual(NO_MORE);
});

test('the bytes of names have a budget of their own', () => {
  const names = new NameBudget({ maxBytes: 10 });
  expect(parse({ abcd: 1, efgh: 2 }, names)).toMatchObject({ ok: true });
  expect(parse({ i: 1 }, names)).toEqual(NO_MORE);
});

test('a document that is refused, wherever, costs no name', () => {
  const names = new NameBudget({ maxNames: 4 });
  parse({ a: 1 }, names);
  for (const json of ['{"b":1,"c":{"d":1},"e":1,"f":1}', '{"b":1,"c":01}', '{"b":1,"c":2', '{"b":"\\ud800"}', '{"b":{"__proto__":1}}', '{"b":1}x']) {
    expect(parseBounded(utf8(json), { text: textCodec, names })).toMatchObject({ ok: false });
    expect(names.count).toBe(1);
  }
  expect(parse({ b: 1, c: 1, d: 1, a: 1 }, names)).toMatchObject({ ok: true });
  expect(parse({ e: 1 }, names)).toEqual(NO_MORE);
});

test('a document that is refused costs none of the bytes of names either', () => {
  const names = new NameBudget({ maxBytes: 20 });
  for (let i = 0; i < 100; i++) expect(parseBounded(utf8('{"eightabc":1,"eightdef":01}'), { text: textCodec, names })).toMatchObject({ ok: false });
  expect(parse({ eightabc: 1, eightdef: 1 }, names)).toMatchObject({ ok: true });
});

test('array indices cost no name, as in the engine; what only looks like one does', () => {
  const names = new NameBudget({ maxNames: 1 });
  expect(parse({ 0: 1, 17: { 4294967294: 2 } }, names)).toMatchObject({ ok: true });
  expect(names.count).toBe(0);
  for (const name of ['00', '01', '4294967295', '12345678901', '-1', '1.5', '']) {
    expect([name, parse({ a: 1, [name]: 1 }, names)]).toEqual([name, NO_MORE]);
  }
});

test('one name in two spellings is one name', () => {
  const names = new NameBudget();
  expect(parseBounded(utf8('{"temp":1,"te\\u006dp":2,"\\u0074emp":3}'), { text: textCodec, names })).toEqual({ ok: true, value: { temp: 3 } });
  expect(names.count).toBe(1);
});

test('the budget knows exactly the names of the documents that were accepted, as a set of strings does', () => {
  const anyDocument = fc.array(fc.oneof(fc.string({ unit: 'binary', maxLength: 12 }), fc.constantFrom('a', 'b', 'c', 'toString', '7')), { maxLength: 6 });
  fc.assert(
    fc.property(fc.array(anyDocument, { maxLength: 40 }), fc.integer({ min: 1, max: 30 }), (documents, maxNames) => {
      const names = new NameBudget({ maxNames });
      const model = new Set<string>();
      for (const members of documents) {
        if (members.includes('__proto__') || members.some((name) => /\p{Surrogate}/u.test(name))) continue;
        const added = new Set(members.filter((name) => !model.has(name) && !isIndex(name)));
        const fits = model.size + added.size <= maxNames;
        expect(parse(Object.fromEntries(members.map((name) => [name, 1])), names)).toMatchObject({ ok: fits });
        if (fits) for (const name of added) model.add(name);
        expect(names.count).toBe(model.size);
      }
    }),
    { seed: 20_261_122, numRuns: 500 },
  );
});

function isIndex(name: string): boolean {
  return String(Number(name) >>> 0) === name && Number(name) < 2 ** 32 - 1;
}

test.each([
  [{ maxNames: 0 }, 'maxNames: expected 1 to 32767, got 0'],
  [{ maxNames: 32_768 }, 'maxNames: expected 1 to 32767, got 32768'],
  [{ maxBytes: 65_536 }, 'maxBytes: expected 1 to 65535, got 65536'],
  [{ maxBytes: 1.5 }, 'maxBytes: expected 1 to 65535, got 1.5'],
])('a budget of %o is refused', (options, message) => {
  expect(() => new NameBudget(options)).toThrow(new RangeError(message));
});

test('the largest budget takes as many names as it says', () => {
  const names = new NameBudget({ maxNames: 32_767, maxBytes: 65_535 });
  const name = utf8('abc');
  let taken = 0;
  for (let i = 0; i < 40_000; i++) {
    for (let digit = 0, rest = i; digit < 3; digit++, rest = Math.floor(rest / 64)) name[digit] = 0x40 + (rest % 64);
    if (names.admit(name, 0, 3)) taken++;
  }
  expect(taken).toBe(Math.floor(65_535 / 4));
});

test('what an escape stands for is what JSON.parse says', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(3), (text, form) => {
      const escaped = JSON.stringify(form === 0 ? text : [...text].map((character) => character).join('')).slice(1, -1);
      const spelled = form < 2 ? escaped : [...text].map((character) => [...character].length && Array.from({ length: character.length }, (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')).join('');
      if (/\p{Surrogate}/u.test(text)) return;
      const bytes = utf8(`"${spelled}"`);
      expect(Buffer.from(unescapeJson(bytes, 1, bytes.length - 1)).toString()).toBe(JSON.parse(`"${spelled}"`));
    }),
    { seed: 20_261_122, numRuns: 500, examples: [['"\\/\b\f\n\r\t\0é€😀', 0], ['"\\/\b\f\n\r\t\0é€😀', 3]] },
  );
});
