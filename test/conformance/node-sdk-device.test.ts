import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client, ModuleClient, type Message, type Twin } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import { encodeKey } from '../../host-sim/hub/access/symmetric-key.ts';
import type { Identity } from '../../host-sim/hub/identity.ts';
import { recordEvidence } from '../evidence.ts';
import { HUB_NAME, openLocalHub, type LocalHub } from './local-hub.ts';

let local: LocalHub;
/** Of the tests below, each a feature of the device's side. */
let passed = 0;

beforeAll(async () => {
  local = await openLocalHub();
});

afterAll(async () => {
  await local.close();
  recordEvidence('node-sdk-device-features', passed);
});

type AnyClient = Client | ModuleClient;

async function openClient<C extends AnyClient>(
  create: (connectionString: string, transport: typeof Mqtt) => C, identity: Identity, beforeOpen: (client: C) => void = () => {},
): Promise<C> {
  const registered = local.hub.registry.find(identity) ?? local.hub.registry.add(identity);
  const module = identity.moduleId === undefined ? '' : `;ModuleId=${identity.moduleId}`;
  const client = create(
    `HostName=${HUB_NAME};DeviceId=${identity.deviceId}${module};SharedAccessKey=${encodeKey(registered.keys.primary)};GatewayHostName=localhost:${local.port}`,
    Mqtt,
  );
  await client.setOptions({ ca: local.pki.root.certificatePem });
  beforeOpen(client);
  await client.open();
  return client;
}

const openDevice = (deviceId: string): Promise<Client> => openClient(Client.fromConnectionString, { deviceId });

/** What the twin's listener hears: first what is there, then each change. */
function watchDesired(twin: Twin): { until(version: number): Promise<Record<string, unknown>> } {
  const heard: Record<string, unknown>[] = [];
  const waiting: (() => void)[] = [];
  twin.on('properties.desired', (desired: Record<string, unknown>) => {
    heard.push({ ...desired });
    waiting.splice(0).forEach((wake) => wake());
  });
  const find = (version: number): Record<string, unknown> | undefined => heard.find(({ $version }) => $version === version);
  return {
    until: async (version) => {
      while (find(version) === undefined) await new Promise<void>((resolve) => waiting.push(resolve));
      return find(version) as Record<string, unknown>;
    },
  };
}

function update(twin: Twin, patch: object): Promise<void> {
  return new Promise((resolve, reject) => twin.properties.reported.update(patch, (error?: Error) => (error ? reject(error) : resolve())));
}

test("Microsoft's Node device client reads its twin, reports properties, and is told of desired changes and replacements", async () => {
  const device = { deviceId: 'sdk-twin' };
  const client = await openDevice(device.deviceId);
  local.hub.twins.patch(device, { tags: { hidden: true }, properties: { desired: { interval: 5, modes: ['a', 'b'] } } });
  const twin = await client.getTwin();
  expect(twin.properties.desired).toMatchObject({ interval: 5, modes: ['a', 'b'], $version: 2 });
  expect(JSON.stringify(twin.properties)).not.toContain('hidden');

  await update(twin, { firmware: { version: '1.2' }, old: 1 });
  await update(twin, { firmware: { date: 'today' }, old: null });
  expect(local.hub.twins.read(device)).toMatchObject({ reported: { firmware: { version: '1.2', date: 'today' } }, reportedVersion: 3 });
  expect(local.hub.twins.read(device).reported).not.toHaveProperty('old');

  const desired = watchDesired(twin);
  expect(await desired.until(2)).toMatchObject({ interval: 5 });
  await local.waitFor('subscribed', ({ deviceId, filter }) => deviceId === 'sdk-twin' && filter.includes('desired'));
  local.hub.twins.patch(device, { properties: { desired: { interval: 9, modes: null } } });
  expect(await desired.until(3)).toEqual({ interval: 9, modes: null, $version: 3 });
  local.hub.twins.replace(device, { properties: { desired: { only: { this: 1 } } } });
  expect(await desired.until(4)).toEqual({ only: { this: 1 }, $version: 4 });
  await client.close();
  passed += 1;
});

test("Microsoft's Node device client hears why reported properties are refused", async () => {
  const client = await openDevice('sdk-refused');
  const twin = await client.getTwin();
  await expect(update(twin, { 'a.b': 1 })).rejects.toThrow('Property or Tag name has invalid characters');
  await expect(update(twin, { big: 'x'.repeat(4_097) })).rejects.toThrow('exceeds 4096 bytes');
  expect(local.eventsOf('twinRefused').map(({ code }) => code)).toEqual([400_004, 400_004]);
  await client.close();
  passed += 1;
});

test("Microsoft's Node device client answers direct methods with status and payload, and one without a payload", async () => {
  const device = { deviceId: 'sdk-methods' };
  const client = await openDevice(device.deviceId);
  client.onDeviceMethod('add', (request, response) => void response.send(200, { sum: request.payload.a + request.payload.b }));
  client.onDeviceMethod('empty', (request, response) => void response.send(404, request.payload === null ? 'nothing' : 'something'));
  await local.waitFor('subscribed', ({ deviceId }) => deviceId === 'sdk-methods');
  expect(await local.hub.methods.invoke(device, { methodName: 'add', payload: { a: 2, b: 3 } })).toEqual({ status: 200, payload: { sum: 5 } });
  expect((await local.hub.methods.invoke(device, { methodName: 'empty', payload: null })).status).toBe(404);
  await client.close();
  await local.waitFor('disconnected', ({ deviceId }) => deviceId === 'sdk-methods');
  await expect(local.hub.methods.invoke(device, { methodName: 'add' })).rejects.toMatchObject({ status: 404, code: 404_103 });
  passed += 1;
});

test("Microsoft's Node device client receives cloud-to-device messages in order with their properties, and completing them empties the queue", async () => {
  const device = { deviceId: 'sdk-c2d' };
  const client = await openDevice(device.deviceId);
  const received: Message[] = [];
  const done = new Promise<void>((resolve) => {
    client.on('message', (message: Message) => {
      received.push(message);
      void client.complete(message);
      if (received.length === 20) resolve();
    });
  });
  await local.waitFor('subscribed', ({ deviceId }) => deviceId === 'sdk-c2d');
  for (let index = 0; index < 20; index++) {
    local.hub.messages.enqueue(device, {
      messageId: `m ${index}`, correlationId: 'c/1', userId: 'ü', contentType: 'text/plain', contentEncoding: 'utf-8', ack: 'full',
      properties: { 'room & floor': 'ä=1', empty: '' }, payload: Buffer.from(index === 3 ? '' : `body ${index}`),
    });
  }
  await done;
  expect(received.map(({ messageId }) => messageId)).toEqual(Array.from({ length: 20 }, (_, index) => `m ${index}`));
  expect(received[7]).toMatchObject({ correlationId: 'c/1', userId: 'ü', contentType: 'text/plain', contentEncoding: 'utf-8', to: '/devices/sdk-c2d/messages/devicebound' });
  expect(received[7]!.properties.getValue('room & floor')).toBe('ä=1');
  expect(received[7]!.properties.getValue('iothub-ack')).toBe('full');
  expect(received[7]!.getData().toString()).toBe('body 7');
  expect(received[3]!.getData()).toHaveLength(0);
  // PUBACK leaves when the listener has returned.
  await client.close();
  await local.waitFor('disconnected', ({ deviceId }) => deviceId === 'sdk-c2d');
  expect(local.hub.messages.count(device)).toBe(0);
  passed += 1;
});

test("Microsoft's Node module client has a twin and methods of its own", async () => {
  local.hub.registry.add({ deviceId: 'sdk-edge' });
  const module = { deviceId: 'sdk-edge', moduleId: 'mod' };
  const client = await openClient(ModuleClient.fromConnectionString, module);
  local.hub.twins.patch(module, { properties: { desired: { of: 'module' } } });
  const twin = await client.getTwin();
  expect(twin.properties.desired).toMatchObject({ of: 'module' });
  client.onMethod('ping', (_request, response) => void response?.send(200, 'pong'));
  await local.waitFor('subscribed', ({ moduleId, filter }) => moduleId === 'mod' && filter.includes('methods'));
  expect(await local.hub.methods.invoke(module, { methodName: 'ping' })).toEqual({ status: 200, payload: 'pong' });
  expect(local.hub.twins.read({ deviceId: 'sdk-edge' }).desired).toEqual({});
  await client.close();
  passed += 1;
});

test("a device of Microsoft's SDK that was away gets the messages of meanwhile when it comes back", async () => {
  const device = { deviceId: 'sdk-away' };
  const first = await openDevice(device.deviceId);
  first.on('message', () => {});
  await local.waitFor('subscribed', ({ deviceId }) => deviceId === 'sdk-away');
  await first.close();
  await local.waitFor('disconnected', ({ deviceId }) => deviceId === 'sdk-away');
  local.hub.messages.enqueue(device, { messageId: 'while away', properties: {}, payload: Buffer.from('x') });
  expect(local.hub.presence(device)).toMatchObject({ connected: false });
  let second: Client | undefined;
  const message = await new Promise<Message>((resolve, reject) => {
    // The session has its subscription already: the message comes with the connection.
    openClient(Client.fromConnectionString, device, (client) => client.on('message', resolve)).then((client) => (second = client), reject);
  });
  expect(message.messageId).toBe('while away');
  expect(local.hub.presence(device)).toMatchObject({ connected: true });
  await second?.close();
  passed += 1;
});

test("Microsoft's Node device client announces its Plug and Play model, and the service's twin shows it after the connection too", async () => {
  const device = { deviceId: 'sdk-model' };
  const modelId = 'dtmi:com:example:Thermostat;1';
  local.hub.registry.add(device);
  const client = Client.fromConnectionString(
    `HostName=${HUB_NAME};DeviceId=${device.deviceId};SharedAccessKey=${encodeKey(local.hub.registry.find(device)!.keys.primary)};GatewayHostName=localhost:${local.port}`, Mqtt,
  );
  await client.setOptions({ ca: local.pki.root.certificatePem, modelId });
  await client.open();
  expect(local.hub.describeTwin(device)).toMatchObject({ modelId, connectionState: 'Connected' });
  await client.close();
  await local.waitFor('disconnected', ({ deviceId }) => deviceId === 'sdk-model');
  expect(local.hub.describeTwin(device)).toMatchObject({ modelId, connectionState: 'Disconnected' });
  passed += 1;
});

test("Microsoft's Node device client comes back after a lost connection and goes on with twin, methods and messages", async () => {
  const device = { deviceId: 'sdk-lost' };
  const client = await openDevice(device.deviceId);
  const messages: (string | undefined)[] = [];
  client.on('message', (message: Message) => {
    messages.push(message.messageId);
    void client.complete(message);
  });
  client.onDeviceMethod('ping', (_request, response) => void response.send(200, 'pong'));
  const twin = await client.getTwin();
  const desired = watchDesired(twin);
  await local.waitFor('subscribed', ({ deviceId, filter }) => deviceId === 'sdk-lost' && filter.includes('desired'));
  local.hub.dropConnection(device);
  local.hub.messages.enqueue(device, { messageId: 'while lost', properties: {}, payload: Buffer.from('x') });
  expect(await local.hub.methods.invoke(device, { methodName: 'ping', connectTimeoutSeconds: 30 })).toEqual({ status: 200, payload: 'pong' });
  local.hub.twins.patch(device, { properties: { desired: { back: true } } });
  expect(await desired.until(2)).toMatchObject({ back: true });
  await local.waitFor('cloudMessage', ({ deviceId, change }) => deviceId === 'sdk-lost' && change === 'Success');
  expect(messages).toEqual(['while lost']);
  await client.close();
  passed += 1;
});
