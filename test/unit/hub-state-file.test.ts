import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { encodeKey, generateKeyPair } from '../../host-sim/hub/access/symmetric-key.ts';
import type { HubError } from '../../host-sim/hub/hub-error.ts';
import { openRegistry } from '../../host-sim/hub/open-registry.ts';
import type { Registry } from '../../host-sim/hub/registry/registry.ts';
import type { StateFileSystem } from '../../host-sim/hub/state/journal.ts';
import { StateFile } from '../../host-sim/hub/state/state-file.ts';
import { VirtualClock } from '../../host-sim/time/virtual-clock.ts';

const START_MS = 1_800_000_000_000;

let folder: string;
let path: string;
let clock: VirtualClock;
const saved: (HubError | undefined)[] = [];
const open: StateFile[] = [];

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'latchkey-state-'));
  path = join(folder, 'hub.state');
  clock = new VirtualClock(START_MS);
  saved.length = 0;
});

afterEach(() => {
  for (const file of open.splice(0)) file.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

function start(fileSystem?: StateFileSystem, at = path): { file: StateFile; registry: Registry } {
  const file = new StateFile(at, { clock, onSaved: (error) => saved.push(error), ...(fileSystem === undefined ? {} : { fs: fileSystem }) });
  open.push(file);
  const registry = openRegistry(file, () => clock.now());
  file.keep([registry.policies, registry]);
  return { file, registry };
}

/** As a killed process leaves it: nothing is closed; and the next one. */
function restart(): { file: StateFile; registry: Registry } {
  fs.rmSync(`${path}.lock`, { force: true });
  return start();
}

function fill(registry: Registry): Registry {
  registry.add({ deviceId: 'dev1' }, { statusReason: 'new', authentication: { type: 'selfSigned', primaryThumbprint: 'A'.repeat(40) } });
  registry.add({ deviceId: 'dev1', moduleId: "m'1" }, { managedBy: 'me' });
  registry.add({ deviceId: 'off' });
  registry.setEnabled('off', false);
  registry.add({ deviceId: 'gone' });
  registry.add({ deviceId: 'gone', moduleId: 'm' });
  registry.remove({ deviceId: 'gone' });
  registry.policies.set('ops', ['RegistryRead']);
  registry.setPolicyKeys('service', generateKeyPair());
  registry.setKeys({ deviceId: 'off' }, generateKeyPair());
  return registry;
}

test('everything is there again after a kill: devices, modules, keys, states, versions, policies', () => {
  const { registry } = start();
  fill(registry);
  const again = restart().registry;
  expect(again.contents()).toEqual(registry.contents());
  expect(again.deviceCount).toBe(2);
  expect(again.listModules('dev1')).toHaveLength(1);
});

test('an identity that is made again after a restart has another generation and another etag', () => {
  const { registry } = start();
  const { generationId, etag } = registry.add({ deviceId: 'dev1' });
  const again = restart().registry;
  again.remove({ deviceId: 'dev1' });
  const remade = again.add({ deviceId: 'dev1' });
  expect(BigInt(remade.generationId)).toBeGreaterThan(BigInt(generationId));
  expect(remade.etag).not.toBe(etag);
});

test('every change is one line behind the others, and the file is for its owner alone', () => {
  const { registry } = start();
  const before = fs.readFileSync(path, 'utf8');
  registry.add({ deviceId: 'dev1' });
  const after = fs.readFileSync(path, 'utf8');
  expect(after.startsWith(before)).toBe(true);
  expect(after.slice(before.length)).toMatch(/^[0-9a-f]{16} \["identity\/dev1",\{[^\n]*\}\]\n$/);
  expect((fs.statSync(path).mode & 0o777).toString(8)).toBe('600');
  expect(fs.readdirSync(folder).sort()).toEqual(['hub.state', 'hub.state.lock']);
});

test('a link stays a link and what it points to is written', () => {
  const target = join(folder, 'target.state');
  fs.writeFileSync(target, '');
  fs.rmSync(target);
  start(undefined, target).file.close();
  fs.symlinkSync(target, path);
  const { file, registry } = start();
  fill(registry);
  file.close();
  expect(fs.lstatSync(path).isSymbolicLink()).toBe(true);
  expect(start(undefined, target).registry.contents()).toEqual(registry.contents());
});

test('what was cut off at any byte of the last line is dropped, and all before it is there', () => {
  const { registry } = start();
  fill(registry);
  const whole = fs.readFileSync(path);
  const expected = registry.contents();
  registry.add({ deviceId: 'last' });
  const bytes = fs.readFileSync(path);
  for (let end = whole.length; end < bytes.length; end++) {
    fs.writeFileSync(path, bytes.subarray(0, end));
    const { file, registry: again } = restart();
    expect(again.contents()).toEqual(expected);
    expect(file.droppedBytes).toBe(end - whole.length);
    file.close();
  }
});

test('a last line whose bytes never came to the disk is dropped', () => {
  const { registry } = start();
  const expected = fill(registry).contents();
  fs.appendFileSync(path, Buffer.concat([Buffer.alloc(100), Buffer.from('\n')]));
  expect(restart().registry.contents()).toEqual(expected);
});

test('a damaged byte in the middle is an error that names the line and the way out, and never quotes it', () => {
  const { registry } = start();
  fill(registry);
  const bytes = fs.readFileSync(path);
  const third = bytes.indexOf('\n', bytes.indexOf('\n') + 1) + 30;
  bytes[third] = (bytes[third] as number) ^ 1;
  fs.writeFileSync(path, bytes);
  const key = encodeKey(registry.findPolicy('device')!.keys.primary);
  expect(restart).toThrow(expect.objectContaining({
    code: 'ERR_STATE_FILE', message: `${path} is damaged at line 3, and whole lines follow it`, remedy: expect.stringContaining('restore a copy of the file'),
  }));
  expect(restartError()).not.toContain(key.slice(0, 8));
  // The way out that the remedy offers.
  fs.writeFileSync(path, fs.readFileSync(path, 'latin1').split('\n').filter((_, index) => index !== 2).join('\n'), 'latin1');
  expect(start().registry.find({ deviceId: 'dev1' })).toBeDefined();
});

function restartError(): string {
  try {
    start();
  } catch (error) {
    return JSON.stringify([(error as HubError).message, (error as HubError).remedy]);
  }
  return '';
}

test.each<[what: string, content: string, message: string]>([
  ['text', 'hello', 'is no state file of this hub'],
  ['an empty file', '', 'is no state file of this hub'],
  ['another version', '{"format":"latchkey-hub-state","version":3}\n', 'is no state file of this hub'],
  ['half of a file of version 1', '{"version":1,"identities":[{"deviceId":"secret', 'is a broken state file of version 1'],
])('refuses %s', (_, content, message) => {
  fs.writeFileSync(path, content);
  expect(() => start()).toThrow(expect.objectContaining({ code: 'ERR_STATE_FILE', message: `${path} ${message}`, remedy: expect.stringContaining('move the file away') }));
  expect(fs.readFileSync(path, 'utf8')).toBe(content);
  expect(restartError()).not.toContain('secret');
});

test.each<[what: string, key: string, value: unknown]>([
  ['an identity without keys', 'identity/dev1', { deviceId: 'dev1', enabled: true, generationId: '1', etag: 'MQ==', authentication: { type: 'sas' } }],
  ['an identity with a key that is none', 'identity/dev1', { deviceId: 'dev1', enabled: true, generationId: '1', etag: 'MQ==', authentication: { type: 'sas' }, primaryKey: 'secret', secondaryKey: 'secret' }],
  ['a policy with a permission that is none', 'policy/p', { permissions: ['All'], primaryKey: 'AAAA', secondaryKey: 'AAAA' }],
])('refuses a file with %s without quoting it', async (_, key, value) => {
  const { formatLine, HEADER } = await import('../../host-sim/hub/state/record-lines.ts');
  fs.writeFileSync(path, HEADER + formatLine(key, value));
  expect(() => start()).toThrow(expect.objectContaining({ code: 'ERR_STATE_FILE', message: expect.stringContaining('holds a record that this hub does not understand') }));
  expect(restartError()).not.toContain('secret');
});

test('refuses records of a store that it does not know, so that they are not lost', async () => {
  const { formatLine } = await import('../../host-sim/hub/state/record-lines.ts');
  start().file.close();
  fs.appendFileSync(path, formatLine('hologram/dev1', {}));
  expect(() => start()).toThrow(expect.objectContaining({ code: 'ERR_STATE_FILE', message: expect.stringContaining('"hologram"') }));
});

test('a file of version 1 is taken over with its keys', () => {
  const keys = { primaryKey: encodeKey(generateKeyPair().primary), secondaryKey: encodeKey(generateKeyPair().primary) };
  const identities = [{ deviceId: 'dev1', status: 'enabled', ...keys }, { deviceId: 'dev1', moduleId: 'm', status: 'enabled', ...keys }, { deviceId: 'off', status: 'disabled', ...keys }];
  fs.writeFileSync(path, `${JSON.stringify({ version: 1, identities, policies: [{ name: 'service', permissions: ['ServiceConnect'], ...keys }] }, undefined, 2)}\n`);
  const { registry } = start();
  expect(registry.contents().identities.map((each) => [each.deviceId, each.moduleId, each.enabled, encodeKey(each.keys.primary)])).toEqual([
    ['dev1', undefined, true, keys.primaryKey], ['dev1', 'm', true, keys.primaryKey], ['off', undefined, false, keys.primaryKey],
  ]);
  expect(registry.policies.list().map(({ name }) => name)).toEqual(['service']);
  expect(restart().registry.contents()).toEqual(registry.contents());
});

test('a second hub does not take the file of one that runs, and takes that of one that has died', () => {
  start();
  expect(() => start()).toThrow(expect.objectContaining({ code: 'ERR_STATE_FILE', message: `${path} is in use by process ${process.pid}` }));
  fs.writeFileSync(`${path}.lock`, '999999999');
  expect(() => start()).not.toThrow();
});

function advance(byMs: number): void {
  const endMs = clock.monotonicMs() + byMs;
  while (clock.nextDueMs() <= endMs) {
    clock.jumpTo(clock.nextDueMs());
    clock.fireDue();
  }
  clock.jumpTo(endMs);
}

/** Node's file system where a call fails with `code`, the disk full in the middle of it, while `isFull` says so. */
function failing(call: keyof StateFileSystem, code: string, isFull: () => boolean): StateFileSystem {
  const error = Object.assign(new Error(`${code}: simulated`), { code });
  return {
    ...fs,
    [call]: (...args: unknown[]) => {
      if (!isFull()) return (fs[call] as (...args: unknown[]) => unknown)(...args);
      if (call === 'writeSync') fs.writeSync(args[0] as number, args[1] as Buffer, args[2] as number, 9, args[4] as number | null);
      throw error;
    },
  };
}

test.each<[call: keyof StateFileSystem, code: string, says: string]>([
  ['openSync', 'EACCES', 'EACCES'],
  ['writeSync', 'ENOSPC', 'the disk is full'],
  ['fsyncSync', 'EDQUOT', 'the disk is full'],
  ['renameSync', 'EPERM', 'EPERM'],
])('a start whose %s fails with %s is refused and leaves the old file', (call, code, says) => {
  const { file, registry } = start();
  const expected = fill(registry).contents();
  file.close();
  const before = fs.readFileSync(path);
  expect(() => start(failing(call, code, () => true))).toThrow(expect.objectContaining({ code: 'ERR_STATE_WRITE', message: `cannot save ${path}: ${says}` }));
  expect(fs.readFileSync(path)).toEqual(before);
  expect(fs.readdirSync(folder).filter((name) => name.endsWith('.new'))).toEqual([]);
  open.pop()?.close();
  expect(start().registry.contents()).toEqual(expected);
});

test('a disk that fills up is told once, leaves whole lines, and is caught up with when there is room', () => {
  let isFull = false;
  const { registry } = start(failing('writeSync', 'ENOSPC', () => isFull));
  registry.add({ deviceId: 'before' });
  const before = fs.readFileSync(path);
  isFull = true;
  registry.add({ deviceId: 'during1' });
  registry.add({ deviceId: 'during2' });
  expect(saved).toEqual([expect.objectContaining({ code: 'ERR_STATE_WRITE', message: `cannot save ${path}: the disk is full` })]);
  expect(fs.readFileSync(path)).toEqual(before);
  advance(5_000);
  expect(saved).toHaveLength(1);
  isFull = false;
  advance(5_000);
  expect(saved).toEqual([expect.anything(), undefined]);
  registry.add({ deviceId: 'after' });
  expect(restart().registry.contents()).toEqual(registry.contents());
});

test('the file does not grow with the number of changes', async () => {
  const { registry } = start();
  registry.add({ deviceId: 'dev1' });
  for (let change = 0; change < 8_000; change++) {
    registry.setEnabled('dev1', change % 2 === 0);
    if (change % 500 === 0) await turn();
  }
  await settle();
  expect(fs.statSync(path).size).toBeLessThan(1024 * 1024 + 200_000);
  expect(restart().registry.contents()).toEqual(registry.contents());
});

/** Lets timers of no length run, and what the disk has done be heard of. */
async function turn(): Promise<void> {
  advance(0);
  await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Until nothing is being written beside the file. */
async function settle(): Promise<void> {
  while (fs.readdirSync(folder).some((name) => name.endsWith('.new'))) await turn();
}

/** What a kill at this moment leaves, read by the next hub. */
function readAfterKill(at: string): string {
  fs.copyFileSync(path, at);
  const file = new StateFile(at, { clock });
  const records = recordsOf(openRegistry(file, () => clock.now()));
  file.close();
  return records;
}

/** As text: a matcher takes seconds to compare thousands of keys. */
const recordsOf = (registry: Registry): string => [...registry.records()].map(([key, value]) => JSON.stringify([key, Object.entries(value as object).sort()])).sort().join('\n');

test('while a large file is written anew, everything else has its turn, and a kill at any of them loses nothing', async () => {
  const { registry } = start();
  // 256 lines a turn.
  for (let index = 0; index < 2_000; index++) registry.add({ deviceId: `dev${index}` });
  for (let change = 0; !fs.existsSync(`${path}.${process.pid}.new`); change++) registry.setEnabled(`dev${change % 2_000}`, change >= 2_000);
  let turns = 0;
  while (turns < 8) {
    // Ahead of where the new file is being written, behind it, gone, new, and made again.
    registry.setEnabled(`dev${1_990 - turns}`, false);
    registry.setEnabled(`dev${turns}`, false);
    registry.remove({ deviceId: `dev${500 + turns}` });
    registry.remove({ deviceId: `dev${1_500 + turns}` });
    registry.add({ deviceId: `new${turns}` });
    registry.add({ deviceId: `dev${500 + turns}` });
    expect(readAfterKill(`${path}.${turns}`) === recordsOf(registry)).toBe(true);
    await turn();
    turns += 1;
  }
  await settle();
  expect(readAfterKill(`${path}.end`) === recordsOf(registry)).toBe(true);
  expect(fs.statSync(path).size).toBeLessThan(1024 * 1024);
});

test('a disk without room for a second file keeps the first one, and says nothing as long as that has room', async () => {
  let isFull = false;
  const { registry } = start(failing('openSync', 'ENOSPC', () => isFull));
  isFull = true;
  registry.add({ deviceId: 'dev1' });
  for (let change = 0; change < 5_000; change++) registry.setEnabled('dev1', change % 2 === 1);
  await turn();
  expect([fs.statSync(path).size > 1024 * 1024, saved]).toEqual([true, []]);
  expect(restart().registry.contents()).toEqual(registry.contents());
});

test('what a killed hub has left half written goes when the next one starts', () => {
  start().file.close();
  for (const name of ['.1234.new', '.12x4.new', '.1234.newer']) fs.writeFileSync(`${path}${name}`, 'half');
  start();
  expect(fs.readdirSync(folder).sort()).toEqual(['hub.state', 'hub.state.1234.newer', 'hub.state.12x4.new', 'hub.state.lock']);
});

test('a lock that bears this process\'s own number and was not taken by it is of one that has ended: containers count from 1 at each start', () => {
  start().file.close();
  fs.writeFileSync(`${path}.lock`, String(process.pid));
  expect(() => start()).not.toThrow();
  expect(() => start()).toThrow(expect.objectContaining({ code: 'ERR_STATE_FILE' }));
});
