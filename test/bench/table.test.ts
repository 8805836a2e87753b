import { expect, test } from '@jest/globals';

import { holds, type Row } from './row.ts';
import { formatJson, formatTable } from './table.ts';

const GAP: Row = { row: 'gap', what: 'gap', unit: 'ms', budget: { most: 260 }, measured: 203.4, sdk: 532.1, note: 'median 203 ms' };
const TOKEN: Row = { row: 'token', what: 'token', unit: 'units', budget: { most: 20_000 }, measured: 20_001 };
const TELEMETRY: Row = { row: 'telemetry', what: 'telemetry', unit: 'messages', budget: { least: 14 }, measured: 14, sdk: 0 };
const HEAP: Row = { row: 'heap', what: 'heap', unit: 'bytes', budget: { most: 84_900 }, isFirstFigure: true, measured: 84_900 };
const IMAGE: Row = { row: 'image', what: 'image', unit: 'bytes', measured: undefined, note: 'unknown (needs the ESP32 build)' };

test('the table has a line for each row and says what is missed and what is not known', () => {
  expect(formatTable([GAP, TOKEN, TELEMETRY, HEAP, IMAGE]).split('\n')).toEqual([
    'what                       budget      measured  Node SDK  holds',
    '---------  ----------------------  ------------  --------  ------',
    'gap                      ≤ 260 ms        203 ms    532 ms  yes',
    '    median 203 ms',
    'token              ≤ 20,000 units  20,001 units         –  MISSED',
    'telemetry                    ≥ 14            14         0  yes',
    'heap       ≤ 84,900 bytes (first)  84,900 bytes         –  yes',
    'image                  own figure       unknown         –  –',
    '    unknown (needs the ESP32 build)',
  ]);
});

test.each([
  ['a figure at its upper limit', GAP, true],
  ['a figure above its upper limit', TOKEN, false],
  ['a figure at its lower limit', TELEMETRY, true],
  ['a figure below its lower limit', { ...TELEMETRY, measured: 13 }, false],
  ['an unknown figure', IMAGE, undefined],
  ['an unknown figure with a budget', { ...GAP, measured: undefined }, undefined],
  ['a gap that is no number', { ...GAP, measured: NaN }, false],
] satisfies [string, Row, boolean | undefined][])('%s holds: %#', (_, row, expected) => {
  expect(holds(row)).toBe(expected);
});

test('a line of --json has the figure, the budget and the verdict', () => {
  expect(JSON.parse(formatJson(TOKEN))).toEqual({ row: 'token', what: 'token', unit: 'units', budget: { most: 20_000 }, measured: 20_001, holds: false });
  expect(JSON.parse(formatJson(IMAGE))).toMatchObject({ measured: null, holds: null });
});
