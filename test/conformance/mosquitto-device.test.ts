import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { recordEvidence } from '../evidence.ts';
import { HUB_NAME, openLocalHub, type LocalHub } from './local-hub.ts';
import { run, type Ending } from './program.ts';

const DEVICE = { deviceId: 'mosquitto-device' };
const FILTER = `devices/${DEVICE.deviceId}/messages/devicebound/#`;
const MESSAGES = 40;
/** How long a client waits for what does not come, in seconds: then it fails. */
const WAIT_SECONDS = '20';

let local: LocalHub;
let folder: string;
let rootFile: string;

beforeAll(async () => {
  local = await openLocalHub();
  local.hub.registry.add(DEVICE);
  folder = mkdtempSync(join(tmpdir(), 'latchkey-mosquitto-device-'));
  rootFile = join(folder, 'root.pem');
  writeFileSync(rootFile, local.pki.root.certificatePem);
});

afterAll(async () => {
  await local.close();
  rmSync(folder, { recursive: true });
});

function client(program: 'mosquitto_sub' | 'mosquitto_pub', args: readonly string[]): Promise<Ending> {
  const expiry = Math.floor(Date.now() / 1000) + 600;
  const sr = encodeURIComponent(`${HUB_NAME}/devices/${DEVICE.deviceId}`);
  const signature = createHmac('sha256', local.hub.registry.find(DEVICE)!.keys.primary).update(`${sr}\n${expiry}`).digest('base64');
  const token = `SharedAccessSignature sr=${sr}&sig=${encodeURIComponent(signature)}&se=${expiry}`;
  return run(program, [
    '-h', 'localhost', '-p', String(local.port), '--cafile', rootFile, '-V', 'mqttv311', '-i', DEVICE.deviceId, '-u', `${HUB_NAME}/${DEVICE.deviceId}/?api-version=2021-04-12`, '-P', token,
    ...(program === 'mosquitto_sub' ? ['-W', WAIT_SECONDS] : []), ...args,
  ]);
}

test(`mosquitto_sub gets ${MESSAGES} cloud-to-device messages with QoS 1 in order, and each is completed by its PUBACK`, async () => {
  for (let index = 0; index < MESSAGES; index++) {
    local.hub.messages.enqueue(DEVICE, { messageId: `m${index}`, correlationId: 'a/b', ack: 'full', properties: { colour: 'r&d' }, payload: Buffer.from(`body ${index}`) });
  }
  const received = await client('mosquitto_sub', ['-q', '1', '-t', FILTER, '-C', String(MESSAGES), '-F', '%q %t %p']);
  expect(received).toMatchObject({ code: 0, stderr: '' });
  const topic = (index: number): string =>
    `devices/${DEVICE.deviceId}/messages/devicebound/%24.mid=m${index}&%24.to=%2Fdevices%2F${DEVICE.deviceId}%2Fmessages%2Fdevicebound&%24.cid=a%2Fb&iothub-ack=full&colour=r%26d`;
  expect(received.stdout.trimEnd().split('\n')).toEqual(Array.from({ length: MESSAGES }, (_, index) => `1 ${topic(index)} body ${index}`));
  await local.waitFor('disconnected');
  expect(local.hub.messages.count(DEVICE)).toBe(0);
  recordEvidence('mosquitto-cloud-messages', MESSAGES);
});

test('mosquitto_sub with QoS 0 gets messages that are complete when they are sent, and with a kept session those of meanwhile', async () => {
  local.hub.messages.enqueue(DEVICE, { properties: {}, payload: Buffer.from('at most once') });
  const first = await client('mosquitto_sub', ['-c', '-q', '0', '-t', FILTER, '-C', '1', '-F', '%q %p']);
  expect(first.stdout).toBe('0 at most once\n');
  local.hub.messages.enqueue(DEVICE, { properties: {}, payload: Buffer.from('meanwhile') });
  // It subscribes to something else: the subscription of before brings the message.
  const second = await client('mosquitto_sub', ['-c', '-q', '0', '-t', '$iothub/methods/POST/#', '-C', '1', '-F', '%q %p']);
  expect(second.stdout).toBe('0 meanwhile\n');
  expect(local.hub.messages.count(DEVICE)).toBe(0);
});

test("mosquitto_pub reports properties", async () => {
  const published = await client('mosquitto_pub', ['-q', '1', '-t', '$iothub/twin/PATCH/properties/reported/?$rid=2', '-m', '{"battery":{"percent":80}}']);
  expect(published).toMatchObject({ code: 0, stderr: '' });
  expect(local.hub.twins.read(DEVICE).reported).toEqual({ battery: { percent: 80 } });
});

test('mosquitto_sub hears of a change of desired properties and of a direct method', async () => {
  const heard = client('mosquitto_sub', ['-q', '1', '-t', '$iothub/twin/PATCH/properties/desired/#', '-t', '$iothub/methods/POST/#', '-C', '2', '-F', '%q %t %p']);
  await local.waitFor('subscribed', ({ filter }) => filter === '$iothub/twin/PATCH/properties/desired/#');
  local.hub.twins.patch(DEVICE, { properties: { desired: { interval: null } } });
  const call = local.hub.methods.invoke(DEVICE, { methodName: 'reboot', payload: { in: '5s' }, connectTimeoutSeconds: 10 });
  const failed = expect(call).rejects.toMatchObject({ code: 404_103 });
  expect((await heard).stdout).toBe('0 $iothub/twin/PATCH/properties/desired/?$version=2 {"interval":null,"$version":2}\n0 $iothub/methods/POST/reboot/?$rid=1 {"in":"5s"}\n');
  // It cannot answer by itself.
  local.hub.registry.remove(DEVICE);
  await failed;
});
