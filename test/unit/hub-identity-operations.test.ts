import { expect, test } from '@jest/globals';
import { encodeKey } from '../../host-sim/hub/access/symmetric-key.ts';
import { checkIfMatch, matchesEtag } from '../../host-sim/hub/if-match.ts';
import { performBulk } from '../../host-sim/hub/registry/bulk.ts';
import { deleteIdentity, putIdentity, requireIdentity } from '../../host-sim/hub/registry/identity-operations.ts';
import { parsePolicyOption } from '../../host-sim/hub/registry/policy-option.ts';
import { Registry, type RegistryChange } from '../../host-sim/hub/registry/registry.ts';
import { TwinStore } from '../../host-sim/hub/twins/twin-store.ts';
import { VirtualClock } from '../../host-sim/time/virtual-clock.ts';

const START_MS = 1_800_000_000_000;
const KEY = encodeKey(new Uint8Array(32).fill(1));

interface Bench {
  readonly clock: VirtualClock;
  readonly registry: Registry;
  readonly twins: TwinStore;
  readonly changes: RegistryChange[];
}

function start(): Bench {
  const clock = new VirtualClock(START_MS);
  const registry = new Registry({ now: () => clock.now() });
  const twins = new TwinStore(clock);
  const changes: RegistryChange[] = [];
  registry.onChange((change) => {
    changes.push(change);
    if (change.change === 'added') twins.create(change.identity);
  });
  registry.add({ deviceId: 'dev1' });
  changes.length = 0;
  return { clock, registry, twins, changes };
}

test.each<[what: string, body: unknown, code: number]>([
  ['no body', undefined, 400_005],
  ['a list', [], 400_005],
  ['text', 'dev2', 400_005],
  ['the id of another', { deviceId: 'dev3' }, 400_004],
  ['an unknown status', { status: 'asleep' }, 400_004],
  ['a status that is no text and cannot be made one', { status: { toString: null, valueOf: null } }, 400_004],
  ['a status reason of 129 characters', { statusReason: 'x'.repeat(129) }, 400_004],
  ['a status reason that is a number', { statusReason: 1 }, 400_004],
  ['an unknown authentication', { authentication: { type: 'password' } }, 400_004],
  ['an authentication type that cannot be made text', { authentication: { type: { toString: 1, valueOf: 1 } } }, 400_004],
  ['an authentication that is text', { authentication: 'sas' }, 400_005],
  ['self-signed authentication without thumbprint', { authentication: { type: 'selfSigned' } }, 400_004],
  ['a thumbprint of 39 digits', { authentication: { x509Thumbprint: { primaryThumbprint: 'a'.repeat(39) } } }, 400_004],
  ['a thumbprint with a letter', { authentication: { x509Thumbprint: { secondaryThumbprint: 'g'.repeat(40) } } }, 400_004],
  ['a key of 15 bytes', { authentication: { symmetricKey: { primaryKey: encodeKey(new Uint8Array(15)) } } }, 400_004],
  ['a key of 65 bytes', { authentication: { symmetricKey: { secondaryKey: encodeKey(new Uint8Array(65)) } } }, 400_004],
  ['a key that is no base64', { authentication: { symmetricKey: { primaryKey: `${KEY.slice(0, -1)}_` } } }, 400_004],
  ['a key that is a number', { authentication: { symmetricKey: { primaryKey: 1 } } }, 400_004],
  ['IoT Edge', { capabilities: { iotEdge: true } }, 400_003],
])('refuses a device with %s and repeats no key', (_, body, code) => {
  const { registry } = start();
  const before = registry.contents();
  expect(() => putIdentity(registry, { deviceId: 'dev2' }, body, undefined)).toThrow(expect.objectContaining({ code, message: expect.not.stringContaining(KEY.slice(0, 20)) }));
  expect(registry.contents()).toEqual(before);
});

test.each<[what: string, body: object, made: object]>([
  ['nothing but nulls', { status: null, statusReason: null, authentication: null, capabilities: null }, { enabled: true, authentication: { type: 'sas' } }],
  ['empty keys, as azure-iothub sends them', { authentication: { type: 'sas', symmetricKey: { primaryKey: '', secondaryKey: '' } } }, { authentication: { type: 'sas' } }],
  ['a status in another case', { status: 'Disabled', statusReason: 'x'.repeat(128) }, { enabled: false, statusReason: 'x'.repeat(128) }],
  ['a type in another case', { authentication: { type: 'CertificateAuthority' } }, { authentication: { type: 'certificateAuthority' } }],
  ['thumbprints alone', { authentication: { x509Thumbprint: { primaryThumbprint: 'A'.repeat(40), secondaryThumbprint: 'b'.repeat(64) } } }, { authentication: { type: 'selfSigned', primaryThumbprint: 'A'.repeat(40), secondaryThumbprint: 'b'.repeat(64) } }],
  ['one key', { authentication: { symmetricKey: { primaryKey: KEY } } }, { keys: { primary: Buffer.alloc(32, 1), secondary: expect.anything() } }],
])('makes a device of %s', (_, body, made) => {
  expect(putIdentity(start().registry, { deviceId: 'dev2' }, body, undefined)).toMatchObject(made);
});

test('an update tells what changed: keys, status, or something else; and says when the status did', () => {
  const { clock, registry, changes } = start();
  const { keys } = registry.find({ deviceId: 'dev1' })!;
  const same = { authentication: { symmetricKey: { primaryKey: encodeKey(keys.primary), secondaryKey: encodeKey(keys.secondary) } } };
  putIdentity(registry, { deviceId: 'dev1' }, { ...same, statusReason: 'tidy' }, '*');
  clock.jumpTo(5_000);
  putIdentity(registry, { deviceId: 'dev1' }, { ...same, status: 'disabled' }, '*');
  putIdentity(registry, { deviceId: 'dev1' }, { status: 'disabled' }, '*');
  expect(changes.map(({ change }) => change)).toEqual(['updated', 'disabled', 'keys-changed']);
  expect(registry.find({ deviceId: 'dev1' })).toMatchObject({ statusUpdatedMs: START_MS + 5_000, enabled: false });
  expect(registry.find({ deviceId: 'dev1' })).not.toHaveProperty('statusReason');
});

test('a device has 50 modules and no more', () => {
  const { registry } = start();
  for (let index = 0; index < 50; index++) putIdentity(registry, { deviceId: 'dev1', moduleId: `m${index}` }, {}, undefined);
  expect(() => putIdentity(registry, { deviceId: 'dev1', moduleId: 'm50' }, {}, undefined)).toThrow(expect.objectContaining({ status: 413, code: 413_003 }));
  deleteIdentity(registry, { deviceId: 'dev1', moduleId: 'm7' }, '*');
  expect(putIdentity(registry, { deviceId: 'dev1', moduleId: 'm50' }, {}, undefined).moduleId).toBe('m50');
});

test('says who is missing: the device, or the module of it', () => {
  const { registry } = start();
  expect(() => requireIdentity(registry, { deviceId: 'dev2' })).toThrow(expect.objectContaining({ code: 404_001, reason: 'DeviceNotFound' }));
  expect(() => requireIdentity(registry, { deviceId: 'dev2', moduleId: 'm' })).toThrow(expect.objectContaining({ code: 404_001 }));
  expect(() => requireIdentity(registry, { deviceId: 'dev1', moduleId: 'm' })).toThrow(expect.objectContaining({ code: 404_010, reason: 'ModuleNotFound' }));
  expect(() => putIdentity(registry, { deviceId: 'dev2', moduleId: 'm' }, {}, undefined)).toThrow(expect.objectContaining({ code: 404_001 }));
});

test.each<[ifMatch: string, matches: boolean]>([
  ['*', true], ['"*"', true], ['abc=', true], ['"abc="', true], ['W/"abc="', true], ['"x", "abc="', true],
  ['', false], ['""', false], ['"abc"', false], ['ABC=', false], ['"abc=', false], ['W/"x"', false],
])('If-Match %s against the etag abc=: %s', (ifMatch, matches) => {
  expect(matchesEtag(ifMatch, 'abc=')).toBe(matches);
  if (!matches) expect(() => checkIfMatch(ifMatch, 'abc=')).toThrow(expect.objectContaining({ status: 412, code: 412_001 }));
});

test('a bulk request does each import mode, twins included', () => {
  const { registry, twins } = start();
  const etagOf = (deviceId: string): string => registry.find({ deviceId })!.etag;
  const perform = (item: object): unknown => performBulk(registry, twins, [item]).errors.map(({ errorCode }) => errorCode);
  expect(perform({ id: 'new', importMode: 'create', tags: { site: 'a' }, properties: { desired: { rate: 1 } } })).toEqual([]);
  expect(twins.read({ deviceId: 'new' })).toMatchObject({ tags: { site: 'a' }, desired: { rate: 1 } });
  expect(perform({ id: 'new', importMode: 'Update', status: 'disabled' })).toEqual([]);
  expect(perform({ id: 'new', importMode: 'updateIfMatchETag', eTag: 'AA==' })).toEqual([412_001]);
  expect(perform({ id: 'new', importMode: 'updateIfMatchETag' })).toEqual([400_004]);
  expect(perform({ id: 'new', importMode: 'updateIfMatchETag', eTag: etagOf('new') })).toEqual([]);
  expect(perform({ id: 'new', importMode: 'updateTwin', tags: { site: 'b' } })).toEqual([]);
  expect(perform({ id: 'new', importMode: 'updateTwinIfMatchETag', twinETag: 'AA==', tags: { site: 'c' } })).toEqual([412_001]);
  expect(twins.read({ deviceId: 'new' }).tags).toEqual({ site: 'b' });
  expect(perform({ id: 'new', moduleId: 'm', importMode: 'create' })).toEqual([]);
  expect(perform({ id: 'new', importMode: 'deleteIfMatchETag', eTag: 'AA==' })).toEqual([412_001]);
  expect(perform({ id: 'new', importMode: 'delete' })).toEqual([]);
  expect(perform({ id: 'new', importMode: 'delete' })).toEqual([404_001]);
  expect(perform({ id: 'dev1', importMode: 'destroy' })).toEqual([400_004]);
  expect(perform({ id: 'dev1', importMode: { toString: null, valueOf: null } })).toEqual([400_004]);
  expect(perform({ importMode: 'create' })).toEqual([400_004]);
  expect(perform({ id: 'half', importMode: 'create', tags: { 'a.b': 1 } })).toEqual([400_004]);
  expect(registry.find({ deviceId: 'half' })).toBeUndefined();
  expect(performBulk(registry, twins, [null, 7]).errors.map(({ errorCode }) => errorCode)).toEqual([400_005, 400_005]);
});

test.each<[what: string, body: unknown, code: number]>([
  ['nothing', undefined, 400_005],
  ['an empty list', [], 400_005],
  ['101 devices', Array.from({ length: 101 }, (_, index) => ({ id: `d${index}` })), 413_002],
])('a bulk request of %s is refused whole', (_, body, code) => {
  const { registry, twins } = start();
  expect(() => performBulk(registry, twins, body)).toThrow(expect.objectContaining({ code }));
  expect(registry.deviceCount).toBe(1);
});

test('reads a policy of the command line', () => {
  expect(parsePolicyOption('ops=RegistryReadWrite, ServiceConnect')).toEqual({ name: 'ops', permissions: ['RegistryRead', 'RegistryWrite', 'ServiceConnect'] });
  const { policies } = start().registry;
  const { keys } = policies.set('ops', ['RegistryRead']);
  expect(policies.set('ops', ['ServiceConnect'])).toEqual({ name: 'ops', permissions: ['ServiceConnect'], keys });
});
