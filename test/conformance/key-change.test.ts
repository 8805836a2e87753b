import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { NoRetry } from 'azure-iot-common';
import { Client, Message } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import { HUB_NAME } from './local-hub.ts';
import { openLocalService, type LocalService } from './local-service.ts';

/** Keys of a device change while it is connected: azure-iothub changes them, azure-iot-device is the device. */

const DEVICE_ID = 'rotating';
const MESSAGES_A_KEY = 25;

let local: LocalService;
let sent = 0;

beforeAll(async () => {
  local = await openLocalService();
});

afterAll(() => local.close());

const generateKey = (): string => randomBytes(32).toString('base64');

async function openWith(key: string): Promise<Client> {
  const client = Client.fromConnectionString(`HostName=${HUB_NAME};DeviceId=${DEVICE_ID};SharedAccessKey=${key};GatewayHostName=localhost:${local.port}`, Mqtt);
  client.on('error', () => {});
  await client.setOptions({ ca: local.pki.root.certificatePem });
  client.setRetryPolicy(new NoRetry());
  await client.open();
  return client;
}

/** Each is acknowledged when this is over. */
async function send(client: Client): Promise<void> {
  for (let index = 0; index < MESSAGES_A_KEY; index++) {
    const message = new Message('x');
    message.messageId = `m${sent++}`;
    await client.sendEvent(message);
  }
}

const setKeys = async (primaryKey: string, secondaryKey: string): Promise<unknown> =>
  local.registryOf('registryReadWrite').update({ deviceId: DEVICE_ID, status: 'enabled', authentication: { symmetricKey: { primaryKey, secondaryKey } } });

const keysInUse = (): readonly string[] => local.eventsOf('connected').map(({ key }) => key);

test('azure-iot-device goes from the primary key to the secondary and to a new primary one while azure-iothub changes them, with nothing lost', async () => {
  const [oldPrimary, secondary, newPrimary, newSecondary] = [generateKey(), generateKey(), generateKey(), generateKey()] as const;
  await local.registryOf('registryReadWrite').create({ deviceId: DEVICE_ID, status: 'enabled', authentication: { symmetricKey: { primaryKey: oldPrimary, secondaryKey: secondary } } });

  const first = await openWith(oldPrimary);
  await send(first);
  await setKeys(newPrimary, secondary);
  // A token is checked when it comes: who is connected stays.
  await send(first);
  await first.close();
  await expect(openWith(oldPrimary)).rejects.toMatchObject({ name: 'UnauthorizedError' });
  expect(await local.waitFor('refused')).toMatchObject({ reason: 'signature-wrong', code: 401_003 });

  const second = await openWith(secondary);
  await send(second);
  await setKeys(newPrimary, newSecondary);
  await send(second);
  await second.close();
  await expect(openWith(secondary)).rejects.toMatchObject({ name: 'UnauthorizedError' });

  const third = await openWith(newPrimary);
  await send(third);
  await third.close();
  expect(keysInUse()).toEqual(['primary', 'secondary', 'primary']);
  expect(local.eventsOf('messageReceived').map(({ mid }) => mid)).toEqual(Array.from({ length: 5 * MESSAGES_A_KEY }, (_, index) => `m${index}`));
});
