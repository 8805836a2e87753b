import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import type { Configuration, Registry } from 'azure-iothub';

import { encodeKey } from '../../host-sim/hub/access/symmetric-key.ts';
import { recordEvidence } from '../evidence.ts';
import { HUB_NAME } from './local-hub.ts';
import { openLocalService, type LocalService } from './local-service.ts';

let local: LocalService;
let registry: Registry;
let operations = 0;

beforeAll(async () => {
  local = await openLocalService();
  registry = local.registryOf('iothubowner');
  local.hub.registry.add({ deviceId: 'dev1' });
  local.hub.twins.patch({ deviceId: 'dev1' }, { tags: { environment: 'test' } });
});

afterAll(() => local.close());

/** Of the documentation's tutorial on firmware updates. */
const firmwareUpdate = (): Configuration => ({
  id: 'firmware285',
  schemaVersion: '1.0',
  labels: { App: 'firmware285' },
  content: { deviceContent: { 'properties.desired.firmware': { fwVersion: '2.8.5', fwPackageURI: 'https://secureuri/package.bin', fwPackageCheckValue: '123456abcde' } } },
  targetCondition: "tags.environment='test'",
  priority: 20,
  metrics: { queries: { Current: "SELECT deviceId FROM devices WHERE configurations.[[firmware285]].status='Applied' AND properties.reported.firmware.fwUpdateStatus='current'" } },
});

async function call<Result>(promise: Promise<{ responseBody: Result }>): Promise<Result> {
  const { responseBody } = await promise;
  operations += 1;
  return responseBody;
}

test("Microsoft's service SDK creates a configuration, Microsoft's device SDK gets and reports it, and the metrics say so", async () => {
  const created = await call<Configuration>(registry.addConfiguration(firmwareUpdate()));
  expect(created).toMatchObject({ ...firmwareUpdate(), metrics: { queries: firmwareUpdate().metrics!.queries, results: { Current: 0 } }, etag: 'MQ==' });
  expect(created.createdTimeUtc).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);

  const key = encodeKey(local.hub.registry.find({ deviceId: 'dev1' })!.keys.primary);
  const client = Client.fromConnectionString(`HostName=${HUB_NAME};DeviceId=dev1;SharedAccessKey=${key};GatewayHostName=localhost:${local.port}`, Mqtt);
  await client.setOptions({ ca: local.pki.root.certificatePem });
  await client.open();
  const twin = await client.getTwin();
  const wanted = await new Promise<object>((resolve) => void twin.on('properties.desired.firmware', resolve));
  expect(wanted).toEqual(firmwareUpdate().content!.deviceContent!['properties.desired.firmware']);
  await new Promise<void>((resolve, reject) => void twin.properties.reported.update({ firmware: { fwUpdateStatus: 'current' } }, (error?: Error) => (error ? reject(error) : resolve())));
  await client.close();

  const read = await call<Configuration>(registry.getConfiguration('firmware285'));
  expect(read.systemMetrics).toEqual({
    results: { targetedCount: 1, appliedCount: 1 },
    queries: {
      targetedCount: "select deviceId from devices where tags.environment='test'",
      appliedCount: "select deviceId from devices where configurations.[[firmware285]].status = 'Applied'",
    },
  });
  expect(read.metrics!.results).toEqual({ Current: 1 });
});

test('the queries of its system metrics are queries that the hub runs', async () => {
  const { systemMetrics } = await call<Configuration>(registry.getConfiguration('firmware285'));
  for (const query of Object.values(systemMetrics!.queries!)) {
    const { result } = (await registry.createQuery(query).next()) as unknown as { result: unknown };
    expect(result).toEqual([{ deviceId: 'dev1' }]);
    operations += 1;
  }
});

test('an update needs the etag of now, or force, and changes all but the content', async () => {
  const read = await call<Configuration>(registry.getConfiguration('firmware285'));
  await call(registry.updateConfiguration({ ...read, priority: 30 }));
  await expect(registry.updateConfiguration({ ...read, priority: 31 })).rejects.toMatchObject({ name: 'InvalidEtagError' });
  const forced = await call<Configuration>(registry.updateConfiguration({ ...read, targetCondition: "tags.environment='none'" }, true));
  expect(forced).toMatchObject({ priority: 20, targetCondition: "tags.environment='none'", etag: 'Mw==', createdTimeUtc: read.createdTimeUtc });
  await expect(registry.updateConfiguration({ ...read, content: { deviceContent: { 'properties.desired.other': 1 } } }, true)).rejects.toMatchObject({
    name: 'ArgumentError',
    responseBody: expect.stringContaining('The content of a configuration cannot be changed'),
  });
});

test('configurations are listed, a second one of the same id is a conflict, a wrong one an ArgumentError', async () => {
  expect((await call<Configuration[]>(registry.getConfigurations())).map(({ id }) => id)).toEqual(['firmware285']);
  await expect(registry.addConfiguration(firmwareUpdate())).rejects.toMatchObject({ name: 'DeviceAlreadyExistsError' });
  await expect(registry.addConfiguration({ ...firmwareUpdate(), id: 'Upper' })).rejects.toMatchObject({ name: 'ArgumentError' });
});

test('content for IoT Edge is refused, with the remedy', async () => {
  await expect(registry.applyConfigurationContentOnDevice('dev1', { deviceContent: {} })).rejects.toMatchObject({
    name: 'ArgumentError',
    responseBody: expect.stringContaining('Configuration content is applied to IoT Edge devices, and dev1 is none'),
  });
  await expect(registry.applyConfigurationContentOnDevice('nobody', { deviceContent: {} })).rejects.toMatchObject({ name: 'DeviceNotFoundError' });
});

test('a removed configuration is gone, and its settings leave the twin', async () => {
  await registry.removeConfiguration('firmware285');
  await expect(registry.getConfiguration('firmware285')).rejects.toMatchObject({ message: 'Not found', responseBody: expect.stringContaining('ConfigurationNotFound') });
  await local.waitFor('configurationsApplied', ({ configurations }) => configurations.length === 0);
  expect(local.hub.twins.read({ deviceId: 'dev1' }).desired).toEqual(Object.create(null));
  recordEvidence('configurations-sdk', operations + 1);
});

test('a policy that may read cannot write', async () => {
  await expect(local.registryOf('registryRead').addConfiguration(firmwareUpdate())).rejects.toMatchObject({ name: 'UnauthorizedError' });
  expect((await local.registryOf('registryRead').getConfigurations()).responseBody).toEqual([]);
});
