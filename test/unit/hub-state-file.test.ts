import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { HubError } from '../../host-sim/hub/hub-error.ts';
import { Registry } from '../../host-sim/hub/registry/registry.ts';
import { keepState, loadState, parseState, saveState, type StateFileSystem } from '../../host-sim/hub/state-file.ts';
import { encodeKey, generateKeyPair } from '../../host-sim/hub/access/symmetric-key.ts';

let folder: string;
let path: string;

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'latchkey-state-'));
  path = join(folder, 'hub.json');
});

afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

function createRegistry(): Registry {
  const registry = new Registry();
  registry.add({ deviceId: 'dev1' });
  registry.add({ deviceId: 'dev1', moduleId: "m'1" });
  registry.add({ deviceId: 'off' }, { enabled: false });
  return registry;
}

test('a saved registry is loaded the same: devices, modules, keys, states, policies', () => {
  const registry = createRegistry();
  saveState(path, registry.contents());
  const loaded = new Registry(loadState(path));
  expect(loaded.contents()).toEqual(registry.contents());
  expect(loaded.find({ deviceId: 'off' })?.enabled).toBe(false);
});

test('the file is for its owner alone, and nothing else is left in the folder', () => {
  saveState(path, createRegistry().contents());
  saveState(path, createRegistry().contents());
  expect((fs.statSync(path).mode & 0o777).toString(8)).toBe('600');
  expect(fs.readdirSync(folder)).toEqual(['hub.json']);
});

test('a link stays a link and what it points to is replaced', () => {
  const target = join(folder, 'target.json');
  saveState(target, new Registry().contents());
  fs.symlinkSync(target, path);
  const registry = createRegistry();
  saveState(path, registry.contents());
  expect(fs.lstatSync(path).isSymbolicLink()).toBe(true);
  expect(loadState(target)).toEqual(registry.contents());
});

/** Node's file system where one call fails with `code`, the disk full in the middle of it. */
function failing(call: keyof StateFileSystem, code: string): StateFileSystem {
  const error = Object.assign(new Error(`${code}: simulated`), { code });
  return {
    ...fs,
    [call]: (...args: unknown[]) => {
      if (call === 'writeSync') fs.writeSync(args[0] as number, Buffer.from('{"half":'));
      throw error;
    },
  };
}

test.each<[call: keyof StateFileSystem, code: string, says: string]>([
  ['openSync', 'EACCES', 'EACCES'],
  ['openSync', 'ENOSPC', 'the disk is full'],
  ['writeSync', 'ENOSPC', 'the disk is full'],
  ['writeSync', 'EDQUOT', 'the disk is full'],
  ['fsyncSync', 'EIO', 'EIO'],
  ['closeSync', 'ENOSPC', 'the disk is full'],
  ['renameSync', 'EACCES', 'EACCES'],
])('a %s that fails with %s is told with a remedy, keeps the old file, and leaves no other behind', (call, code, says) => {
  saveState(path, new Registry().contents());
  const before = fs.readFileSync(path, 'utf8');
  let thrown: unknown;
  try {
    saveState(path, createRegistry().contents(), failing(call, code));
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(HubError);
  expect(thrown).toMatchObject({ code: 'ERR_STATE_WRITE', message: `cannot save ${path}: ${says}` });
  expect((thrown as HubError).remedy).toContain('the file on disk is the last one that was saved');
  expect(fs.readFileSync(path, 'utf8')).toBe(before);
  expect(fs.readdirSync(folder)).toEqual(['hub.json']);
});

test('a file system that writes a few bytes at a time still gets the whole file', () => {
  const registry = createRegistry();
  const writeSync = ((fd: number, bytes: Uint8Array, offset: number, length: number) => fs.writeSync(fd, bytes, offset, Math.min(7, length))) as typeof fs.writeSync;
  saveState(path, registry.contents(), { ...fs, writeSync });
  expect(loadState(path)).toEqual(registry.contents());
});

test('a registry that is kept is saved at every change, and says so when that fails', () => {
  const registry = new Registry();
  const said: (string | undefined)[] = [];
  const stop = keepState(registry, path, (error) => said.push(error?.code));
  registry.add({ deviceId: 'dev1' });
  expect(loadState(path)).toEqual(registry.contents());
  registry.setEnabled('dev1', false);
  registry.setKeys({ deviceId: 'dev1' }, generateKeyPair());
  registry.setPolicyKeys('device', generateKeyPair());
  expect(loadState(path)).toEqual(registry.contents());
  registry.remove({ deviceId: 'dev1' });
  expect(said).toEqual(Array(5).fill(undefined));
  fs.rmSync(folder, { recursive: true });
  registry.add({ deviceId: 'dev2' });
  expect(said.at(-1)).toBe('ERR_STATE_WRITE');
  stop();
  registry.add({ deviceId: 'dev3' });
  expect(said).toHaveLength(6);
});

test('a file that is not there is no state, a folder or a device is an error', () => {
  expect(loadState(path)).toBeUndefined();
  for (const other of [folder, '/dev/full']) {
    expect(() => loadState(other)).toThrow(expect.objectContaining({ code: 'ERR_STATE_FILE', message: `cannot read ${other}: not a file` }));
  }
});

const KEY = encodeKey(new Uint8Array(32).fill(7));
const DEVICE = { deviceId: 'd', status: 'enabled', primaryKey: KEY, secondaryKey: KEY };
const POLICY = { name: 'p', permissions: ['DeviceConnect'], primaryKey: KEY, secondaryKey: KEY };
const state = (change: object): string => JSON.stringify({ version: 1, identities: [DEVICE], policies: [POLICY], ...change });

test.each<[what: string, text: string, says: string]>([
  ['an empty file', '', 'not JSON'],
  ['half a file', state({}).slice(0, -20), 'not JSON'],
  ['a list', '[]', 'version is not 1'],
  ['null', 'null', 'version is not 1'],
  ['another version', state({ version: 2 }), 'version is not 1'],
  ['identities that are no list', state({ identities: {} }), 'identities or policies is no list'],
  ['a device without id', state({ identities: [{ ...DEVICE, deviceId: undefined }] }), 'identities[0] has no valid deviceId'],
  ['a device id with a slash', state({ identities: [{ ...DEVICE, deviceId: 'a/b' }] }), 'identities[0] has no valid deviceId'],
  ['a module id that is a number', state({ identities: [{ ...DEVICE, moduleId: 1 }] }), 'identities[0] has no valid moduleId'],
  ['no status', state({ identities: [DEVICE, { ...DEVICE, status: 'on' }] }), 'identities[1] has no status'],
  ['no key', state({ identities: [{ ...DEVICE, primaryKey: undefined }] }), 'identities[0] has no keys'],
  ['a key that is not base64', state({ identities: [{ ...DEVICE, secondaryKey: '***' }] }), 'the key of identities[0] is not base64'],
  ['a short key', state({ identities: [{ ...DEVICE, secondaryKey: 'AAAA' }] }), 'the key of identities[0] must have 16 to 64 bytes, got 3'],
  ['an unknown permission', state({ policies: [{ ...POLICY, permissions: ['All'] }] }), 'policies[0] has no name or permissions'],
])('refuses a state file with %s, with a remedy and without telling its keys', (_, text, says) => {
  let thrown: unknown;
  try {
    parseState(text, 'hub.json');
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ code: 'ERR_STATE_FILE', message: `hub.json is no state file of this hub: ${says}` });
  expect((thrown as HubError).remedy).toContain('move the file away');
  expect(String((thrown as HubError).stack)).not.toContain(KEY);
});
