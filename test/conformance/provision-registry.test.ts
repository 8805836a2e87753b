import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client as DeviceClient } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import { createHmac } from 'node:crypto';
import { deriveHubKey } from '../../host-sim/provisioning/device-key.ts';
import { keyRegistryOf } from '../../host-sim/provisioning/key-registry.ts';
import { recordEvidence } from '../evidence.ts';
import { HUB_NAME } from './local-hub.ts';
import { openLocalService, type LocalService } from './local-service.ts';

const SECRET = Buffer.alloc(32, 0x3c);
const keyOf = (n: number): string => deriveHubKey(SECRET, HUB_NAME, 'dev1', n).toString('base64');

let local: LocalService;
beforeAll(async () => {
  local = await openLocalService();
  local.hub.registry.add({ deviceId: 'dev1' });
});
afterAll(() => local.close());

/** A stranger to our code, with the key that a chip would compute. */
async function connect(sharedAccessKey: string): Promise<void> {
  const client = DeviceClient.fromConnectionString(`HostName=${HUB_NAME};DeviceId=dev1;GatewayHostName=localhost:${local.port};SharedAccessKey=${sharedAccessKey}`, Mqtt);
  await client.setOptions({ ca: local.pki.root.certificatePem });
  try {
    await client.open();
  } finally {
    await client.close();
  }
}

test("Microsoft's registry client sets both keys, and a device that has derived either connects", async () => {
  await keyRegistryOf(local.registryOf('registryReadWrite'), HUB_NAME).setKeys('dev1', { primary: keyOf(1), secondary: keyOf(2) });
  const keys = local.hub.registry.find({ deviceId: 'dev1' })?.keys;
  expect([keys?.primary, keys?.secondary].map((key) => Buffer.from(key ?? []).toString('base64'))).toEqual([keyOf(1), keyOf(2)]);
  for (const n of [1, 2]) {
    const derived = createHmac('sha256', SECRET).update(`latchkey-hub-key-v1\n${HUB_NAME}\ndev1\n${n}`).digest('base64');
    await connect(derived);
  }
  await expect(connect(keyOf(3))).rejects.toThrow();
  recordEvidence('provision-registry-keys', 2);
});

test('a device that the hub does not know, and a policy that may not write, are told with the remedy and without a key', async () => {
  const keys = { primary: keyOf(1), secondary: keyOf(2) };
  await expect(keyRegistryOf(local.registryOf('registryReadWrite'), HUB_NAME).setKeys('nobody', keys)).rejects.toMatchObject({
    code: 'ERR_REGISTRY', message: `${HUB_NAME} has no device nobody`, remedy: expect.stringContaining('az iot hub device-identity create'),
  });
  await expect(keyRegistryOf(local.registryOf('registryRead'), HUB_NAME).setKeys('dev1', keys)).rejects.toMatchObject({
    code: 'ERR_REGISTRY', message: `${HUB_NAME} does not let this policy change devices`, remedy: 'use a policy with RegistryReadWrite',
  });
});
