import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { FEATURES } from '../features.mjs';
import { run, type Ending } from '../conformance/program.ts';

const TABLE = new URL('../feature-table.mjs', import.meta.url).pathname;

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-features-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

const shown = FEATURES.flatMap(({ cells }) => cells.flatMap((cell) => (typeof cell === 'string' ? [] : [cell])));

/** The check of the README against a run in which every test passed but `failed`, and `missing` was not there. */
function check({ failed, missing }: { readonly failed?: string; readonly missing?: string } = {}): Promise<Ending> {
  const files = [...new Set(shown.map(([file]) => file))].map((file) => ({
    name: `/somewhere/${file}.test.ts`,
    assertionResults: shown.filter(([other, name]) => other === file && name !== missing).map(([, name]) => ({ fullName: `it ${name} well`, status: name === failed ? 'failed' : 'passed' })),
  }));
  const report = join(folder, 'report.json');
  writeFileSync(report, JSON.stringify({ testResults: files }));
  return run(process.execPath, [TABLE, '--report', report]);
}

test('every test that the table names is in its file', () => {
  for (const [file, name] of shown) {
    const text = readFileSync(new URL(`../conformance/${file}.test.ts`, import.meta.url), 'utf8');
    expect([file, name, text.includes(name)]).toEqual([file, name, true]);
  }
});

test('the table in the README holds for a run in which everything passed, and for no other', async () => {
  expect(await check()).toMatchObject({ code: 0, stderr: expect.stringContaining('cells pass') });
  expect(await check({ failed: 'feedback of every kind' })).toMatchObject({ code: 1, stderr: expect.stringContaining('did not pass') });
  expect(await check({ missing: 'pages through all twins' })).toMatchObject({ code: 1, stderr: expect.stringContaining('no test "pages through all twins" in azure-iothub-query') });
});
