import { beforeAll, expect, test } from '@jest/globals';

import type { Creation } from '../../host-sim/board/creation.ts';
import { recordEvidence } from '../evidence.ts';
import { ROOMY, useBoard } from '../fakes/board-fixture.ts';
import { JSON_CASES } from '../unit/agent/json-cases.ts';
import { jsonScript, preloadedAgent } from './json-board.ts';

/** Exit codes of a board whose stack or keys are used up. */
const EXIT_STACK = 12;
const EXIT_KEYS = 16;
/** 128 names of the default budget, and some of the script. */
const FIXED_KEYS: Creation = { ...ROOMY, keys: { initial: 160, incremental: 0 } };
/** Slots of the XS stack, of 512 in the manifest: sessions and callbacks lie below. */
const BUDGET_STACK_SLOTS = 360;

/** Without `Uint8Array.from`, which lists the characters first. */
const LATIN1 = 'const latin1 = (text) => { const bytes = new Uint8Array(text.length); for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i); return bytes; };\n';
/** A number of 54 bits: an engine may round it in its own way. */
const READ_OTHERWISE = ['i_number_54_bits'];

const fixture = useBoard('32-bit');
let preload: string;
beforeAll(async () => {
  preload = await preloadedAgent();
});

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;

test('XS reads and refuses every case of the table as Node does', async () => {
  const cases = JSON_CASES.filter(({ name, latin1 }) => latin1.length < 10_000 && !READ_OTHERWISE.includes(name));
  const script = `${LATIN1}
    for (const text of ${JSON.stringify(cases.map(({ latin1 }) => latin1))}) print(parseBounded(latin1(text), { text: textCodec, names: new NameBudget() }));
    board.exit(0);`;
  const { lines, exit } = await fixture.run(jsonScript(script), { preload });
  expect(exit).toMatchObject({ code: 0 });
  const expected = cases.map(({ latin1, code }) => (code === undefined ? { ok: true, value: JSON.parse(Buffer.from(latin1, 'latin1').toString()) as unknown } : { ok: false, code }));
  expect(lines.map((line, index) => [cases[index]!.name, line])).toEqual(expected.map((result, index) => [cases[index]!.name, plain(result)]));
  recordEvidence('json-board-cases', lines.length);
});

const FLOOD = 'const flood = (use) => { for (let i = 0; i < 3000; i++) use(`{"key${i}":{"known":${i}}}`); };\n';

test('3,000 messages with a new name each leave the board its keys: the first 127 are read, the others refused, known names go on', async () => {
  const script = `${LATIN1}${FLOOD}
    const names = new NameBudget();
    const outcomes = {};
    flood((text) => { const result = parseBounded(latin1(text), { text: textCodec, names }); const kind = result.ok ? "read" : result.code; outcomes[kind] = (outcomes[kind] ?? 0) + 1; });
    print(outcomes);
    print(parseBounded(latin1('{"known":{"key7":[1]}}'), { text: textCodec, names }));
    board.exit(0);`;
  const { lines, exit, report } = await fixture.run(jsonScript(script), { preload, creation: FIXED_KEYS });
  expect(exit).toMatchObject({ code: 0 });
  expect(lines).toEqual([{ read: 127, ERR_JSON_NAMES: 2873 }, { ok: true, value: { known: { key7: [1] } } }]);
  expect(report?.keys).toBeLessThanOrEqual(140);
});

test('the same messages end a board that hands them to JSON.parse', async () => {
  const { exit } = await fixture.run(jsonScript(`${FLOOD}flood((text) => JSON.parse(text)); board.exit(0);`), { preload, creation: FIXED_KEYS });
  expect(exit).toMatchObject({ code: EXIT_KEYS });
});

test('8,000 open arrays are refused, and end a board that hands them to JSON.parse', async () => {
  const deep = 'const deep = "[".repeat(8000) + "]".repeat(8000);\n';
  const guarded = await fixture.run(jsonScript(`${LATIN1}${deep}print(parseBounded(latin1(deep), { text: textCodec, names: new NameBudget(), limits: { maxBytes: 20_000 } })); board.exit(0);`), { preload });
  expect(guarded.exit).toMatchObject({ code: 0 });
  expect(guarded.lines).toEqual([{ ok: false, code: 'ERR_JSON_DEPTH' }]);
  const bare = await fixture.run(jsonScript(`${deep}try { JSON.parse(deep); } catch {} board.exit(0);`), { preload });
  expect(bare.exit).toMatchObject({ code: EXIT_STACK });
});

test('the largest that the default limits let through fits the stack and 60 KB of heap', async () => {
  const value = `[${'{"a":'.repeat(13)}[${'{},'.repeat(240)}"${'x'.repeat(7000)}"]${'}'.repeat(13)}]`;
  const script = `${LATIN1}const result = parseBounded(latin1(${JSON.stringify(value)}), { text: textCodec, names: new NameBudget() }); print({ ok: result.ok, code: result.code }); board.exit(0);`;
  const creation: Creation = { ...ROOMY, chunk: { initial: 40 * 1024, incremental: 0 }, heap: { initial: 1280, incremental: 0 } };
  const { lines, exit, report } = await fixture.run(jsonScript(script), { preload, creation });
  expect(exit).toMatchObject({ code: 0 });
  expect(lines).toEqual([{ ok: true }]);
  expect(report?.stackPeak).toBeLessThanOrEqual(BUDGET_STACK_SLOTS);
});

test('reported properties with names of built-ins and ten levels are copied, merged and written as on Node', async () => {
  const script = `
    const nested = (levels, leaf) => levels === 0 ? leaf : { a: nested(levels - 1, leaf) };
    const first = copyReported({ toString: 1, constructor: { name: null }, deep: nested(9, { x: 1 }) });
    const second = copyReported({ toString: 2, constructor: { length: [1, "\u20ac"] }, deep: nested(9, { y: null }), gone: undefined });
    print(mergeReported(first, second));
    print({ apart: mergeReported(copyReported({ a: null }), copyReported({ a: { b: 1 } })) === undefined });
    for (const patch of [{ a: NaN }, { "a.b": 1 }, { a: nested(11, 1) }, { a: new Date(0) }]) print(caught(() => copyReported(patch)));
    board.exit(0);`;
  const nested = (levels: number, leaf: unknown): unknown => (levels === 0 ? leaf : { a: nested(levels - 1, leaf) });
  const { lines, exit, report } = await fixture.run(jsonScript(script), { preload });
  expect(exit).toMatchObject({ code: 0 });
  const refusal = (text: string): object => ({ error: `LatchkeyError: reported properties: ${text}` });
  expect(lines).toEqual([
    { toString: 2, constructor: { name: null, length: [1, '€'] }, deep: nested(9, { x: 1, y: null }) },
    { apart: true },
    refusal('"a" is NaN, which JSON cannot say; report null or a string'),
    refusal('"a.b" has "$", ".", "#" or a space in its name; rename it'),
    refusal('"a.a.a.a.a.a.a.a.a.a.a" is deeper than 10 levels; report less nested values'),
    refusal('"a" is no plain object; report its fields or a string'),
  ]);
  expect(report?.stackPeak).toBeLessThanOrEqual(BUDGET_STACK_SLOTS);
});
