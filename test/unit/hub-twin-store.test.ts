import { expect, test } from '@jest/globals';
import { formatDeviceTwin, formatTwin } from '../../host-sim/hub/twins/twin-format.ts';
import { TwinStore, type TwinChange } from '../../host-sim/hub/twins/twin-store.ts';
import { VirtualClock } from '../../host-sim/time/virtual-clock.ts';

const START_MS = Date.UTC(2026, 10, 22, 12);
const DEVICE = { deviceId: 'dev1' };
const MODULE = { deviceId: 'dev1', moduleId: 'mod' };

function open(): { clock: VirtualClock; twins: TwinStore; changes: TwinChange[] } {
  const clock = new VirtualClock(START_MS);
  const twins = new TwinStore(clock);
  const changes: TwinChange[] = [];
  twins.onChange((change) => changes.push(change));
  twins.create(DEVICE);
  return { clock, twins, changes };
}

test('a new twin looks like one of IoT Hub', () => {
  const { twins } = open();
  const metadata = { $lastUpdated: '2026-11-22T12:00:00.000Z' };
  expect(JSON.parse(JSON.stringify(formatTwin({ ...DEVICE, enabled: true, etag: 'MQ==' }, twins.read(DEVICE), { connected: false })))).toEqual({
    deviceId: 'dev1',
    etag: 'AAAAAAAAAAE=',
    deviceEtag: 'MQ==',
    status: 'enabled',
    statusUpdateTime: '0001-01-01T00:00:00Z',
    connectionState: 'Disconnected',
    lastActivityTime: '0001-01-01T00:00:00Z',
    cloudToDeviceMessageCount: 0,
    authenticationType: 'sas',
    x509Thumbprint: { primaryThumbprint: null, secondaryThumbprint: null },
    modelId: '',
    version: 2,
    tags: {},
    properties: { desired: { $metadata: metadata, $version: 1 }, reported: { $metadata: metadata, $version: 1 } },
    capabilities: { iotEdge: false },
  });
});

test("a module's twin names both ids, has no capabilities, and shows who is connected since when", () => {
  const { twins } = open();
  twins.create(MODULE);
  const twin = formatTwin({ ...MODULE, enabled: false, statusReason: 'lost', statusUpdatedMs: START_MS }, twins.read(MODULE), {
    connected: true, lastActivityMs: START_MS + 1, modelId: 'dtmi:com:example:Thermostat;1',
  });
  expect(twin).toMatchObject({
    deviceId: 'dev1', moduleId: 'mod', status: 'disabled', statusReason: 'lost', statusUpdateTime: '2026-11-22T12:00:00.000Z', connectionState: 'Connected',
    lastActivityTime: '2026-11-22T12:00:00.001Z', modelId: 'dtmi:com:example:Thermostat;1',
  });
  expect(twin).not.toHaveProperty('capabilities');
});

test('each part has its version; the etag moves with what a service writes, the version with everything', () => {
  const { twins, changes } = open();
  const see = (): unknown[] => {
    const { version, etag, desiredVersion, reportedVersion } = twins.read(DEVICE);
    return [version, etag, desiredVersion, reportedVersion];
  };
  twins.patch(DEVICE, { tags: { a: 1 } });
  expect(see()).toEqual([3, 'AAAAAAAAAAI=', 1, 1]);
  twins.patch(DEVICE, { properties: { desired: { a: 1 } } });
  expect(see()).toEqual([4, 'AAAAAAAAAAM=', 2, 1]);
  expect(twins.report(DEVICE, { a: 1 })).toBe(2);
  expect(see()).toEqual([5, 'AAAAAAAAAAM=', 2, 2]);
  twins.patch(DEVICE, { tags: { b: 1 }, properties: { desired: { b: 1 } } });
  expect(see()).toEqual([6, 'AAAAAAAAAAQ=', 3, 2]);
  twins.patch(DEVICE, {});
  expect(see()).toEqual([6, 'AAAAAAAAAAQ=', 3, 2]);
  expect(changes.map(({ part, version }) => `${part} ${version}`)).toEqual(['tags 2', 'desired 2', 'reported 2', 'tags 3', 'desired 3']);
});

test('a replacement puts a part in place of the old one and leaves the part that is not given', () => {
  const { twins, changes } = open();
  twins.patch(DEVICE, { tags: { keep: 1 }, properties: { desired: { old: 1, deep: { a: 1 } } } });
  twins.replace(DEVICE, { properties: { desired: { deep: { b: 2, none: null }, $version: 9, $metadata: {} } } });
  expect(twins.read(DEVICE)).toMatchObject({ tags: { keep: 1 }, desired: { deep: { b: 2 } }, desiredVersion: 3 });
  expect(changes.at(-1)).toEqual({ identity: DEVICE, part: 'desired', patch: { deep: { b: 2 } }, replaced: true, version: 3 });
  twins.patch(DEVICE, { tags: null });
  expect(twins.read(DEVICE).tags).toEqual({});
});

test('a listener gets a patch as it was sent, with its nulls', () => {
  const { twins, changes } = open();
  twins.patch(DEVICE, { properties: { desired: { a: { b: null }, c: null, $version: 7 } } });
  expect(changes).toEqual([{ identity: DEVICE, part: 'desired', patch: { a: { b: null }, c: null }, replaced: false, version: 2 }]);
});

test.each<[string | undefined, boolean]>([
  [undefined, true],
  ['*', true],
  ['AAAAAAAAAAE=', true],
  ['"AAAAAAAAAAE="', true],
  ['AAAAAAAAAAI=', false],
  ['""', false],
  ['', false],
])('with If-Match %s on a new twin, an update goes through: %s', (ifMatch, goesThrough) => {
  const { twins, changes } = open();
  for (const write of [twins.patch, twins.replace]) {
    // The second write meets the etag of the first.
    const update = (): unknown => write.call(twins, DEVICE, { tags: { a: 1 } }, ifMatch?.replace('AAAAAAAAAAE=', twins.read(DEVICE).etag));
    if (goesThrough) update();
    else expect(update).toThrow(expect.objectContaining({ status: 412, code: 412_001, reason: 'PreconditionFailed' }));
  }
  expect(changes).toHaveLength(goesThrough ? 2 : 0);
});

test('an update with one bad part changes nothing at all', () => {
  const { twins, changes } = open();
  const before = twins.read(DEVICE);
  expect(() => twins.patch(DEVICE, { tags: { good: 1 }, properties: { desired: { 'b.d': 1 } } })).toThrow('invalid characters');
  expect(() => twins.patch(DEVICE, { tags: { good: 1 }, properties: { desired: Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`k${index}`, 'x'.repeat(4_096)])) } })).toThrow('at most 32768');
  expect(twins.read(DEVICE)).toBe(before);
  expect(changes).toEqual([]);
});

test('a twin that was read does not change with later writes', () => {
  const { twins } = open();
  twins.report(DEVICE, { a: { b: 1 }, c: { d: 1 } });
  const read = twins.read(DEVICE);
  const text = JSON.stringify(read);
  twins.report(DEVICE, { a: { b: 2 }, c: null });
  expect(JSON.stringify(read)).toBe(text);
});

test('reported properties carry moments, desired ones moments and versions', () => {
  const { clock, twins } = open();
  clock.jumpTo(clock.monotonicMs() + 1_500);
  twins.report(DEVICE, { a: 1 });
  twins.patch(DEVICE, { properties: { desired: { b: 1 } } });
  const at = '2026-11-22T12:00:01.500Z';
  expect(twins.read(DEVICE).reportedMetadata).toEqual({ $lastUpdated: at, a: { $lastUpdated: at } });
  expect(twins.read(DEVICE).desiredMetadata).toEqual({ $lastUpdated: at, $lastUpdatedVersion: 2, b: { $lastUpdated: at, $lastUpdatedVersion: 2 } });
  expect(formatDeviceTwin(twins.read(DEVICE))).toEqual({ desired: { b: 1, $version: 2 }, reported: { a: 1, $version: 2 } });
});

test('who has no twin gets 404 with the code of a device or of a module', () => {
  const { twins } = open();
  expect(() => twins.read({ deviceId: 'nobody' })).toThrow(expect.objectContaining({ status: 404, code: 404_001, reason: 'DeviceNotFound' }));
  expect(() => twins.report(MODULE, {})).toThrow(expect.objectContaining({ status: 404, code: 404_010, reason: 'ModuleNotFound' }));
  twins.delete(DEVICE);
  expect(() => twins.patch(DEVICE, {})).toThrow(expect.objectContaining({ code: 404_001 }));
});

test('is the same again from its records, names that mean something to JavaScript included', () => {
  const { clock, twins } = open();
  const journal = new Map<string, string>();
  twins.onRecord((key, value) => (value === undefined ? journal.delete(key) : journal.set(key, JSON.stringify(value))));
  twins.create(MODULE);
  twins.create({ deviceId: 'gone' });
  twins.patch(DEVICE, { tags: JSON.parse('{"__proto__": {"polluted": true}}'), properties: { desired: { a: [1, { b: 2 }] } } });
  twins.report(MODULE, { c: 3 });
  twins.delete({ deviceId: 'gone' });

  const ofJournal = new TwinStore(clock, [...journal].map(([key, text]) => [key, JSON.parse(text) as unknown] as const));
  const ofRecords = new TwinStore(clock, [...twins.records()].map(([key, value]) => [key, JSON.parse(JSON.stringify(value)) as unknown] as const));
  expect([...journal.keys()].sort()).toEqual(['twin/dev1', 'twin/dev1/mod']);
  for (const again of [ofJournal, ofRecords]) {
    expect(new Set(again.identities())).toEqual(new Set([DEVICE, MODULE]));
    for (const identity of [DEVICE, MODULE]) expect(JSON.stringify(again.read(identity))).toBe(JSON.stringify(twins.read(identity)));
    expect(again.patch(DEVICE, { tags: { more: 1 } }, twins.read(DEVICE).etag).etag).toBe('AAAAAAAAAAM=');
  }
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test.each<[string, unknown]>([
  ['presence/dev1', {}],
  ['twin/a/b/c', {}],
  ['twin/dev1', 7],
  ['twin/dev1', null],
  ['twin/dev1', { tags: {}, desired: {}, reported: {} }],
  ['twin/dev1', { tags: [], desired: {}, reported: {}, desiredMetadata: {}, reportedMetadata: {}, tagsVersion: 1, serviceVersion: 1, desiredVersion: 1, reportedVersion: 1, version: 2 }],
  ['twin/dev1', { tags: {}, desired: {}, reported: {}, desiredMetadata: {}, reportedMetadata: {}, tagsVersion: 1, serviceVersion: -1, desiredVersion: 1, reportedVersion: 1, version: 2 }],
])('refuses %s with %j as a record', (key, value) => {
  expect(() => new TwinStore(new VirtualClock(START_MS), [[key, value]])).toThrow(TypeError);
});
