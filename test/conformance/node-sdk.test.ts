import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client, Message, ModuleClient } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import type { Identity } from '../../host-sim/hub/identity.ts';
import { encodeKey } from '../../host-sim/hub/access/symmetric-key.ts';
import { HUB_NAME, openLocalHub, type LocalHub } from './local-hub.ts';
import { recordEvidence } from '../evidence.ts';

const MESSAGES = 1_000;

let local: LocalHub;

beforeAll(async () => {
  local = await openLocalHub();
});

afterAll(() => local.close());

function connectionString(identity: Identity): string {
  const { keys } = local.hub.registry.add(identity);
  const module = identity.moduleId === undefined ? '' : `;ModuleId=${identity.moduleId}`;
  return `HostName=${HUB_NAME};DeviceId=${identity.deviceId}${module};SharedAccessKey=${encodeKey(keys.primary)};GatewayHostName=localhost:${local.port}`;
}

test("Microsoft's Node device client connects and has 1,000 QoS 1 messages acknowledged", async () => {
  const client = Client.fromConnectionString(connectionString({ deviceId: 'sdk-device' }), Mqtt);
  await client.setOptions({ ca: local.pki.root.certificatePem });
  await client.open();
  await Promise.all(
    Array.from({ length: MESSAGES }, (_, index) => {
      const message = new Message(JSON.stringify({ index }));
      message.messageId = `m${index}`;
      message.properties.add('room & floor', 'ä/1');
      return client.sendEvent(message);
    }),
  );
  await client.close();
  await local.waitFor('disconnected', ({ deviceId }) => deviceId === 'sdk-device');

  const received = local.eventsOf('messageReceived').filter(({ deviceId }) => deviceId === 'sdk-device');
  expect(new Set(received.map(({ mid }) => mid)).size).toBe(MESSAGES);
  expect(received).toHaveLength(MESSAGES);
  recordEvidence('node-sdk-messages', received.length);
  expect(received[7]).toMatchObject({ qos: 1, dup: false, mid: 'm7', properties: { 'room & floor': 'ä/1' } });
  expect(JSON.parse(Buffer.from(received[7]!.payload).toString())).toEqual({ index: 7 });
});

test("Microsoft's Node module client connects and sends to an output", async () => {
  local.hub.registry.add({ deviceId: 'sdk-parent' });
  const client = ModuleClient.fromConnectionString(connectionString({ deviceId: 'sdk-parent', moduleId: 'sdk-module' }), Mqtt);
  await client.setOptions({ ca: local.pki.root.certificatePem });
  await client.open();
  const message = new Message('to an output');
  message.messageId = 'o1';
  await client.sendOutputEvent('out 1', message);
  await client.close();

  const received = await local.waitFor('messageReceived', ({ mid }) => mid === 'o1');
  expect(received).toMatchObject({ deviceId: 'sdk-parent', moduleId: 'sdk-module', systemProperties: { '$.mid': 'o1', '$.on': 'out 1' } });
});

test("Microsoft's Node client renews its token several times on short lives, each a new accepted CONNECT", async () => {
  const client = Client.fromConnectionString(connectionString({ deviceId: 'sdk-renewer' }), Mqtt);
  await client.setOptions({ ca: local.pki.root.certificatePem, tokenRenewal: { tokenValidTimeInSeconds: 3, tokenRenewalMarginInSeconds: 2 } });
  await client.open();
  const renewals = (): number => new Set(local.eventsOf('connected').filter(({ deviceId }) => deviceId === 'sdk-renewer').map(({ token }) => token)).size - 1;
  await local.waitFor('connected', ({ deviceId }) => deviceId === 'sdk-renewer' && renewals() >= 2);
  await client.sendEvent(new Message('after the renewals'));
  await client.close();

  expect(renewals()).toBeGreaterThanOrEqual(2);
  expect(local.eventsOf('refused').filter(({ clientId }) => clientId === 'sdk-renewer')).toEqual([]);
});

test("Microsoft's Node client with a wrong key is told that it is not authorized, and the hub knows why", async () => {
  const right = connectionString({ deviceId: 'sdk-wrong-key' });
  const wrong = right.replace(/SharedAccessKey=[^;]+/, `SharedAccessKey=${Buffer.alloc(32, 7).toString('base64')}`);
  const client = Client.fromConnectionString(wrong, Mqtt);
  await client.setOptions({ ca: local.pki.root.certificatePem });
  await expect(client.open()).rejects.toThrow('Not authorized');

  expect(await local.waitFor('refused', ({ clientId }) => clientId === 'sdk-wrong-key')).toMatchObject({ reason: 'signature-wrong', code: 401_003 });
});

test("Microsoft's Node client that does not trust the root is refused in the TLS handshake and never reaches the hub", async () => {
  const client = Client.fromConnectionString(connectionString({ deviceId: 'sdk-no-root' }), Mqtt);
  await expect(client.open()).rejects.toThrow();

  expect((await local.waitFor('tlsFailed')).code).toMatch(/ALERT_UNKNOWN_CA|ECONNRESET/);
  expect(local.eventsOf('connectReceived').some(({ clientId }) => clientId === 'sdk-no-root')).toBe(false);
});
