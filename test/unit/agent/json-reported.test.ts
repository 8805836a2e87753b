import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { copyReported } from '../../../firmware/agent/json/copy-reported.ts';
import type { JsonObject } from '../../../firmware/agent/json/json-value.ts';
import { mergeReported } from '../../../firmware/agent/json/merge-reported.ts';
import { reportedSize, reportedSizeBound } from '../../../firmware/agent/json/reported-size.ts';

function problemOf(action: () => unknown): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string };
    return `${code}: ${message}`;
  }
}

const nested = (levels: number, leaf: unknown): unknown => (levels === 0 ? leaf : { a: nested(levels - 1, leaf) });
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;

describe('what IoT Hub takes', () => {
  test.each<readonly [string, unknown]>([
    ['every type', { a: null, b: true, c: -1.5, d: 'x', e: { f: [1, 'two', [null], { g: false }] } }],
    ['names of built-ins', { toString: 1, constructor: { valueOf: 2 }, hasOwnProperty: 3 }],
    ['ten levels below the section', { one: nested(9, { property: 'value' }) }],
    ['a name of 1 KiB', { ['é'.repeat(512)]: 1 }],
    ['a string of 4 KiB', { a: '€'.repeat(1365) + 'x' }],
    ['the largest and smallest integer', { a: 4503599627370495, b: -4503599627370496 }],
    ['a number with an exponent', { a: 1e21, b: -1e300, c: 5e-324 }],
    ['nothing', {}],
  ])('%s is copied', (_, patch) => {
    expect(plain(copyReported(patch))).toEqual(patch);
  });

  test('members that are undefined are left out, null stays', () => {
    expect(plain(copyReported({ a: undefined, b: null, c: { d: undefined } }))).toEqual({ b: null, c: {} });
  });

  test('later changes of the original do not show in the copy', () => {
    const patch = { list: [1], inner: { a: 1 } };
    const copy = copyReported(patch);
    patch.list.push(2);
    patch.inner.a = 2;
    expect(plain(copy)).toEqual({ list: [1], inner: { a: 1 } });
  });
});

describe('what it would refuse', () => {
  const circle: Record<string, unknown> = {};
  circle['a'] = circle;
  test.each<readonly [string, unknown, string]>([
    ['no object', 5, 'the patch is no object; report an object of properties'],
    ['an array', [1], 'the patch is no object; report an object of properties'],
    ['null', null, 'the patch is no object; report an object of properties'],
    ['eleven levels', { one: nested(10, { property: 'value' }) }, '"one.a.a.a.a.a.a.a.a.a.a" is deeper than 10 levels; report less nested values'],
    ['a circle', circle, '"a.a.a.a.a.a.a.a.a.a.a" is deeper than 10 levels; report less nested values'],
    ['a name with a dot', { a: { 'b.c': 1 } }, '"a.b.c" has "$", ".", "#" or a space in its name; rename it'],
    ['a name with a dollar', { $version: 1 }, '"$version" has "$", ".", "#" or a space in its name; rename it'],
    ['a name with a number sign, which only the service itself tells of', { 'a#b': 1 }, '"a#b" has "$", ".", "#" or a space in its name; rename it'],
    ['a name with a space', { 'a b': 1 }, '"a b" has "$", ".", "#" or a space in its name; rename it'],
    ['a name with a control character of C0', { 'a\n': 1 }, '"a\\n" has a control character in its name; rename it'],
    ['a name with a control character of C1', { 'a\x9f': 1 }, '"a\x9f" has a control character in its name; rename it'],
    ['a name above 1 KiB', { ['x'.repeat(1025)]: 1 }, `"${'x'.repeat(100)}…" has a name above 1024 bytes; rename it`],
    ['a name with half a pair', { '\ud800': 1 }, '"\\ud800" has half of a surrogate pair in its name; rename it'],
    ['the name of the prototype', JSON.parse('{"__proto__":{"a":1}}'), '"__proto__" has a reserved name; rename it'],
    ['a string above 4 KiB', { a: ['x'.repeat(4097)] }, '"a.0" is a string above 4096 bytes; report it in parts or send it as telemetry'],
    ['half a pair', { a: 'x\ude00' }, '"a" holds half of a surrogate pair; report bytes as base64'],
    ['an integer of 53 bits', { a: 4503599627370496 }, '"a" is an integer beyond 52 bits; report a string'],
    ['an integer of 53 bits below zero', { a: -4503599627370497 }, '"a" is an integer beyond 52 bits; report a string'],
    ['NaN, which would delete', { a: { b: NaN } }, '"a.b" is NaN, which JSON cannot say; report null or a string'],
    ['Infinity', { a: -Infinity }, '"a" is -Infinity, which JSON cannot say; report null or a string'],
    ['a function', { a: () => 1 }, '"a" is of type function; report a value of JSON'],
    ['a bigint', { a: 1n }, '"a" is of type bigint; report a value of JSON'],
    ['a hole in an array', { a: [1, undefined] }, '"a.1" is of type undefined; report a value of JSON'],
    ['a sparse array', { a: new Array(2) }, '"a.0" is of type undefined; report a value of JSON'],
    ['a date', { a: new Date(0) }, '"a" is no plain object; report its fields or a string'],
    ['a map', { a: new Map() }, '"a" is no plain object; report its fields or a string'],
    ['bytes', { a: new Uint8Array(1) }, '"a" is no plain object; report its fields or a string'],
    ['more than 32 KiB', Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`n${i}`, 'x'.repeat(4000)])), '"n8" takes the report above 32768 bytes; report less at once'],
  ])('%s is refused with ERR_REPORTED, where it is and what to do', (_, patch, message) => {
    expect(problemOf(() => copyReported(patch))).toBe(`ERR_REPORTED: reported properties: ${message}`);
  });

  test('values are not said: they may be secrets', () => {
    expect(problemOf(() => copyReported({ password: 'hunter2'.repeat(1000) }))).not.toContain('hunter2');
  });

  test('an array that would never end is refused before its places are listed', () => {
    expect(problemOf(() => copyReported({ a: new Array(2 ** 32 - 1) }))).toContain('ERR_REPORTED');
  });
});

// "Device twin size": a name and a string count as UTF-8 without control characters, a number 8 bytes, a boolean 4.
test.each<readonly [JsonObject, number]>([
  [{}, 0],
  [{ abc: 1 }, 3 + 8],
  [{ a: true, b: false }, 1 + 4 + 1 + 4],
  [{ a: 'é€😀' }, 1 + 2 + 3 + 4],
  [{ a: 'x\n\x7f\x80\x9fy' }, 1 + 2],
  [{ a: { b: { c: 'd' } } }, 4],
  [{ a: [1, 'xy', { b: null }] }, 1 + 8 + 2 + 1],
])('%j counts %i bytes', (section, size) => {
  expect(reportedSize(section)).toBe(size);
});

test('a report of exactly the limit is copied, with as many control characters as it likes; one byte more is refused', () => {
  for (const text of ['x'.repeat(9), '\n'.repeat(5) + 'x'.repeat(9) + '\x7f\x9f', '€€€', '\t😀😀x']) {
    expect(plain(copyReported({ a: text }, { maxBytes: 10 }))).toEqual({ a: text });
    expect(problemOf(() => copyReported({ a: `${text}y` }, { maxBytes: 10 }))).toBe('ERR_REPORTED: reported properties: "a" takes the report above 10 bytes; report less at once');
  }
});

test('the cheap bound of a size is never below it', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ stringUnit: 'binary' }), { noNullPrototype: true }), (section) => {
      const exact = reportedSize(section as JsonObject);
      if (!Number.isNaN(exact)) expect(reportedSizeBound(section as JsonObject)).toBeGreaterThanOrEqual(exact);
    }),
    { seed: 20_261_122, numRuns: 200 },
  );
});

/** RFC 7396, section 2, word for word: the judge of what a patch does. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = mergePatch(result[name], value);
  }
  return result;
}

// RFC 7396, appendix A, so far as both are objects.
test.each([
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
])('the judge merges %j and %j as the RFC does', (target, patch, result) => {
  expect(mergePatch(target, patch)).toEqual(result);
});

describe('two patches as one', () => {
  test.each<readonly [JsonObject, JsonObject, JsonObject]>([
    [{ a: 1 }, { b: 2 }, { a: 1, b: 2 }],
    [{ a: 1 }, { a: 2 }, { a: 2 }],
    [{ a: { x: 1 } }, { a: { y: null } }, { a: { x: 1, y: null } }],
    [{ a: { x: 1 } }, { a: null }, { a: null }],
    [{ a: null }, { a: 5 }, { a: 5 }],
    [{ a: { x: { y: 1 } } }, { a: { x: { z: 2 } }, b: {} }, { a: { x: { y: 1, z: 2 } }, b: {} }],
    [{ a: [1, 2] }, { a: [3] }, { a: [3] }],
    [{}, { toString: { a: 1 } }, { toString: { a: 1 } }],
  ])('%j and %j are %j', (pending, patch, merged) => {
    expect(plain(mergeReported(copyReported(pending), copyReported(patch)))).toEqual(merged);
  });

  test.each<readonly [JsonObject, JsonObject]>([
    [{ a: null }, { a: { y: 1 } }],
    [{ a: 1 }, { a: {} }],
    [{ a: [1] }, { a: { y: 1 } }],
    [{ a: { b: null } }, { a: { b: { c: 1 } } }],
  ])('%j and %j are no single patch', (pending, patch) => {
    expect(mergeReported(pending, patch)).toBeUndefined();
  });

  test('above the limit are no single patch', () => {
    expect(mergeReported({ a: 'xxxx' }, { b: 'yyyy' }, { maxBytes: 10 })).toBeDefined();
    expect(mergeReported({ a: 'xxxx' }, { b: 'yyyy' }, { maxBytes: 9 })).toBeUndefined();
  });

  test('do to every document what they do one after the other, and are not changed; where there is none, some document shows it', () => {
    const names = fc.constantFrom('a', 'b', 'toString');
    const { patch: anyPatch } = fc.letrec((tie) => ({
      patch: fc.dictionary(names, tie('value'), { maxKeys: 3, noNullPrototype: true }),
      value: fc.oneof({ depthSize: 'small' }, fc.constant(null), fc.constantFrom(1, 'x', true), fc.array(fc.constant(1), { maxLength: 2 }), tie('patch')),
    }));
    const outcomes = { merged: 0, apart: 0 };
    fc.assert(
      fc.property(anyPatch, anyPatch, fc.array(anyPatch, { minLength: 1, maxLength: 5 }), (first, second, documents) => {
        const [pending, patch] = [copyReported(first), copyReported(second)];
        const merged = mergeReported(pending, patch);
        expect([plain(pending), plain(patch)]).toEqual([plain(first), plain(second)]);
        if (merged === undefined) {
          outcomes.apart++;
          return;
        }
        outcomes.merged++;
        for (const document of documents) expect(mergePatch(document, plain(merged))).toEqual(mergePatch(mergePatch(document, plain(first)), plain(second)));
      }),
      { seed: 20_261_122, numRuns: 1500 },
    );
    expect(outcomes.merged).toBeGreaterThan(300);
    expect(outcomes.apart).toBeGreaterThan(50);
  });
});
