import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checkProperties, checkSize, measureProperties } from '../../host-sim/hub/twins/check-properties.ts';
import { restoreJsonObject, type JsonObject } from '../../host-sim/hub/twins/json.ts';
import { mergeProperties } from '../../host-sim/hub/twins/merge-properties.ts';

const STAMP = { lastUpdated: '2026-11-22T00:00:00.000Z', version: 7 };

/** RFC 7396, section 2, word for word, over Maps so that no name is special. */
type Tree = Map<string, Tree> | string;
function oracleMerge(target: Tree | undefined, patch: Tree): Tree {
  if (typeof patch === 'string') return patch;
  const result = new Map(target instanceof Map ? target : []);
  for (const [name, value] of patch) {
    if (value === 'null') result.delete(name);
    else result.set(name, oracleMerge(result.get(name), value));
  }
  return result;
}

function toTree(value: unknown): Tree {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return JSON.stringify(value);
  return new Map(Object.entries(value).map(([name, item]) => [name, toTree(item)]));
}

/** Names that are special to JavaScript among ordinary ones. */
const names = fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor', 'hasOwnProperty', 'toString', '0');
const documents = fc.letrec<{ value: unknown; object: [string, unknown][] }>((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, fc.constant(null), fc.boolean(), fc.integer({ min: -9, max: 9 }), fc.constant('x'), fc.constant([1, { n: null }]), tie('object').map(fromEntries)),
  object: fc.array(fc.tuple(names, tie('value')), { maxLength: 4 }),
})).object.map(fromEntries);

/** As `JSON.parse` makes it: `__proto__` is an own member. */
function fromEntries(entries: unknown): object {
  const text = (entries as [string, unknown][]).map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join();
  return JSON.parse(`{${text}}`) as object;
}

const take = (value: object): JsonObject => restoreJsonObject(value);

test('merges patches as RFC 7396 says, whatever the names, and changes neither of its inputs', () => {
  fc.assert(
    fc.property(fc.array(documents, { minLength: 1, maxLength: 6 }), (patches) => {
      let kept = mergeProperties(undefined, take({}), STAMP);
      let oracle: Tree = new Map();
      for (const patch of patches) {
        const before = JSON.stringify(kept);
        const text = JSON.stringify(patch);
        const next = mergeProperties(kept, checkProperties(patch, 'desired', 'refused'), STAMP);
        oracle = oracleMerge(oracle, toTree(patch));
        expect(toTree(next.value)).toEqual(oracle);
        expect([JSON.stringify(kept), JSON.stringify(patch)]).toEqual([before, text]);
        kept = next;
      }
    }),
    { numRuns: 500, seed: 1 },
  );
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test('keeps metadata of exactly the shape of the document', () => {
  const shapeOf = (tree: unknown): unknown => {
    if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) return 'leaf';
    const members = Object.entries(tree).filter(([name]) => !name.startsWith('$'));
    return members.length === 0 ? 'leaf' : Object.fromEntries(members.map(([name, item]) => [name === '__proto__' ? 'proto' : name, shapeOf(item)]));
  };
  fc.assert(
    fc.property(fc.array(documents, { minLength: 1, maxLength: 6 }), (patches) => {
      let kept = mergeProperties(undefined, take({}), STAMP);
      for (const patch of patches) kept = mergeProperties(kept, checkProperties(patch, 'desired', 'refused'), STAMP);
      expect(shapeOf(kept.metadata)).toEqual(shapeOf(kept.value));
    }),
    { numRuns: 300, seed: 2 },
  );
});

test('stamps every level and leaf along a patch and leaves the stamps beside it', () => {
  const first = mergeProperties(undefined, take({ a: { b: 1, c: 2 }, d: 3 }), { lastUpdated: 'one', version: 2 });
  const second = mergeProperties(first, take({ a: { b: 9, gone: null } }), { lastUpdated: 'two', version: 3 });
  const old = { $lastUpdated: 'one', $lastUpdatedVersion: 2 };
  const fresh = { $lastUpdated: 'two', $lastUpdatedVersion: 3 };
  expect(second.metadata).toEqual({ ...fresh, a: { ...fresh, b: fresh, c: old }, d: old });
});

test('a removed member is stamped on the levels above it', () => {
  const first = mergeProperties(undefined, take({ a: { b: 1 }, d: 3 }), { lastUpdated: 'one' });
  const second = mergeProperties(first, take({ a: { b: null } }), { lastUpdated: 'two' });
  expect(second).toEqual({ value: { a: {}, d: 3 }, metadata: { $lastUpdated: 'two', a: { $lastUpdated: 'two' }, d: { $lastUpdated: 'one' } } });
});

const nest = (levels: number): object => (levels === 0 ? { property: 'value' } : { level: nest(levels - 1) });
const nestArrays = (levels: number): unknown => (levels === 0 ? 1 : [nestArrays(levels - 1)]);

test.each<[string, unknown]>([
  ['ten levels below the part, as the documents show', nest(10)],
  ['a key of 1,024 bytes', { ['k'.repeat(1_024)]: 1 }],
  ['a key of 512 characters with two bytes each', { ['é'.repeat(512)]: 1 }],
  ['a value of 4,096 bytes', { a: 'v'.repeat(4_096) }],
  ['the smallest and the largest integer', { a: -4_503_599_627_370_496, b: 4_503_599_627_370_495 }],
  ['numbers that are no integers', { a: 1.5e300, b: -0.1, c: 1e21 }],
  ['an array of anything', { a: [1, 'two', null, { three: 3 }, [true]] }],
  ['names that mean something to JavaScript', JSON.parse('{"__proto__": {"polluted": 1}, "constructor": {"prototype": 1}}')],
  ['other scripts, slashes and quotes', { 'größe/数"x"': 1 }],
])('takes %s', (_what, properties) => {
  const checked = checkProperties(properties, 'desired', 'refused');
  expect(JSON.parse(JSON.stringify(checked))).toEqual(JSON.parse(JSON.stringify(properties)));
});

const INVALID_NAME = /^Property or Tag name has invalid characters\. Error in Property\/Tag .*Must not contain Control Characters, '\.', '\$', '#', or ' '\.$/s;

test.each<[string, unknown, RegExp]>([
  ['no object', 'text', /must be a JSON object/],
  ['null', null, /must be a JSON object/],
  ['an array', [1], /must be a JSON object/],
  ['eleven levels', nest(11), /depth .* exceeds 10/],
  ['eleven levels of arrays', { a: nestArrays(11) }, /depth .* exceeds 10/],
  ['100,000 levels', JSON.parse(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`), /depth .* exceeds 10/],
  ['a key of 1,025 bytes', { ['k'.repeat(1_025)]: 1 }, /length of property name k+… exceeds 1024 bytes/],
  ['a value of 4,097 bytes', { a: 'v'.repeat(4_097) }, /value of property a exceeds 4096 bytes/],
  ['a value of 2,049 characters with two bytes each', { a: 'é'.repeat(2_049) }, /value of property a exceeds 4096 bytes/],
  ['a long value in an array', { a: ['v'.repeat(4_097)] }, /value of property a exceeds/],
  ['an integer above the largest', { a: 4_503_599_627_370_496 }, /must lie between -4503599627370496 and 4503599627370495/],
  ['an integer below the smallest', { a: -4_503_599_627_370_497 }, /must lie between/],
  ['an integer above the largest in an array', { a: [{ b: 1e15 * 9 }] }, /must lie between/],
  ['a dot in a key', { 'a.b': 1 }, INVALID_NAME],
  ['a space in a key', { 'a b': 1 }, INVALID_NAME],
  ['a dollar in a key', { a: { $b: 1 } }, INVALID_NAME],
  ['a number sign in a key', { 'a#': 1 }, INVALID_NAME],
  ['a C0 control in a key', { 'a\u0001': 1 }, INVALID_NAME],
  ['a C1 control in a key', { 'a\u0085': 1 }, INVALID_NAME],
  ['a bad key in an array', { a: [{ 'b.c': 1 }] }, INVALID_NAME],
  ['$version of a device', { $version: 3 }, INVALID_NAME],
])('refuses %s with 400004', (_what, properties, message) => {
  const check = (): unknown => checkProperties(properties, 'reported', 'refused');
  expect(check).toThrow(message);
  expect(check).toThrow(expect.objectContaining({ status: 400, code: 400_004, reason: 'ArgumentInvalid' }));
});

test('a service may send back $metadata and $version, which change nothing, at the top only', () => {
  expect(checkProperties({ $metadata: { x: 1 }, $version: 4, a: 1 }, 'desired', 'ignored')).toEqual({ a: 1 });
  expect(() => checkProperties({ a: { $version: 4 } }, 'desired', 'ignored')).toThrow(INVALID_NAME);
});

test.each<[string, object, number]>([
  ['nothing', {}, 0],
  ['a key and text', { ab: 'cde' }, 5],
  ['UTF-8 bytes, not characters', { é: '数' }, 5],
  ['8 for a number, 4 for a boolean', { a: 1, b: 1.5, c: true }, 23],
  ['no control characters', { a: 'x\u0000\u001f\u007f\u0085y' }, 3],
  ['what nested objects contain', { a: { b: { c: 'd' } } }, 4],
  ['what arrays contain', { a: ['bc', 1, false] }, 15],
])('counts %s', (_what, properties, bytes) => {
  expect(measureProperties(take(properties))).toBe(bytes);
});

function ofBytes(bytes: number): JsonObject {
  const properties: Record<string, string> = {};
  for (let left = bytes, index = 0; left > 0; index++) {
    const value = 'v'.repeat(Math.min(left - 4, 4_092));
    properties[String(1_000 + index)] = value;
    left -= value.length + 4;
  }
  return take(properties);
}

test.each([
  ['tags', 8 * 1024],
  ['desired', 32 * 1024],
  ['reported', 32 * 1024],
] as const)('lets %s grow to %i bytes and no further', (part, limit) => {
  expect(measureProperties(ofBytes(limit))).toBe(limit);
  checkSize(ofBytes(limit), part);
  const grow = (): void => checkSize(ofBytes(limit + 5), part);
  expect(grow).toThrow(`would take ${limit + 5} bytes; at most ${limit} are allowed`);
  expect(grow).toThrow(expect.objectContaining({ status: 413, code: 413_001 }));
});

test('text of control characters, which does not count, has an end too', () => {
  const controls = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`k${index}`, '\u0001'.repeat(4_000)]));
  expect(measureProperties(take(controls))).toBeLessThan(200);
  expect(() => checkSize(take(controls), 'reported')).toThrow('characters of JSON');
});
