import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import type { TwinLimits } from '../../../firmware/agent/json/json-limits.ts';
import { NameBudget } from '../../../firmware/agent/json/name-budget.ts';
import { PropertyNames } from '../../../firmware/agent/json/property-names.ts';
import { type TwinScan, TwinScanner } from '../../../firmware/agent/json/twin-scanner.ts';
import { textCodec } from '../../../firmware/codecs/text.ts';
import { recordEvidence } from '../../evidence.ts';
import { JSON_CASES } from './json-cases.ts';
import { cutAt, cutEvery, judge, judgeTwin } from './json-oracle.ts';

const DESIRED = ['temp', 'roots', 'é€😀', 'absent'];
const REPORTED = ['roots'];
const desired = new PropertyNames(DESIRED, textCodec);
const reported = new PropertyNames(REPORTED, textCodec);
const WIDE: Partial<TwinLimits> = { maxValueBytes: 1_000_000, maxTotalBytes: 10_000_000, maxDepth: 32, maxMembers: 1_000_000, maxNameBytes: 255 };

type Form = 'answer' | 'patch';

function scan(form: Form, pieces: readonly Uint8Array[], limits?: Partial<TwinLimits>, names = new NameBudget({ maxNames: 10_000, maxBytes: 65_535 })): TwinScan {
  const scanner = new TwinScanner({ form, desired, reported, text: textCodec, names, limits });
  for (const piece of pieces) if (!scanner.feed(piece)) break;
  return scanner.end();
}

const utf8 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));
const scanText = (form: Form, text: string, limits?: Partial<TwinLimits>, names?: NameBudget): TwinScan => scan(form, [utf8(text)], limits, names);

function section(version: number, values: Record<string, unknown> = {}, refused: Record<string, string> = {}): object {
  return { version, values: new Map(Object.entries(values)), refused: new Map(Object.entries(refused)) };
}

const ANSWER = JSON.stringify({
  desired: { temp: { target: 21.5, unit: 'C', steps: [1, [2], { a: null }] }, other: { temp: 1, $version: 99 }, 'é€😀': '€', $metadata: { temp: { $lastUpdated: 'x' }, $version: 8 }, $version: 7 },
  reported: { roots: { version: 3 }, temp: 20, $metadata: {}, $version: 12 },
});

describe('a twin answer', () => {
  const expected = {
    ok: true,
    desired: section(7, { temp: { target: 21.5, unit: 'C', steps: [1, [2], { a: null }] }, 'é€😀': '€' }),
    reported: section(12, { roots: { version: 3 } }),
  };

  test('gives version and registered properties of both sections, whatever the size of the pieces', () => {
    const bytes = utf8(ANSWER);
    for (let size = 1; size <= 64; size++) expect(scan('answer', cutEvery(bytes, size))).toEqual(expected);
    for (let cut = 0; cut <= bytes.length; cut++) expect(scan('answer', [bytes.slice(0, cut), new Uint8Array(0), bytes.slice(cut)])).toEqual(expected);
    recordEvidence('json-twin-pieces', 64 + bytes.length + 1);
  });

  test('that ends anywhere before its last byte is refused as truncated', () => {
    const bytes = utf8(ANSWER);
    for (let length = 0; length < bytes.length; length++) expect(scan('answer', cutEvery(bytes.slice(0, length), 7))).toEqual({ ok: false, code: 'ERR_JSON_TRUNCATED' });
  });

  const cases: readonly (readonly [string, string, unknown])[] = [
    ['without reported has none', '{"desired":{"$version":1}}', { ok: true, desired: section(1), reported: undefined }],
    ['with unknown members lets them pass', '{"a":[{"desired":{"$version":5}}],"desired":{"$version":1},"z":null}', { ok: true, desired: section(1), reported: undefined }],
    ['with escaped names is read as without', '{"d\\u0065sired":{"te\\u006dp":1,"\\u00e9\\u20AC\\uD83D\\ude00":2,"\\u0024version":4}}', { ok: true, desired: section(4, { temp: 1, 'é€😀': 2 }), reported: undefined }],
    ['with a property twice keeps the last', '{"desired":{"temp":1,"$version":1,"temp":[2],"$version":2}}', { ok: true, desired: section(2, { temp: [2] }), reported: undefined }],
    ['with a section twice keeps the last', '{"desired":{"temp":1,"$version":1},"desired":{"roots":2,"$version":3}}', { ok: true, desired: section(3, { roots: 2 }), reported: undefined }],
    ['with a name that only begins like a registered one does not keep it', '{"desired":{"tem":1,"tempo":2,"tEmp":3,"":4,"$version":1}}', { ok: true, desired: section(1), reported: undefined }],
    ['with a null keeps the null', '{"desired":{"temp":null,"$version":1}}', { ok: true, desired: section(1, { temp: null }), reported: undefined }],
    ['with whitespace everywhere is read', ' {\n"desired" :\t{ "temp" : 1 , "$version" : 1 } } ', { ok: true, desired: section(1, { temp: 1 }), reported: undefined }],
    ['without desired is no twin', '{"reported":{"$version":1}}', { ok: false, code: 'ERR_TWIN_FORM' }],
    ['that is an array is no twin', '[{"desired":{"$version":1}}]', { ok: false, code: 'ERR_TWIN_FORM' }],
    ['that is a number is no twin', '7', { ok: false, code: 'ERR_TWIN_FORM' }],
    ['whose desired is null is no twin', '{"desired":null}', { ok: false, code: 'ERR_TWIN_FORM' }],
    ['whose reported is an array is no twin', '{"desired":{"$version":1},"reported":[]}', { ok: false, code: 'ERR_TWIN_FORM' }],
    ['without version is refused', '{"desired":{"temp":1}}', { ok: false, code: 'ERR_TWIN_VERSION' }],
    ['whose reported has no version is refused', '{"desired":{"$version":1},"reported":{}}', { ok: false, code: 'ERR_TWIN_VERSION' }],
    ['with bytes behind it is refused', '{"desired":{"$version":1}}x', { ok: false, code: 'ERR_JSON_SYNTAX' }],
    ['with a malformed value that nobody wants is refused', '{"desired":{"other":[01],"$version":1}}', { ok: false, code: 'ERR_JSON_SYNTAX' }],
    ['33 levels deep is refused', `{"desired":{"$version":1,"x":${'['.repeat(31)}${']'.repeat(31)}}}`, { ok: false, code: 'ERR_JSON_DEPTH' }],
  ];
  test.each(cases)('%s', (_, text, result) => {
    expect(scanText('answer', text)).toEqual(result);
    expect(scan('answer', cutEvery(utf8(text), 1))).toEqual(result);
  });

  test.each(['-1', '1.0', '1e1', '"1"', 'null', '9007199254740992', '12345678901234567', '[1]', '{}'])('with version %s is refused', (version) => {
    expect(scanText('answer', `{"desired":{"$version":${version}}}`)).toEqual({ ok: false, code: 'ERR_TWIN_VERSION' });
  });

  test('with the largest exact version is read', () => {
    expect(scanText('answer', '{"desired":{"$version":9007199254740991}}')).toEqual({ ok: true, desired: section(9007199254740991), reported: undefined });
  });
});

describe('a desired patch', () => {
  test('gives its version, what changed and what was deleted', () => {
    expect(scanText('patch', '{"temp":{"target":null},"roots":null,"other":1,"desired":{"temp":3},"$version":8}')).toEqual({
      ok: true,
      desired: section(8, { temp: { target: null }, roots: null }),
      reported: undefined,
    });
  });

  test.each(['[]', 'null', '"x"'])('%s is none', (text) => {
    expect(scanText('patch', text)).toEqual({ ok: false, code: 'ERR_TWIN_FORM' });
  });

  test('without version is refused', () => {
    expect(scanText('patch', '{"temp":1}')).toEqual({ ok: false, code: 'ERR_TWIN_VERSION' });
  });
});

describe('a registered value', () => {
  const refusedAs = (code: string): object => ({ ok: true, desired: section(1, { roots: 1 }, { temp: code }), reported: undefined });
  const around = (json: string): string => `{"temp":${json},"roots":1,"$version":1}`;

  const cases: readonly (readonly [string, string, string, Partial<TwinLimits>])[] = [
    ['above the limit in bytes', `"${'a'.repeat(4096 + 64 - 1)}"`, 'ERR_JSON_SIZE', {}],
    ['deeper than the limit', '[[[[]]]]', 'ERR_JSON_DEPTH', { maxDepth: 3 }],
    ['with more members than the limit', '{"a":[1,2,3]}', 'ERR_JSON_MEMBERS', { maxMembers: 4 }],
    ['with a name above the limit', '{"abcd":1}', 'ERR_JSON_NAME', { maxNameBytes: 3 }],
    ['that names the prototype', '{"__proto__":{"admin":true}}', 'ERR_JSON_NAME', {}],
    ['with a number that the chip cannot parse', '1'.repeat(256), 'ERR_JSON_NUMBER', {}],
  ];
  test.each(cases)('%s is refused by name, and the others are kept', (_, json, code, limits) => {
    const bytes = utf8(around(json));
    for (const size of [1, 7, 1024, bytes.length]) expect(scan('patch', cutEvery(bytes, size), limits)).toEqual(refusedAs(code));
  });

  test('of exactly the limit is kept', () => {
    const value = 'a'.repeat(4096 + 64 - 2);
    const bytes = utf8(around(`"${value}"`));
    for (const size of [1, 1000, bytes.length]) expect(scan('patch', cutEvery(bytes, size))).toEqual({ ok: true, desired: section(1, { temp: value, roots: 1 }), reported: undefined });
  });

  test('that takes all values together above their limit is refused, and smaller ones behind it are kept', () => {
    const text = '{"temp":"abcdef","roots":"abcdef","é€😀":1,"$version":1}';
    expect(scanText('patch', text, { maxTotalBytes: 10 })).toEqual({ ok: true, desired: section(1, { temp: 'abcdef', 'é€😀': 1 }, { roots: 'ERR_JSON_SIZE' }), reported: undefined });
  });

  test('that is taken as it streams by may have its full size, however much is kept already', () => {
    const taken: unknown[] = [];
    const scanner = new TwinScanner({
      form: 'patch', desired, text: textCodec, names: new NameBudget(), limits: { maxValueBytes: 12, maxTotalBytes: 14 },
      take: (name, value) => name === 'roots' && taken.push(value) > 0,
    });
    for (const piece of cutEvery(utf8('{"temp":"abcdefgh","roots":"abcdefghij","é€😀":"abcd","$version":1}'), 5)) scanner.feed(piece);
    expect(scanner.end()).toEqual({ ok: true, desired: section(1, { temp: 'abcdefgh' }, { 'é€😀': 'ERR_JSON_SIZE' }), reported: undefined });
    expect(taken).toEqual(['abcdefghij']);
  });

  test('that was refused and comes again in a form that fits is kept, and the other way round', () => {
    expect(scanText('patch', '{"temp":[[[1]]],"temp":2,"$version":1}', { maxDepth: 2 })).toEqual({ ok: true, desired: section(1, { temp: 2 }), reported: undefined });
    expect(scanText('patch', '{"temp":2,"temp":[[[1]]],"$version":1}', { maxDepth: 2 })).toEqual({ ok: true, desired: section(1, {}, { temp: 'ERR_JSON_DEPTH' }), reported: undefined });
  });

  test('whose names are beyond the budget of the program is refused, and costs it nothing', () => {
    const names = new NameBudget({ maxNames: 2 });
    expect(scanText('patch', around('{"a":1,"b":1,"c":1}'), {}, names)).toEqual(refusedAs('ERR_JSON_NAMES'));
    expect(names.count).toBe(0);
    expect(scanText('patch', around('{"a":1,"b":1}'), {}, names)).toMatchObject({ ok: true, desired: { refused: new Map() } });
    expect(names.count).toBe(2);
  });
});

test('names that are not registered cost the program none of its names', () => {
  const names = new NameBudget();
  const members = Array.from({ length: 500 }, (_, index) => `"unknown${index}":{"deep${index}":${index}}`).join(',');
  expect(scanText('answer', `{"desired":{${members},"$version":1}}`, {}, names)).toMatchObject({ ok: true });
  expect(names.count).toBe(0);
});

test('once a document is refused, feeding on is harmless', () => {
  const scanner = new TwinScanner({ form: 'patch', desired, text: textCodec, names: new NameBudget() });
  expect(scanner.feed(utf8('{"temp":1,,'))).toBe(false);
  expect(scanner.feed(utf8('"$version":1}'))).toBe(false);
  expect(scanner.end()).toEqual({ ok: false, code: 'ERR_JSON_SYNTAX' });
  expect(scanner.end()).toEqual({ ok: false, code: 'ERR_JSON_SYNTAX' });
});

test.each(['', '$version', '__proto__'])('"%s" cannot be registered', (name) => {
  expect(() => new PropertyNames(['a', name], textCodec)).toThrow(new TypeError(`names: ${JSON.stringify(name)} is no name of a twin's property`));
});

test('what is malformed by itself is malformed as the value of any property, byte by byte', () => {
  let count = 0;
  for (const { name, latin1, code } of JSON_CASES) {
    if (!name.startsWith('n_') || name.startsWith('n_structure') || code === 'ERR_JSON_TRUNCATED' || latin1.length > 1000) continue;
    for (const property of ['temp', 'other']) {
      const bytes = Uint8Array.from(Buffer.from(`{"${property}":${latin1},"$version":1}`, 'latin1'));
      expect([name, scan('patch', cutEvery(bytes, 1))]).toEqual([name, { ok: false, code }]);
    }
    count++;
  }
  expect(count).toBeGreaterThan(60);
});

/** Twins of every shape: registered and other names, sections in any order. */
const anySection = fc.tuple(fc.dictionary(fc.oneof(fc.constantFrom(...DESIRED, ...REPORTED, '$metadata', 'desired', 'toString'), fc.string({ unit: 'binary' })), fc.jsonValue({ maxDepth: 5, stringUnit: 'binary' })), fc.nat()).map(([values, $version]) => ({ ...values, $version }));
const anyTwin = fc.record({ desired: anySection, reported: anySection, other: fc.jsonValue({ maxDepth: 5 }) }, { requiredKeys: ['desired'] });

const NONE = new Map();

/** `undefined`: Node refuses it, or it is no twin. */
function expectedOf(bytes: Uint8Array): unknown {
  const judgement = judgeTwin(bytes, 'answer', DESIRED, REPORTED);
  if (judgement === undefined) return undefined;
  return { ok: true, desired: { ...judgement.desired, refused: NONE }, reported: judgement.reported && { ...judgement.reported, refused: NONE } };
}

test('every twin in any pieces gives what JSON.parse gives', () => {
  let whole = 0;
  fc.assert(
    fc.property(anyTwin, fc.array(fc.nat()), fc.constantFrom(undefined, 1), (twin, cuts, indent) => {
      const text = JSON.stringify(twin, undefined, indent);
      const bytes = utf8(text);
      if (judge(bytes).ok === false || text.includes('__proto__')) return;
      expect(scan('answer', cutAt(bytes, cuts), WIDE)).toEqual(expectedOf(bytes));
      expect(scan('answer', cutEvery(bytes, 1), WIDE)).toEqual(expectedOf(bytes));
      whole++;
    }),
    { seed: 20_261_122, numRuns: 120 },
  );
  expect(whole).toBeGreaterThan(100);
});

test('a mutated twin is refused where Node refuses it, and gives the same values where Node reads it', () => {
  const outcomes = { same: 0, malformed: 0, notTwin: 0 };
  fc.assert(
    fc.property(anyTwin, fc.array(fc.nat()), fc.array(fc.tuple(fc.nat(), fc.nat(2), fc.oneof(fc.constantFrom(...[...'{}[]:,"\\0123.eE tfn$'].map((c) => c.charCodeAt(0))), fc.nat(255))), { minLength: 1, maxLength: 3 }), (twin, cuts, changes) => {
      const changed = [...utf8(JSON.stringify(twin))];
      for (const [place, kind, byte] of changes) changed.splice(place % (changed.length + 1), kind === 0 ? 0 : 1, ...(kind === 1 ? [] : [byte]));
      const bytes = Uint8Array.from(changed);
      if (Buffer.from(bytes).includes('__proto__')) return;
      const expected = expectedOf(bytes);
      const found = scan('answer', cutAt(bytes, cuts), WIDE);
      if (expected !== undefined) {
        // JSON.parse does not tell 1.0 from 1.
        if (!found.ok && found.code === 'ERR_TWIN_VERSION') return;
        expect(found).toEqual(expected);
        outcomes.same++;
      } else if (judge(bytes).ok) {
        expect(found).toEqual({ ok: false, code: expect.stringMatching(/^ERR_TWIN_/) });
        outcomes.notTwin++;
      } else {
        expect(found).toEqual({ ok: false, code: expect.stringMatching(/^ERR_(JSON|TWIN_FORM)/) });
        outcomes.malformed++;
      }
    }),
    { seed: 20_261_122, numRuns: 500 },
  );
  expect(Math.min(outcomes.same, outcomes.malformed, outcomes.notTwin)).toBeGreaterThan(5);
});
