import { expect, test } from '@jest/globals';
import { formatClientId, parseClientId } from '../../host-sim/hub/identity.ts';
import { Registry, type RegistryChange } from '../../host-sim/hub/registry/registry.ts';
import { decodeKey, encodeKey, generateKeyPair } from '../../host-sim/hub/access/symmetric-key.ts';

test('a new registry has the policies that every IoT Hub starts with, each with two keys of its own', () => {
  const { policies, identities } = new Registry().contents();
  expect(Object.fromEntries(policies.map(({ name, permissions }) => [name, permissions]))).toEqual({
    iothubowner: ['RegistryRead', 'RegistryWrite', 'ServiceConnect', 'DeviceConnect', 'ModuleConnect'],
    service: ['ServiceConnect'],
    device: ['DeviceConnect'],
    registryRead: ['RegistryRead'],
    registryReadWrite: ['RegistryRead', 'RegistryWrite'],
  });
  expect(new Set(policies.flatMap(({ keys }) => [encodeKey(keys.primary), encodeKey(keys.secondary)])).size).toBe(10);
  expect(identities).toEqual([]);
});

test('tells every change before the call returns', () => {
  const registry = new Registry();
  const changes: RegistryChange[] = [];
  const stop = registry.onChange((change) => changes.push(change));
  registry.add({ deviceId: 'a' });
  registry.add({ deviceId: 'a', moduleId: 'm' });
  registry.setEnabled('a', false);
  registry.setEnabled('a', false);
  registry.setEnabled('a', true);
  registry.setKeys({ deviceId: 'a' }, generateKeyPair());
  registry.remove({ deviceId: 'a' });
  stop();
  registry.add({ deviceId: 'b' });
  expect(changes.map((change) => ('identity' in change ? `${change.change} ${formatClientId(change.identity)}` : change.change))).toEqual([
    'added a', 'added a/m', 'disabled a', 'enabled a', 'keys-changed a', 'removed a', 'removed a/m',
  ]);
  expect(JSON.stringify(changes)).not.toMatch(/primary|secondary|"keys"/);
});

test('a module is disabled with its device and keeps its own keys', () => {
  const registry = new Registry();
  registry.add({ deviceId: 'a' });
  const { keys } = registry.add({ deviceId: 'a', moduleId: 'm' });
  registry.setEnabled('a', false);
  expect(registry.find({ deviceId: 'a', moduleId: 'm' })).toMatchObject({ enabled: false, keys });
  registry.setEnabled('a', true);
  expect(registry.find({ deviceId: 'a', moduleId: 'm' })?.enabled).toBe(true);
});

test('a module whose device was deleted when the hub was killed is gone: a new device of that name does not bring its keys back', () => {
  const registry = new Registry();
  registry.add({ deviceId: 'a' });
  registry.add({ deviceId: 'a', moduleId: 'm' });
  registry.add({ deviceId: 'b' });
  registry.add({ deviceId: 'b', moduleId: 'm' });
  const kept = [...registry.records()].filter(([key]) => key !== 'identity/a');
  const again = new Registry({ records: kept });
  expect([...again.records()].map(([key]) => key)).toEqual(['identity/b', 'identity/b/m']);
  again.add({ deviceId: 'a' });
  expect([again.find({ deviceId: 'a', moduleId: 'm' }), again.listModules('a')]).toEqual([undefined, []]);
});

test.each<[what: string, act: (registry: Registry) => void, code: string]>([
  ['an id with a slash', (registry) => registry.add({ deviceId: 'a/b' }), 'ERR_DEVICE_ID'],
  ['an empty id', (registry) => registry.add({ deviceId: '' }), 'ERR_DEVICE_ID'],
  ['an id of 129 characters', (registry) => registry.add({ deviceId: 'x'.repeat(129) }), 'ERR_DEVICE_ID'],
  ['an id with a letter outside ASCII', (registry) => registry.add({ deviceId: 'ä' }), 'ERR_DEVICE_ID'],
  ['a module id with a space', (registry) => registry.add({ deviceId: 'a', moduleId: 'm 1' }), 'ERR_DEVICE_ID'],
  ['a device twice', (registry) => registry.add({ deviceId: 'a' }), 'ERR_DEVICE_EXISTS'],
  ['a module of no device', (registry) => registry.add({ deviceId: 'b', moduleId: 'm' }), 'ERR_DEVICE_UNKNOWN'],
  ['enabling nobody', (registry) => registry.setEnabled('b', true), 'ERR_DEVICE_UNKNOWN'],
  ['new keys for nobody', (registry) => registry.setKeys({ deviceId: 'b' }, generateKeyPair()), 'ERR_DEVICE_UNKNOWN'],
  ['removing nobody', (registry) => registry.remove({ deviceId: 'b' }), 'ERR_DEVICE_UNKNOWN'],
  ['new keys for no policy', (registry) => registry.setPolicyKeys('constructor', generateKeyPair()), 'ERR_POLICY_UNKNOWN'],
])('refuses %s', (_, act, code) => {
  const registry = new Registry();
  registry.add({ deviceId: 'a' });
  expect(() => act(registry)).toThrow(expect.objectContaining({ code }));
});

test('a name that objects inherit is no policy and no device', () => {
  const registry = new Registry();
  expect(registry.findPolicy('constructor')).toBeUndefined();
  expect(registry.find({ deviceId: 'constructor' })).toBeUndefined();
});

test.each<[clientId: string, identity: object | undefined]>([
  ['a', { deviceId: 'a' }],
  ['a/m', { deviceId: 'a', moduleId: 'm' }],
  ["-:.+%_#*?!(),=@$'/-:.+%_#*?!(),=@$'", { deviceId: "-:.+%_#*?!(),=@$'", moduleId: "-:.+%_#*?!(),=@$'" }],
  ['', undefined],
  ['/', undefined],
  ['a/', undefined],
  ['/m', undefined],
  ['a/m/x', undefined],
  ['a\n', undefined],
  ['a\0', undefined],
])('reads the client id %j', (clientId, identity) => {
  expect(parseClientId(clientId)).toEqual(identity);
  if (identity !== undefined) expect(formatClientId(identity as { deviceId: string })).toBe(clientId);
});

test.each<[what: string, base64: string]>([
  ['16 bytes', encodeKey(new Uint8Array(16))],
  ['64 bytes', encodeKey(new Uint8Array(64))],
])('takes a key of %s', (_, base64) => {
  expect(encodeKey(decodeKey(base64, 'dev1'))).toBe(base64);
});

test.each<[what: string, base64: string, says: string]>([
  ['15 bytes', encodeKey(new Uint8Array(15)), 'must have 16 to 64 bytes, got 15'],
  ['65 bytes', encodeKey(new Uint8Array(65)), 'must have 16 to 64 bytes, got 65'],
  ['a missing padding', encodeKey(new Uint8Array(16)).replace(/=+$/, ''), 'is not base64'],
  ['base64url', '_'.repeat(44), 'is not base64'],
  ['a space at its end', `${encodeKey(new Uint8Array(32))} `, 'is not base64'],
])('refuses a key of %s without repeating it', (_, base64, says) => {
  expect(() => decodeKey(base64, 'dev1')).toThrow(expect.objectContaining({ code: 'ERR_KEY', message: `the key of dev1 ${says}` }));
});
