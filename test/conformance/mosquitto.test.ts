import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createDevelopmentPki, saveDevelopmentPki } from '../../certs/development-pki.ts';
import { encodeKey, generateKeyPair } from '../../host-sim/hub/access/symmetric-key.ts';
import { HubProgram, latchkey, run } from './program.ts';
import { recordEvidence } from '../evidence.ts';

const MESSAGES = 1_000;
const HUB_NAME = 'mosquitto-judge.test';
const KEY = encodeKey(generateKeyPair().primary);
const CONNECTION_STRING = `HostName=${HUB_NAME};DeviceId=dev1;SharedAccessKey=${KEY}`;

let folder: string;
let hub: HubProgram;
let port: string;
let rootFile: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-mosquitto-'));
  hub = new HubProgram(['--port', '0', '--hub-name', HUB_NAME, '--device', `dev1=${KEY}`, '--state', join(folder, 'hub.json')]);
  const started = await hub.waitFor('started');
  port = String(started['hub']).split(':')[1]!;
  rootFile = String(started['rootFile']);
});

afterAll(async () => {
  expect(await hub.stop()).toBe(130);
  expect(hub.lines.at(-1)).toMatchObject({ event: 'summary', refused: 1 });
  expect(JSON.stringify(hub.lines) + hub.stderr).not.toContain(KEY);
  rmSync(folder, { recursive: true });
});

async function createToken(): Promise<string> {
  const { code, stdout, stderr } = await latchkey(['token', 'create', '--ttl', '10m'], { env: { IOTHUB_DEVICE_CONNECTION_STRING: CONNECTION_STRING } });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.trimEnd();
}

const client = (token: string): string[] => [
  '-h', 'localhost', '-p', port, '--cafile', rootFile, '-i', 'dev1', '-u', `${HUB_NAME}/dev1/?api-version=2021-04-12`, '-P', token, '-V', 'mqttv311',
];

test('mosquitto_pub with a token of "latchkey token create" has 1,000 QoS 1 messages acknowledged', async () => {
  const token = await createToken();
  const input = Array.from({ length: MESSAGES }, (_, index) => `message ${index}\n`).join('');
  const published = await run('mosquitto_pub', [...client(token), '-q', '1', '-t', 'devices/dev1/messages/events/from=mosquitto', '-l'], { input });
  expect(published).toEqual({ code: 0, stdout: '', stderr: '' });

  await hub.waitFor('messageReceived', MESSAGES);
  const received = hub.lines.filter(({ event }) => event === 'messageReceived');
  expect(received.map(({ payload }) => payload)).toEqual(Array.from({ length: MESSAGES }, (_, index) => `message ${index}`));
  recordEvidence('mosquitto-messages', received.length);
  expect(received[0]).toMatchObject({ deviceId: 'dev1', qos: 1, properties: { from: 'mosquitto' } });
});

test('mosquitto_sub gets its subscription granted, and refused for a topic of another device', async () => {
  const token = await createToken();
  const granted = await run('mosquitto_sub', [...client(token), '-q', '1', '-t', 'devices/dev1/messages/devicebound/#', '-E']);
  expect(granted).toMatchObject({ code: 0, stderr: '' });
  const denied = await run('mosquitto_sub', [...client(token), '-q', '1', '-t', 'devices/dev2/messages/devicebound/#', '-E']);
  expect(denied.stderr).toContain('denied');
});

test('mosquitto_pub with one character of the token changed is told that it is not authorised', async () => {
  const token = await createToken();
  const wrong = token.replace(/sig=(.)/, (_, first: string) => `sig=${first === 'A' ? 'B' : 'A'}`);
  const published = await run('mosquitto_pub', [...client(wrong), '-q', '1', '-t', 'devices/dev1/messages/events/', '-m', 'x']);
  expect(published).toMatchObject({ code: 5, stderr: expect.stringContaining('not authorised') });
  expect(await hub.waitFor('refused')).toMatchObject({ clientId: 'dev1', reason: 'signature-wrong' });
});

test('mosquitto_pub that does not know the root refuses the hub', async () => {
  const other = await createDevelopmentPki({ names: ['localhost'], notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 60_000) });
  saveDevelopmentPki(other, join(folder, 'other'));
  const args = client(await createToken());
  args[args.indexOf('--cafile') + 1] = join(folder, 'other', 'root.pem');
  const published = await run('mosquitto_pub', [...args, '-t', 'devices/dev1/messages/events/', '-m', 'x']);
  expect(published.stderr).toContain('A TLS error occurred');
  // MOSQ_ERR_TLS, or its general error: which one depends on whether it sees its own alert or the closed socket first.
  expect([1, 8]).toContain(published.code);
  expect(await hub.waitFor('tlsFailed')).toMatchObject({ code: expect.stringMatching(/UNKNOWN_CA|DECRYPT_ERROR/) });
});
