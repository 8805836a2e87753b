import { afterEach, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { projectPath } from '../../host-sim/board/project-path.ts';

/** A guard against a hang: a machine that does much else at the same time is no failure. */
const WAIT_MS = 100_000;

interface Program {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  stdout: string;
  stderr: string;
}

const programs: Program[] = [];
const folders: string[] = [];

/** Starts the program as a user does. */
function start(args: readonly string[], env: Readonly<Record<string, string | undefined>> = {}): Program {
  const child = spawn(process.execPath, [projectPath('host-sim/latchkey.mjs'), ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve));
  const program: Program = { child, exited, stdout: '', stderr: '' };
  child.stdout?.on('data', (bytes: Buffer) => (program.stdout += bytes.toString()));
  child.stderr?.on('data', (bytes: Buffer) => (program.stderr += bytes.toString()));
  programs.push(program);
  return program;
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + WAIT_MS; !holds(); await delay(20)) {
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${WAIT_MS} ms`);
  }
}

/** The boards that `pid` has started and that still run; esbuild's service is its child, too. */
function boardsOf(pid: number | undefined): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  return children.filter((child) => argumentsOf(child).includes('--device'));
}

/** Empty for a process that has ended since it was listed. */
function argumentsOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}

/** A zombie has ended: whoever inherited it has not looked yet. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-test-'));
  folders.push(folder);
  return folder;
}

afterEach(async () => {
  for (const { child, exited } of programs.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exited;
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

test('Ctrl-C ends hub and boards, prints the summary last and exits with 130', async () => {
  const program = start(['sim', '--port', '0', '--devices', '3', '--json']);
  await until('three devices connect', () => program.stdout.split('"event":"connected","source":"device"').length === 4);
  const boards = boardsOf(program.child.pid);
  expect(boards).toHaveLength(3);
  program.child.kill('SIGINT');
  expect(await program.exited).toBe(130);
  expect(JSON.parse(program.stdout.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({ event: 'summary', lost: 0 });
  expect(boards.filter(isAlive)).toEqual([]);
});

test('Ctrl-C ends a board that hangs, too', async () => {
  const program = start(['sim', '--port', '0', '--json']);
  await until('the device connects', () => program.stdout.includes('"event":"connected","source":"device"'));
  const [board = 0] = boardsOf(program.child.pid);
  process.kill(board, 'SIGSTOP');
  program.child.kill('SIGINT');
  expect(await program.exited).toBe(130);
  expect(isAlive(board)).toBe(false);
  expect(program.stdout.trimEnd().split('\n').at(-1)).toContain('"event":"summary"');
});

test('a second Ctrl-C ends everything at once', async () => {
  const program = start(['sim', '--port', '0', '--json']);
  await until('the device connects', () => program.stdout.includes('"event":"connected","source":"device"'));
  const [board = 0] = boardsOf(program.child.pid);
  process.kill(board, 'SIGSTOP');
  program.child.kill('SIGINT');
  await until('the program stops', () => program.stdout.includes('"event":"stopping"'));
  program.child.kill('SIGINT');
  expect(await program.exited).toBe(130);
  expect(isAlive(board)).toBe(false);
});

test('Ctrl-C ends a run in virtual time', async () => {
  const program = start(['sim', '--virtual-time', '--json']);
  await until('the device connects', () => program.stdout.includes('"event":"connected","source":"device"'));
  const boards = boardsOf(program.child.pid);
  program.child.kill('SIGINT');
  expect(await program.exited).toBe(130);
  expect(program.stdout.trimEnd().split('\n').at(-1)).toContain('"event":"summary"');
  expect(boards.filter(isAlive)).toEqual([]);
});

/** Every way in which a key could stand in a text. */
function spellings(key: Buffer): string[] {
  const base64 = key.toString('base64');
  return [base64, base64.replace(/=+$/, ''), encodeURIComponent(base64), key.toString('base64url'), key.toString('hex'), key.toString('latin1')];
}

test.each([[['--json']], [[]]])('a piped run %j shows neither keys nor signatures, and its arguments hold none', async (flags) => {
  const folder = makeFolder();
  const program = start(['sim', '--port', '0', '--duration', '8s', '--token-ttl', '5s', '--keep', folder, ...flags]);
  await until('the board runs', () => (program.child.exitCode === null ? boardsOf(program.child.pid).length > 0 : true));
  const argumentsOfBoard = boardsOf(program.child.pid).map(argumentsOf).join();
  expect(argumentsOfBoard).not.toBe('');
  expect(await program.exited).toBe(0);
  const keyFile = readFileSync(join(folder, 'sim-1', 'keys.bin'));
  // key-file.h: 8 bytes of magic, 1 of count, 6 of header, then the key.
  const key = keyFile.subarray(15, 15 + keyFile.readUInt16LE(11));
  expect(key).toHaveLength(32);
  const settings = readFileSync(join(folder, 'sim-1', 'settings.kv'), 'latin1');
  const texts = [program.stdout, program.stderr, argumentsOfBoard, settings, Buffer.from(settings, 'base64').toString('latin1')];
  for (const text of texts) {
    for (const spelling of spellings(key)) expect(text).not.toContain(spelling);
    expect(text).not.toMatch(/SharedAccessKey=|sig=|SharedAccessSignature sr/);
  }
  expect(program.stdout).toContain(flags.length === 0 ? 'token renewed' : '"event":"renewed"');
  expect(readdirSync(join(folder, 'sim-1')).sort()).toEqual(['flash.bin', 'keys.bin', 'settings.kv']);
});

test('--json is JSON on every line, begins with where everything is, and its summary has the promised fields', async () => {
  const program = start(['sim', '--port', '0', '--duration', '3s', '--telemetry-interval', '100ms', '--delay', '5ms', '--json']);
  expect(await program.exited).toBe(0);
  const lines = program.stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.find(({ event }) => event === 'started')).toMatchObject({ hub: expect.stringMatching(/^127\.0\.0\.1:\d+$/), ntp: [expect.any(String), expect.any(String)], devices: ['sim-1'] });
  expect(Object.keys(lines.at(-1) ?? {})).toEqual(['event', 'sent', 'acked', 'received', 'lost', 'duplicated', 'renewals', 'connects', 'maxGapMs', 'oldClosedBeforeNew']);
  expect(lines.at(-1)).toMatchObject({ event: 'summary', sent: 30, acked: 30, received: 30, lost: 0, duplicated: 0, renewals: 0, connects: 1 });
});

test('without a C compiler the program says so, with the line to type, and exits with 3', async () => {
  const folder = makeFolder();
  symlinkSync(process.execPath, join(folder, 'node'));
  const program = start(['sim', '--port', '0', '--duration', '1s'], { PATH: folder, CC: undefined });
  expect(await program.exited).toBe(3);
  expect(program.stderr).toContain('needs a C compiler');
  expect(program.stderr).toMatch(/apt-get install .*gcc/);
  expect(program.stdout).toBe('');
});

test('a reader that goes away ends the run', async () => {
  const program = start(['sim', '--port', '0', '--json']);
  await until('the device connects', () => program.stdout.includes('"event":"connected","source":"device"'));
  const boards = boardsOf(program.child.pid);
  program.child.stdout?.destroy();
  expect(await program.exited).toBe(130);
  expect(boards.filter(isAlive)).toEqual([]);
});
