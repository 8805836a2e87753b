import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { formatClientId, type Identity } from '../../host-sim/hub/identity.ts';
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

interface Credentials {
  readonly clientId: string;
  readonly userName: string;
  readonly token: string;
}

function credentialsOf(identity: Identity): Credentials {
  const expiry = Math.floor(Date.now() / 1000) + 600;
  const clientId = formatClientId(identity);
  const sr = encodeURIComponent(`${HUB_NAME}/devices/${clientId.replace('/', '/modules/')}`);
  const signature = createHmac('sha256', local.hub.registry.find(identity)!.keys.primary).update(`${sr}\n${expiry}`).digest('base64');
  return { clientId, userName: `${HUB_NAME}/${clientId}/?api-version=2021-04-12`, token: `SharedAccessSignature sr=${sr}&sig=${encodeURIComponent(signature)}&se=${expiry}` };
}

function client(program: 'mosquitto_sub' | 'mosquitto_pub', args: readonly string[], identity: Identity = DEVICE): Promise<Ending> {
  const { clientId, userName, token } = credentialsOf(identity);
  return run(program, [
    '-h', 'localhost', '-p', String(local.port), '--cafile', rootFile, '-V', 'mqttv311', '-i', clientId, '-u', userName, '-P', token,
    ...(program === 'mosquitto_sub' ? ['-W', WAIT_SECONDS] : []), ...args,
  ]);
}

/** Reads the twin by mosquitto as a bridge: its clients either send or hear, and of one identity there is one connection. @returns topic and payload of the answer */
async function readTwin(identity: Identity): Promise<string> {
  const { clientId, userName, token } = credentialsOf(identity);
  const socket = join(folder, 'mosquitto.sock');
  const configuration = join(folder, 'mosquitto.conf');
  writeFileSync(configuration, [
    // As root it would become a user of its own, who may not write here; anybody else it stays.
    `user ${userInfo().username}`, `listener 0 ${socket}`, 'allow_anonymous true',
    'connection hub', `address localhost:${local.port}`, `bridge_cafile ${rootFile}`, 'bridge_protocol_version mqttv311', 'try_private false', 'notifications false', 'cleansession true',
    `remote_clientid ${clientId}`, `remote_username ${userName}`, `remote_password ${token}`,
    'topic GET/# out 0 twin/ $iothub/twin/', 'topic res/# in 0 twin/ $iothub/twin/', '',
  ].join('\n'), { mode: 0o600 });
  const bridge = spawn('mosquitto', ['-c', configuration], { stdio: 'ignore' });
  try {
    await local.waitFor('subscribed', ({ deviceId, moduleId, filter }) => filter === '$iothub/twin/res/#' && formatClientId({ deviceId, ...(moduleId === undefined ? {} : { moduleId }) }) === clientId);
    const { stdout, stderr } = await run('mosquitto_rr', ['--unix', socket, '-V', 'mqttv311', '-t', 'twin/GET/?$rid=7', '-e', 'twin/res/200/?$rid=7', '-m', '', '-F', '%t %p', '-W', WAIT_SECONDS]);
    return stdout + stderr;
  } finally {
    bridge.kill();
    if (bridge.exitCode === null && bridge.signalCode === null) await once(bridge, 'exit');
  }
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

test('mosquitto as a bridge reads the twin: desired and reported properties with their versions, and no tags', async () => {
  local.hub.twins.patch(DEVICE, { tags: { hidden: true }, properties: { desired: { interval: 5 } } });
  expect(await readTwin(DEVICE)).toBe('twin/res/200/?$rid=7 {"desired":{"interval":5,"$version":2},"reported":{"$version":1}}\n');
  local.hub.twins.replace(DEVICE, { properties: { desired: {} } });
});

test('a module by mosquitto sends telemetry, reads a twin of its own, reports, and hears of its desired properties', async () => {
  const module = { deviceId: 'mosquitto-gateway', moduleId: 'sensor' };
  local.hub.registry.add({ deviceId: module.deviceId });
  local.hub.registry.add(module);
  const sent = await client('mosquitto_pub', ['-q', '1', '-t', `devices/${module.deviceId}/modules/${module.moduleId}/messages/events/unit=C`, '-m', '21.5'], module);
  expect(sent).toMatchObject({ code: 0, stderr: '' });
  expect(local.eventsOf('messageReceived').findLast(({ moduleId }) => moduleId === 'sensor')).toMatchObject({ ...module, qos: 1, properties: { unit: 'C' }, payload: Buffer.from('21.5') });
  await client('mosquitto_pub', ['-q', '1', '-t', '$iothub/twin/PATCH/properties/reported/?$rid=1', '-m', '{"unit":"C"}'], module);
  expect(await readTwin(module)).toBe('twin/res/200/?$rid=7 {"desired":{"$version":1},"reported":{"unit":"C","$version":2}}\n');
  const heard = client('mosquitto_sub', ['-t', '$iothub/twin/PATCH/properties/desired/#', '-C', '1', '-F', '%p'], module);
  await local.waitFor('subscribed', ({ moduleId, filter }) => moduleId === 'sensor' && filter === '$iothub/twin/PATCH/properties/desired/#');
  local.hub.twins.patch(module, { properties: { desired: { unit: 'F' } } });
  expect((await heard).stdout).toBe('{"unit":"F","$version":2}\n');
  // The device is another identity: nothing of it has moved.
  expect(local.hub.twins.read({ deviceId: module.deviceId })).toMatchObject({ desiredVersion: 1, reportedVersion: 1 });
  // What is another identity's is not its own.
  const foreign = await client('mosquitto_pub', ['-q', '1', '-t', `devices/${module.deviceId}/messages/events/`, '-m', 'x'], module);
  expect(foreign.code).not.toBe(0);
});

test("mosquitto_pub reports properties", async () => {
  const published = await client('mosquitto_pub', ['-q', '1', '-t', '$iothub/twin/PATCH/properties/reported/?$rid=2', '-m', '{"battery":{"percent":80}}']);
  expect(published).toMatchObject({ code: 0, stderr: '' });
  expect(local.hub.twins.read(DEVICE).reported).toEqual({ battery: { percent: 80 } });
});

test('mosquitto_sub hears of a change of desired properties and of a direct method', async () => {
  const heard = client('mosquitto_sub', ['-q', '1', '-t', '$iothub/twin/PATCH/properties/desired/#', '-t', '$iothub/methods/POST/#', '-C', '2', '-F', '%q %t %p']);
  await local.waitFor('subscribed', ({ deviceId, filter }) => deviceId === DEVICE.deviceId && filter === '$iothub/twin/PATCH/properties/desired/#');
  const version = local.hub.twins.read(DEVICE).desiredVersion + 1;
  local.hub.twins.patch(DEVICE, { properties: { desired: { interval: null } } });
  const call = local.hub.methods.invoke(DEVICE, { methodName: 'reboot', payload: { in: '5s' }, connectTimeoutSeconds: 10 });
  const failed = expect(call).rejects.toMatchObject({ code: 404_103 });
  expect((await heard).stdout).toBe(`0 $iothub/twin/PATCH/properties/desired/?$version=${version} {"interval":null,"$version":${version}}\n0 $iothub/methods/POST/reboot/?$rid=1 {"in":"5s"}\n`);
  // It cannot answer by itself.
  local.hub.registry.remove(DEVICE);
  await failed;
});
