import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

import { describe, expect, test } from '@jest/globals';

import { formatCreation } from '../../host-sim/board/creation.ts';
import { ROOMY, useBoard } from '../fakes/board-fixture.ts';

/** A process that ended and was not yet waited for does not run. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('how a board ends', () => {
  const fixture = useBoard('32-bit');
  const chunkFixed = { ...ROOMY, chunk: { initial: 8192, incremental: 0 } };
  const heapFixed = { ...ROOMY, heap: { initial: 512, incremental: 0 } };

  test.each([
    ['chunks', 'const kept = []; for (;;) kept.push(new ArrayBuffer(512));', { creation: chunkFixed }, 11, 'out of memory'],
    ['slots', 'let list = null; for (;;) list = { list };', { creation: heapFixed }, 11, 'out of memory'],
    ['RAM, where the heap may grow', 'const kept = []; for (;;) kept.push(new ArrayBuffer(512));', {}, 11, 'out of memory'],
    ['stack', 'const down = (n) => down(n + 1) + 1; down(0);', {}, 12, 'stack overflow'],
    ['an exception while loading', 'throw new RangeError("oh no");', {}, 15, 'uncaught exception\nRangeError: oh no'],
    ['an exception in a callback', 'timer.set(function late() { throw new TypeError("later"); }, 1);', {}, 15, 'uncaught exception\nTypeError: later\n at late'],
    ['a thrown value that is no error', 'throw { no: "error" };', {}, 15, '[object Object]'],
    ['property names', 'for (let i = 0;; i++) JSON.parse(`{"key${i}":1}`);', { creation: { ...ROOMY, keys: { initial: 32, incremental: 0 } } }, 16, 'no more keys'],
    ['a rejection', 'Promise.reject(new Error("nobody cared"));', {}, 18, 'unhandled rejection\nError: nobody cared'],
    ['a rejection in an async function', 'timer.set(async () => { await null; throw new Error("async"); }, 1);', {}, 18, 'unhandled rejection\nError: async'],
  ])('%s: its own exit code, the reason and the heap figures on stderr', async (_what, script, options, code, talk) => {
    const { exit, lines } = await fixture.run(`try { ${script} } finally {}`, options);
    expect(exit.talk).toContain(`board: ${talk.startsWith('[') ? 'uncaught exception\n' + talk : talk}`);
    expect(exit.talk).toMatch(/board: heap: \d+ of \d+ slots of 16 bytes, \d+ of \d+ chunk bytes, \d+ of 512 stack slots, \d+ keys\n$/);
    expect(exit.code).toBe(code);
    expect(lines).toEqual([]);
  });

  test('an exception while preloading says so', async () => {
    const { exit } = await fixture.run('', { preload: 'throw new Error("early");' });
    expect(exit).toMatchObject({ code: 15 });
    expect(exit.talk).toContain('uncaught exception, while preloading\nError: early');
  });

  test('a script that does not parse throws its syntax error when it is run', async () => {
    const { exit } = await fixture.run('const const = 1;');
    expect(exit.code).toBe(15);
    expect(exit.talk).toContain('uncaught exception\nSyntaxError: missing identifier');
  });

  test('a script that is not there is named', () => {
    const { program, main, device } = fixture.options('');
    const args = ['--preload', '/nowhere/preload.js', '--main', main, '--device', device, '--creation', formatCreation(ROOMY)];
    const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
    expect(stderr).toBe('board: /nowhere/preload.js: No such file or directory\n');
    expect(status).toBe(1);
  });

  test('a rejection that is handled in the same turn ends nothing, and out of memory cannot be caught', async () => {
    const { lines, exit } = await fixture.run(
      'Promise.reject(new Error("x")).catch(() => print({ handled: true })); timer.set(() => { try { new Uint8Array(200000); } catch { print({ caught: true }); } }, 1);',
      { creation: chunkFixed },
    );
    expect(lines).toEqual([{ handled: true }]);
    expect(exit.code).toBe(11);
  });

  test('exit gives its code when the callback is over, and a report is the last line', async () => {
    const { lines, report, exit } = await fixture.run('board.exit(42); print({ after: true });');
    expect(lines).toEqual([{ after: true }]);
    expect(exit).toMatchObject({ code: 42, signal: null, talk: '' });
    expect(report?.event).toBe('report');
  });

  test('a line goes out as UTF-8; one with a line end in it is refused', async () => {
    const { lines } = await fixture.run('print({ text: "Grüße \u{1F600} \u{10FFFF} \u4e16" }); print(caught(() => board.print("{}\\n{}"))); board.exit(0);');
    expect(lines).toEqual([{ text: 'Grüße \u{1F600} \u{10FFFF} \u4e16' }, { error: 'RangeError: board.print: one line, without its end' }]);
  });

  test('SIGTERM runs onStop, once, and the firmware goes on until it exits', async () => {
    const lines: unknown[] = [];
    const board = await fixture.startAndWait(
      'board.onStop = () => { print({ stop: true }); timer.set(() => { print({ bye: true }); board.exit(9); }, 20); }; print({ up: typeof board.onStop });',
      (line) => lines.push(line.event ?? line),
    );
    const exit = await board.stop();
    expect(lines).toEqual([{ up: 'function' }, { stop: true }, { bye: true }, 'report']);
    expect(exit.code).toBe(9);
  });

  test('without onStop a SIGTERM ends the board at once', async () => {
    const board = await fixture.startAndWait('timer.set(() => {}, 60000); print({ up: true });');
    expect(await board.stop()).toMatchObject({ code: 0, signal: null });
  });

  test('a board that does not end after onStop is killed when the limit is over', async () => {
    const board = await fixture.startAndWait('board.onStop = () => {}; print({ up: true });');
    expect(await board.stop(100)).toMatchObject({ code: null, signal: 'SIGKILL' });
  });

  test('SIGUSR1 prints a report while it runs', async () => {
    const board = await fixture.startAndWait('globalThis.kept = new Array(100).fill(0); board.onStop = () => board.exit(0); print({ up: true });');
    const report = await board.report();
    expect(report).toMatchObject({ event: 'report', bits: 32, slotBytes: 16 });
    expect(report.chunkBytes).toBeGreaterThan(1600);
    expect(report.heapBytes).toBe(report.slots * 16 + report.chunkBytes);
    expect((await board.stop()).code).toBe(0);
  });

  test('a board whose host no longer reads ends by itself', async () => {
    const { program, preload, main, device } = fixture.options('timer.set(() => {}, 600000);');
    const args = ['--preload', preload, '--main', main, '--device', device, '--creation', formatCreation(ROOMY)];
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.stdout.destroy();
    expect(await ended).toBe(0);
  });

  test('firmware in an endless loop does not outlive its host', async () => {
    const { program, preload, main, device } = fixture.options('print({ pid: true }); for (;;);');
    const args = ['--preload', preload, '--main', main, '--device', device, '--creation', formatCreation(ROOMY)];
    const hostScript = `const board = require('node:child_process').spawn(${JSON.stringify(program)}, ${JSON.stringify(args)}, { stdio: ['ignore', 'pipe', 'ignore'] });
      board.stdout.once('data', () => process.stdout.write(String(board.pid)));`;
    const host = spawn(process.execPath, ['-e', hostScript], { stdio: ['ignore', 'pipe', 'inherit'] });
    const pid = await new Promise<number>((resolve) => host.stdout.once('data', (text: Buffer) => resolve(Number(text.toString()))));
    expect(isRunning(pid)).toBe(true);
    host.kill('SIGKILL');
    for (let tries = 0; isRunning(pid) && tries < 1000; tries++) await new Promise((resolve) => setTimeout(resolve, 20));
    const outlived = isRunning(pid);
    if (outlived) process.kill(pid, 'SIGKILL');
    expect(outlived).toBe(false);
  });

  test.each([
    [['--what', 'x'], 'unknown option: not understood: --what'],
    [['--seed', '-1'], '--seed: not understood: -1'],
    [['--hosts', 'name'], '--hosts: not understood: name'],
    [['--creation', 'chunk=1'], '--creation: not understood: chunk=1'],
    [['--seed'], '--seed: not understood: (no value)'],
    [[], '--preload is missing'],
  ])('wrong arguments %j are refused with a sentence and code 2', (args, sentence) => {
    const { status, stderr } = spawnSync(fixture.options('').program, args, { encoding: 'utf8' });
    expect(stderr).toContain(`board: ${sentence}\nusage: board`);
    expect(status).toBe(2);
  });
});
