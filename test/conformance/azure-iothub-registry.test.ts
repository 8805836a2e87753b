import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client as DeviceClient } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import type { Registry } from 'azure-iothub';
import { encodeKey, generateKeyPair } from '../../host-sim/hub/access/symmetric-key.ts';
import { recordEvidence } from '../evidence.ts';
import { HUB_NAME } from './local-hub.ts';
import { openLocalService, type LocalService } from './local-service.ts';

/** Every character that an id may have. */
const ID = "-:.+%_#*?!(),=@$'";

let local: LocalService;
let registry: Registry;
/** Of the features below, each one test. */
let passed = 0;

beforeAll(async () => {
  local = await openLocalService();
  registry = local.registryOf('iothubowner');
});

afterAll(async () => {
  await local.close();
  recordEvidence('azure-iothub-registry-features', passed);
});

const feature = (name: string, run: () => Promise<void>): void => {
  test(`Microsoft's service SDK ${name}`, async () => {
    await run();
    passed += 1;
  });
};

interface Device {
  deviceId: string;
  etag: string;
  generationId: string;
  status: string;
  statusReason: string | null;
  statusUpdatedTime: string;
  connectionState: string;
  connectionStateUpdatedTime: string;
  lastActivityTime: string;
  authentication: { type: string; symmetricKey: { primaryKey: string; secondaryKey: string }; x509Thumbprint: { primaryThumbprint: string | null } };
}

/** The SDK's own type of a device leaves out most of what it carries. */
async function bodyOf(answer: Promise<unknown>): Promise<Device> {
  return ((await answer) as { readonly responseBody: Device }).responseBody;
}

const NEVER = '0001-01-01T00:00:00Z';
const BASE64_32 = /^[A-Za-z0-9+/]{43}=$/;

feature('creates a device with generated keys, and gets it again', async () => {
  const created = await bodyOf(registry.create({ deviceId: 'made' }));
  expect(created).toMatchObject({
    deviceId: 'made', status: 'enabled', statusReason: null, connectionState: 'Disconnected', connectionStateUpdatedTime: NEVER, statusUpdatedTime: NEVER,
    lastActivityTime: NEVER, cloudToDeviceMessageCount: 0, capabilities: { iotEdge: false },
    generationId: expect.stringMatching(/^\d{18}$/), etag: expect.stringMatching(/^[A-Za-z0-9+/]+=*$/),
    authentication: { type: 'sas', symmetricKey: { primaryKey: expect.stringMatching(BASE64_32), secondaryKey: expect.stringMatching(BASE64_32) }, x509Thumbprint: { primaryThumbprint: null, secondaryThumbprint: null } },
  });
  expect(await bodyOf(registry.get('made'))).toEqual(created);
});

feature('creates a device with every legal character in its id, with keys and a status of its own', async () => {
  const symmetricKey = { primaryKey: encodeKey(generateKeyPair().primary), secondaryKey: encodeKey(new Uint8Array(64).fill(7)) };
  await registry.create({ deviceId: ID, status: 'disabled', statusReason: 'not yet: ü', authentication: { symmetricKey } } as never);
  expect(await bodyOf(registry.get(ID))).toMatchObject({ deviceId: ID, status: 'disabled', statusReason: 'not yet: ü', authentication: { type: 'sas', symmetricKey } });
});

feature('is told of a device that is there already, and of one that is not there', async () => {
  await expect(registry.create({ deviceId: 'made' })).rejects.toMatchObject({ name: 'DeviceAlreadyExistsError', message: "A device with ID 'made' is already registered." });
  await expect(registry.get('nobody')).rejects.toMatchObject({ name: 'DeviceNotFoundError', message: 'nobody' });
  await expect(registry.update({ deviceId: 'nobody' })).rejects.toMatchObject({ name: 'DeviceNotFoundError' });
  await expect(registry.delete('nobody')).rejects.toMatchObject({ name: 'DeviceNotFoundError' });
});

feature('updates a device: another etag, the same generation, new keys where none are given', async () => {
  const before = await bodyOf(registry.get('made'));
  const kept = await bodyOf(registry.update({ deviceId: 'made', status: 'disabled', authentication: before.authentication } as never));
  expect(kept).toMatchObject({ generationId: before.generationId, status: 'disabled', authentication: before.authentication });
  expect(kept.etag).not.toBe(before.etag);
  expect(Date.parse(kept.statusUpdatedTime)).toBeGreaterThan(Date.now() - 60_000);
  const renewed = await bodyOf(registry.update({ deviceId: 'made', status: 'enabled' }));
  expect(renewed.authentication.symmetricKey.primaryKey).not.toBe(before.authentication.symmetricKey.primaryKey);
});

feature('registers certificates by thumbprint and by authority, without keys', async () => {
  const thumbprint = 'AB'.repeat(32);
  const self = await bodyOf(registry.create({ deviceId: 'self', authentication: { x509Thumbprint: { primaryThumbprint: thumbprint } } } as never));
  expect(self.authentication).toMatchObject({ type: 'selfSigned', symmetricKey: { primaryKey: null, secondaryKey: null }, x509Thumbprint: { primaryThumbprint: thumbprint } });
  const ca = await bodyOf(registry.create({ deviceId: 'ca', authentication: { type: 'certificateAuthority' } } as never));
  expect(ca.authentication).toMatchObject({ type: 'certificateAuthority', symmetricKey: { primaryKey: null } });
});

feature('lists devices, modules not among them', async () => {
  const { responseBody } = (await registry.list()) as unknown as { readonly responseBody: readonly { readonly deviceId: string }[] };
  expect(responseBody.map(({ deviceId }) => deviceId)).toEqual(['made', ID, 'self', 'ca']);
});

feature('deletes devices, with their twins', async () => {
  for (const deviceId of ['self', 'ca']) await registry.delete(deviceId);
  await expect(registry.get('self')).rejects.toMatchObject({ name: 'DeviceNotFoundError' });
  await expect(registry.getTwin('self')).rejects.toMatchObject({ name: 'DeviceNotFoundError' });
});

type Bulk = { readonly responseBody: { readonly isSuccessful: boolean; readonly errors: readonly unknown[] } };
const HUNDRED = Array.from({ length: 100 }, (_, index) => ({ deviceId: `bulk${index}` }));

feature('adds a hundred devices at once, and disables them', async () => {
  expect(((await registry.addDevices(HUNDRED as never)) as unknown as Bulk).responseBody).toEqual({ isSuccessful: true, errors: [], warnings: [] });
  await registry.updateDevices(HUNDRED.map((device) => ({ ...device, status: 'disabled' })) as never, true);
  expect((await bodyOf(registry.get('bulk99'))).status).toBe('disabled');
});

feature('is told which of many failed, and the others are done', async () => {
  const failed = await registry.addDevices([{ deviceId: 'bulk0' }, { deviceId: 'fresh' }, { deviceId: 'a b' }, { deviceId: 'fresh' }] as never).catch((error: unknown) => error);
  expect(failed).toMatchObject({ name: 'ArgumentError' });
  expect(JSON.parse((failed as { readonly responseBody: string }).responseBody)).toEqual({
    isSuccessful: false, warnings: [],
    errors: [
      { deviceId: 'bulk0', errorCode: 409_001, errorStatus: "A device with ID 'bulk0' is already registered." },
      { deviceId: 'a b', errorCode: 400_004, errorStatus: 'The deviceId is not valid.' },
      { deviceId: 'fresh', errorCode: 400_011, errorStatus: 'fresh stands in the list twice.' },
    ],
  });
  expect((await bodyOf(registry.get('fresh'))).status).toBe('enabled');
  const { etag } = await bodyOf(registry.get('fresh'));
  const stale = await registry.updateDevices([{ deviceId: 'fresh', etag: 'MA==' }] as never, false).catch((error: unknown) => error);
  expect(JSON.parse((stale as { readonly responseBody: string }).responseBody).errors).toMatchObject([{ deviceId: 'fresh', errorCode: 412_001 }]);
  await registry.updateDevices([{ deviceId: 'fresh', etag }] as never, false);
});

feature('reads the statistics, and removes a hundred devices at once', async () => {
  const { responseBody } = (await registry.getRegistryStatistics()) as unknown as { readonly responseBody: object };
  expect(responseBody).toEqual({ totalDeviceCount: 103, enabledDeviceCount: 2, disabledDeviceCount: 101 });
  await registry.removeDevices(HUNDRED as never, true);
  expect(((await registry.getRegistryStatistics()) as unknown as { readonly responseBody: { readonly totalDeviceCount: number } }).responseBody.totalDeviceCount).toBe(3);
});

feature('adds, gets, updates, lists and removes modules', async () => {
  const moduleId = `m${ID}`;
  const added = (await registry.addModule({ deviceId: ID, moduleId, managedBy: 'me' } as never)) as unknown as { readonly responseBody: Device & { readonly managedBy: string } };
  expect(added.responseBody).toMatchObject({ deviceId: ID, moduleId, managedBy: 'me', connectionState: 'Disconnected', authentication: { type: 'sas' } });
  expect(added.responseBody).not.toHaveProperty('status');
  expect(((await registry.getModule(ID, moduleId)) as unknown as { readonly responseBody: object }).responseBody).toEqual(added.responseBody);
  await registry.updateModule({ ...added.responseBody, managedBy: 'you' } as never);
  await expect(registry.updateModule({ ...added.responseBody } as never)).rejects.toMatchObject({ name: 'InvalidEtagError' });
  expect(((await registry.getModulesOnDevice(ID)) as unknown as { readonly responseBody: readonly object[] }).responseBody).toMatchObject([{ moduleId, managedBy: 'you' }]);
  await expect(registry.addModule({ deviceId: ID, moduleId } as never)).rejects.toMatchObject({ name: 'DeviceAlreadyExistsError', responseBody: expect.stringContaining('"errorCode":409301') });
  await registry.removeModule(ID, moduleId);
  await expect(registry.getModule(ID, moduleId)).rejects.toMatchObject({ responseBody: expect.stringContaining('"errorCode":404010') });
});

feature('reads, patches and replaces twins of devices and modules, by etag too', async () => {
  await registry.addModule({ deviceId: ID, moduleId: 'm' } as never);
  const { twin } = await registry.getTwin(ID).then(({ responseBody }) => ({ twin: responseBody }));
  expect(twin).toMatchObject({ deviceId: ID, status: 'disabled', tags: {}, properties: { desired: { $version: 1 }, reported: { $version: 1 } } });
  const patched = (await registry.updateTwin(ID, { tags: { site: 'a', floor: 1 }, properties: { desired: { rate: 5 } } }, twin.etag)).responseBody;
  expect(patched).toMatchObject({ tags: { site: 'a', floor: 1 }, properties: { desired: { rate: 5, $version: 2 } } });
  await expect(registry.updateTwin(ID, { tags: {} }, twin.etag)).rejects.toMatchObject({ name: 'InvalidEtagError' });
  expect((await registry.updateTwin(ID, { tags: { site: null } }, '*')).responseBody.tags).toEqual({ floor: 1 });
  const module = (await registry.updateModuleTwin(ID, 'm', { properties: { desired: { on: true } } }, '*')).responseBody;
  expect(module).toMatchObject({ deviceId: ID, moduleId: 'm', properties: { desired: { on: true, $version: 2 } } });
  expect((await registry.getModuleTwin(ID, 'm')).responseBody.properties.desired).toMatchObject({ on: true });
});

feature('is told that a twin is not valid', async () => {
  await expect(registry.updateTwin(ID, { properties: { desired: { 'a.b': 1 } } }, '*')).rejects.toMatchObject({ name: 'ArgumentError' });
  await expect(registry.updateTwin(ID, { tags: { big: 'x'.repeat(4_097) } }, '*')).rejects.toMatchObject({ name: 'ArgumentError' });
});

feature('calls a method of a connected device, sees it connected, and hears why another cannot be called', async () => {
  const { authentication } = await bodyOf(registry.create({ deviceId: 'live' }));
  const device = DeviceClient.fromConnectionString(`HostName=${HUB_NAME};DeviceId=live;SharedAccessKey=${authentication.symmetricKey.primaryKey};GatewayHostName=localhost:${local.port}`, Mqtt);
  await device.setOptions({ ca: local.pki.root.certificatePem });
  await device.open();
  device.onDeviceMethod('add', ({ payload }, response) => void response.send(200, (payload as number[]).reduce((sum, next) => sum + next, 0)));
  await local.waitFor('subscribed', ({ filter }) => filter.startsWith('$iothub/methods'));
  const client = local.clientOf('service');
  const call = { methodName: 'add', payload: [1, 2, 3], responseTimeoutInSeconds: 10 };
  expect((await client.invokeDeviceMethod('live', call)).result).toEqual({ status: 200, payload: 6 });
  expect(await bodyOf(registry.get('live'))).toMatchObject({ connectionState: 'Connected', lastActivityTime: expect.stringMatching(/^20/) });
  await device.close();
  await local.waitFor('disconnected', ({ deviceId }) => deviceId === 'live');
  expect(await bodyOf(registry.get('live'))).toMatchObject({ connectionState: 'Disconnected', connectionStateUpdatedTime: expect.stringMatching(/^20/) });
  await expect(client.invokeDeviceMethod('live', call)).rejects.toMatchObject({ responseBody: expect.stringContaining('\\"errorCode\\":404103') });
  await expect(client.invokeDeviceMethod('nobody', call)).rejects.toMatchObject({ responseBody: expect.stringContaining('\\"errorCode\\":404001') });
});

feature('is refused with UnauthorizedError what its policy does not allow', async () => {
  const reader = local.registryOf('registryRead');
  expect(await bodyOf(reader.get('live'))).toMatchObject({ deviceId: 'live' });
  for (const forbidden of [reader.create({ deviceId: 'x' }), reader.getTwin('live'), local.registryOf('service').get('live'), local.registryOf('device').list()]) {
    await expect(forbidden).rejects.toMatchObject({ name: 'UnauthorizedError', message: 'Unauthorized' });
  }
});
