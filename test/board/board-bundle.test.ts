import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';

import { startBoard } from '../../host-sim/board/board.ts';
import type { BoardLine } from '../../host-sim/board/board.ts';
import { buildFirmware } from '../../host-sim/board/bundle.ts';
import { buildBoard } from '../../host-sim/board/build.ts';
import { ROOMY } from '../fakes/board-fixture.ts';

describe('the firmware as two scripts', () => {
  const root = mkdtempSync(join(tmpdir(), 'latchkey-bundle-'));
  let folder = '';
  let count = 0;

  beforeEach(() => {
    folder = join(root, String(count++));
    write('agent/deep/counter.ts', 'export const start = 40;\nexport class Counter { value = start; add(n: number): number { return (this.value += n); } }\nexport const unused = "nobody imports me";');
    write('agent/types.ts', 'export interface Nothing { readonly at: number }');
    write('codecs/text.ts', 'import { start } from "../agent/deep/counter.ts";\nexport default (n: number): string => `${n}/${start}`;');
    write('app/main.ts', APP);
  });

  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const APP = `
    import board from 'latchkey/board';
    import * as signer from 'latchkey/signer';
    import { Counter } from '../agent/deep/counter.ts';
    import type { Nothing } from '../agent/types.ts';
    import format from '../codecs/text.ts';
    const nothing: Nothing = { at: 2 };
    board.print(JSON.stringify({ text: format(new Counter().add(nothing.at)), slot: typeof signer.backend(0), strict: (function (this: unknown) { return this === undefined; })() }));
    board.exit(0);`;

  function write(name: string, text: string): void {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }

  const bundle = (minify = false): ReturnType<typeof buildFirmware> => buildFirmware({ app: join(folder, 'app/main.ts'), folder, minify });

  test.each([false, true])('both run on the board (minified: %s), agent and codecs only once', async (minify) => {
    const firmware = await bundle(minify);
    const lines: BoardLine[] = [];
    const program = await buildBoard({ variant: '64-bit' });
    const board = startBoard({ program, ...firmware, device: join(folder, 'device'), creation: ROOMY, onLine: (line) => lines.push(line) });
    expect(await board.exited).toMatchObject({ code: 0, talk: '' });
    expect(lines[0]).toEqual({ text: '42/40', slot: 'undefined', strict: true });
    expect(readFileSync(firmware.preload, 'utf8')).toContain('nobody imports me');
    const main = readFileSync(firmware.main, 'utf8');
    expect(main).not.toContain('40');
    expect(main).not.toContain('unused');
    for (const path of [firmware.preload, firmware.main]) expect(JSON.parse(readFileSync(`${path}.map`, 'utf8'))).toHaveProperty('mappings');
  }, 300_000);

  test('the same sources give the same paths, another source gives others', async () => {
    const [first, same] = [await bundle(), await bundle()];
    expect(same).toEqual(first);
    write('agent/deep/counter.ts', 'export const start = 41;\nexport class Counter { value = start; add(n: number): number { return (this.value += n); } }');
    const other = await bundle();
    expect(other.preload).not.toBe(first.preload);
    expect(readFileSync(first.preload, 'utf8')).toContain('start = 40');
  });

  test('a module that the board does not have is named', async () => {
    write('app/main.ts', 'import wifi from "embedded:network/interface/wifi";\nwifi.start();');
    await expect(bundle()).rejects.toThrow('main.ts: the virtual board has no module "embedded:network/interface/wifi"');
  });

  test('an import of a name that a preloaded module does not export is an error', async () => {
    write('app/main.ts', 'import { missing } from "../agent/deep/counter.ts";\nmissing();');
    await expect(bundle()).rejects.toThrow('No matching export in "preloaded:agent/deep/counter" for import "missing"');
  });
});
