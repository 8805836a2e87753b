import { expect, test } from '@jest/globals';

import { runQuery, type Page } from '../../host-sim/hub/query/run-query.ts';
import { ServiceError } from '../../host-sim/hub/service-error.ts';
import { makeTwin, sourceOf } from './query-twins.ts';

const name = (index: number): string => `dev${String(index).padStart(4, '0')}`;
const fleet = Array.from({ length: 250 }, (_, index) => makeTwin(name(index), { tags: { parity: index % 2 } }));

function readAll(text: string, rows: number | undefined, fleetOf = (_page: number) => fleet): { readonly ids: readonly unknown[]; readonly pages: readonly Page[] } {
  const pages: Page[] = [];
  let continuation: string | undefined;
  do {
    const page: Page = runQuery(text, sourceOf(fleetOf(pages.length)), { ...(rows === undefined ? {} : { rows }), ...(continuation === undefined ? {} : { continuation }) });
    pages.push(page);
    continuation = page.continuation;
  } while (continuation !== undefined);
  return { ids: pages.flatMap((page) => page.rows.map(({ deviceId }) => deviceId)), pages };
}

test('pages hold a hundred rows where nothing else is asked for, and every row once', () => {
  const { ids, pages } = readAll('SELECT * FROM devices', undefined);
  expect(pages.map(({ rows }) => rows.length)).toEqual([100, 100, 50]);
  expect(ids).toEqual(fleet.map(({ deviceId }) => deviceId));
  expect(pages[0]?.itemType).toBe('twin');
});

test('the last page carries no continuation, also when it is full', () => {
  expect(readAll('SELECT * FROM devices', 50).pages.map(({ rows }) => rows.length)).toEqual([50, 50, 50, 50, 50]);
  expect(readAll('SELECT deviceId FROM devices WHERE tags.parity = 1', 125).pages.map(({ rows }) => rows.length)).toEqual([125]);
});

test('TOP counts over all pages', () => {
  expect(readAll('SELECT TOP 120 deviceId FROM devices', 50).pages.map(({ rows }) => rows.length)).toEqual([50, 50, 20]);
  expect(readAll('SELECT TOP 100 deviceId FROM devices', 50).pages.map(({ rows }) => rows.length)).toEqual([50, 50]);
  expect(readAll('SELECT TOP 2 * FROM devices', 1000).ids).toEqual([name(0), name(1)]);
});

test('devices that go and come between two pages neither hide nor repeat another one', () => {
  const shrunk = fleet.filter((_, index) => index % 10 !== 0);
  const { ids } = readAll('SELECT deviceId FROM devices', 60, (page) => (page === 0 ? fleet : shrunk));
  expect(new Set(ids).size).toBe(ids.length);
  expect(shrunk.every(({ deviceId }) => ids.includes(deviceId))).toBe(true);
});

test('groups are paged too', () => {
  const { pages } = readAll('SELECT deviceId, COUNT() AS n FROM devices GROUP BY deviceId', 200);
  expect(pages.map(({ rows, itemType }) => [rows.length, itemType])).toEqual([
    [200, 'raw'],
    [50, 'raw'],
  ]);
});

const first = runQuery('SELECT * FROM devices', sourceOf(fleet), { rows: 10 }).continuation!;
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

test.each<[string, string, string]>([
  ['of another query', 'SELECT deviceId FROM devices', first],
  ['that is no base64', 'SELECT * FROM devices', '~~~'],
  ['that is no JSON', 'SELECT * FROM devices', Buffer.from('{').toString('base64url')],
  ['of another shape', 'SELECT * FROM devices', encode({ after: 'x' })],
  ['with a negative count', 'SELECT * FROM devices', encode([JSON.parse(Buffer.from(first, 'base64url').toString())[0], -1, 'x'])],
  ['longer than any', 'SELECT * FROM devices', 'A'.repeat(1_025)],
])('a continuation %s is refused', (_what, text, continuation) => {
  const run = (): unknown => runQuery(text, sourceOf(fleet), { continuation });
  expect(run).toThrow(ServiceError);
  expect(run).toThrow('x-ms-continuation is not of this query: send the one that its last page carried, or none to start again.');
});
