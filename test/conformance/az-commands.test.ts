import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Client, Message, type DeviceMethodRequest, type DeviceMethodResponse, type Twin } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import type { CliRun } from '../fakes/cli-run.ts';
import { startHub, type HubInProcess } from './hub-in-process.ts';

/** The commands with the words of `az iot`: azure-iothub speaks for them, azure-iot-device is the device. */

let hub: HubInProcess;
const clients: Client[] = [];

beforeAll(async () => {
  hub = await startHub(['--device', 'dev1']);
});

// One that stays would come back when the next one takes its place.
afterEach(async () => {
  await Promise.allSettled(clients.splice(0).map((client) => client.close()));
});

afterAll(async () => {
  await hub.stop();
});

/** Runs a command that must do, and reads its JSON. */
async function json<T = Record<string, unknown>>(...args: readonly string[]): Promise<T> {
  const { exitCode, stdout, stderr } = await hub.latchkey(args);
  expect([exitCode, stderr.replace(/^latchkey: .*\n/gm, '')]).toEqual([0, '']);
  return JSON.parse(stdout) as T;
}

async function refused(...args: readonly string[]): Promise<CliRun> {
  const run = await hub.latchkey(args);
  expect(run.stdout).toBe('');
  return run;
}

/** Microsoft's device client, with what the command says a device connects with. */
async function connect(deviceId: string): Promise<Client> {
  const { stdout } = await hub.latchkey(['device', 'show', '-d', deviceId, '--connection-string', '--show-secrets']);
  const client = Client.fromConnectionString(stdout.trim(), Mqtt);
  clients.push(client);
  await client.setOptions({ ca: hub.ca });
  await client.open();
  return client;
}

test('a device is created, shown, listed and deleted, with the names that az has', async () => {
  const made = await json<{ deviceId: string; status: string; statusReason: string; hub: string }>('device', 'create', '-d', 'made', '--status', 'disabled', '--status-reason', 'in stock', '-n', 'latchkey-hub');
  expect(made).toMatchObject({ deviceId: 'made', status: 'disabled', statusReason: 'in stock', hub: 'latchkey-hub.test' });
  expect(await json('device', 'show', '--device-id', 'made')).toEqual(made);
  const listed = await json<{ deviceId: string }[]>('device', 'list');
  expect(listed.map(({ deviceId }) => deviceId)).toEqual(expect.arrayContaining(['dev1', 'made']));
  expect(await json<unknown[]>('device', 'list', '--top', '1')).toHaveLength(1);
  const { exitCode, stdout } = await hub.latchkey(['device', 'list', '--json']);
  expect([exitCode, stdout.trim().split('\n').length]).toEqual([0, listed.length]);
  expect((await hub.latchkey(['device', 'delete', '-d', 'made'])).exitCode).toBe(0);
  expect((await refused('device', 'show', '-d', 'made')).stderr).toContain('DeviceNotFound');
});

test('modules are created, listed and deleted by -m', async () => {
  await json('device', 'create', '-d', 'dev1', '-m', 'sensor');
  expect(await json('device', 'list', '-d', 'dev1')).toEqual([expect.objectContaining({ deviceId: 'dev1', moduleId: 'sensor' })]);
  expect(await json('twin', 'show', '-d', 'dev1', '-m', 'sensor')).toMatchObject({ moduleId: 'sensor' });
  expect((await hub.latchkey(['device', 'delete', '-d', 'dev1', '-m', 'sensor'])).exitCode).toBe(0);
  expect((await refused('twin', 'show', '-d', 'dev1', '-m', 'sensor')).stderr).toContain('ModuleNotFound');
});

test('keys are hidden in a pipe, shown on a terminal to who has just made them, and shown to who asks', async () => {
  const keysOf = ({ stdout }: CliRun): string => (JSON.parse(stdout) as { authentication: { symmetricKey: { primaryKey: string } } }).authentication.symmetricKey.primaryKey;
  expect(keysOf(await hub.latchkey(['device', 'create', '-d', 'piped']))).toBe('***');
  const shown = keysOf(await hub.latchkey(['device', 'create', '-d', 'typed'], { isTerminal: true }));
  expect(Buffer.from(shown, 'base64')).toHaveLength(32);
  expect(keysOf(await hub.latchkey(['device', 'show', '-d', 'typed'], { isTerminal: true }))).toBe('***');
  expect(keysOf(await hub.latchkey(['device', 'show', '-d', 'typed', '--show-secrets']))).toBe(shown);
  expect((await hub.latchkey(['device', 'show', '-d', 'typed', '--connection-string'])).stdout).toMatch(/^HostName=latchkey-hub\.test;DeviceId=typed;SharedAccessKey=\*\*\*;GatewayHostName=localhost:\d+\n$/);
});

test('a device with thumbprints, and one with keys of its owner', async () => {
  const thumbprint = '0123456789ABCDEF0123456789ABCDEF01234567';
  expect(await json('device', 'create', '-d', 'by-thumb', '--am', 'x509_thumbprint', '--pt', thumbprint)).toMatchObject({ authentication: { type: 'selfSigned', x509Thumbprint: { primaryThumbprint: thumbprint } } });
  expect((await refused('device', 'show', '-d', 'by-thumb', '--connection-string')).stderr).toContain('has no symmetric key');
  const [first, second] = [Buffer.alloc(32, 1).toString('base64'), Buffer.alloc(32, 2).toString('base64')];
  await json('device', 'create', '-d', 'by-key', '--pk', first, '--sk', second);
  expect(await json('device', 'show', '-d', 'by-key', '--show-secrets')).toMatchObject({ authentication: { symmetricKey: { primaryKey: first, secondaryKey: second } } });
});

test('twin update sets, removes and merges, and a connected device hears of it', async () => {
  const client = await connect('dev1');
  const twin = await client.getTwin() as Twin;
  const heard: object[] = [];
  twin.on('properties.desired', (delta: object) => heard.push(delta));
  const file = join(hub.folder, 'tags.txt');
  writeFileSync(file, '{"room":"hall","floor":2}');
  await json('twin', 'update', '-d', 'dev1', '--tags', `@${file}`, '--desired', '{"interval":30,"color":{"r":1}}');
  const { etag } = await json<{ etag: string }>('twin', 'update', '-d', 'dev1', '--set', 'tags.room=kitchen', 'properties.desired.color.g=2', 'properties.desired.name="7"', '--remove', 'tags.floor', 'properties.desired.interval');
  const shown = await json<{ tags: object; properties: { desired: object } }>('twin', 'show', '-d', 'dev1');
  expect([shown.tags, shown.properties.desired]).toEqual([{ room: 'kitchen' }, expect.objectContaining({ color: { r: 1, g: 2 }, name: '7', $version: 3 })]);
  expect(shown.properties.desired).not.toHaveProperty('interval');
  expect((await hub.latchkey(['twin', 'update', '-d', 'dev1', '--set', 'tags.a=1', '-e', etag])).exitCode).toBe(0);
  const stale = await refused('twin', 'update', '-d', 'dev1', '--set', 'tags.a=2', '--etag', etag);
  expect([stale.exitCode, stale.stderr]).toEqual([1, expect.stringContaining('read it again, and give its etag now')]);
  for (const endMs = Date.now() + 100_000; heard.length < 3 && Date.now() < endMs;) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(heard.at(-1)).toMatchObject({ color: { g: 2 }, name: '7', interval: null, $version: 3 });
});

test('invoke-method brings status and payload of the answer, and says who is not there', async () => {
  const client = await connect('dev1');
  client.onDeviceMethod('double', (request: DeviceMethodRequest, response: DeviceMethodResponse) => void response.send(200, { twice: Number(request.payload) * 2 }));
  // The SDK subscribes on its own time.
  const answer = await json('invoke-method', '-d', 'dev1', '--mn', 'double', '--mp', '21', '--to', '10', '--connect-timeout', '10');
  expect(answer).toEqual({ payload: { twice: 42 }, status: 200 });
  await json('device', 'create', '-d', 'away');
  const { exitCode, stderr } = await refused('invoke-method', '-d', 'away', '--method-name', 'double');
  expect([exitCode, stderr]).toEqual([1, expect.stringMatching(/refused: DeviceNotOnline[\s\S]*--connect-timeout/)]);
});

test('c2d send delivers body and properties, and waits for the feedback', async () => {
  const client = await connect('dev1');
  const arrived = new Promise<Message>((resolve) => client.on('message', (message: Message) => {
    resolve(message);
    void client.complete(message);
  }));
  const feedback = await json('c2d', 'send', '-d', 'dev1', '--da', 'hällo', '-p', 'level=high;sum=1=1', '--mid', 'm-1', '--cid', 'c-1', '--ct', 'text/plain', '--ce', 'utf-8', '--wait');
  expect(feedback).toMatchObject({ originalMessageId: 'm-1', deviceId: 'dev1', description: 'Success' });
  const message = await arrived;
  expect([message.data.toString(), message.messageId, message.correlationId, message.properties.getValue('level'), message.properties.getValue('sum')]).toEqual(['hällo', 'm-1', 'c-1', 'high', '1=1']);
});

test('monitor shows what devices send as az does, of the device that is asked for, and ends after the count', async () => {
  const client = await connect('dev1');
  const message = new Message('{"temperature":21}');
  message.contentType = 'application/json';
  message.contentEncoding = 'utf-8';
  message.properties.add('level', 'high');
  const fromMs = String(Date.now() - 1_000);
  const json1 = hub.latchkey(['monitor', '-d', 'dev*', '--mc', '1', '-p', 'app', '--et', fromMs, '--json']);
  const pretty = hub.latchkey(['monitor', '--mc', '1', '--et', fromMs]);
  await client.sendEvent(message);
  const [line, lines] = await Promise.all([json1, pretty]);
  expect([line.exitCode, JSON.parse(line.stdout)]).toEqual([0, { event: { origin: 'dev1', module: '', interface: '', component: '', properties: { application: { level: 'high' } }, payload: { temperature: 21 } } }]);
  expect(lines.stdout).toContain('{\n  "event": {\n    "origin": "dev1",\n');
  expect((await hub.latchkey(['monitor', '-d', 'nobody', '-t', '1', '--et', fromMs])).stdout).toBe('');
  const abort = new AbortController();
  const endless = hub.latchkey(['monitor', '--json'], { interrupted: abort.signal, onTalk: () => abort.abort() });
  expect((await endless).exitCode).toBe(130);
});

const WRONG = `HostName=latchkey-hub.test;SharedAccessKeyName=iothubowner;SharedAccessKey=${Buffer.alloc(32, 9).toString('base64')}`;

test.each<[what: string, args: readonly string[], code: number, says: string, remedy: string]>([
  ['a device that exists', ['device', 'create', '-d', 'dev1'], 1, 'DeviceAlreadyExists', 'choose another id'],
  ['an unknown device', ['c2d', 'send', '-d', 'nobody'], 1, 'DeviceNotFound', '"latchkey device list"'],
  ['a wrong key', ['twin', 'show', '-d', 'dev1', '-l', WRONG], 1, 'Unauthorized', 'check the policy'],
  ['a wrong key for messages', ['c2d', 'send', '-d', 'dev1', '-l', WRONG], 1, 'Unauthorized', 'check the policy'],
  ['a wrong key for events', ['monitor', '-l', WRONG], 1, 'refused', 'check the policy'],
  ['a hub that nobody knows', ['device', 'list', '-n', 'other'], 3, 'there is no hub other (ERR_NO_HUB)', '"latchkey hub"'],
  ['a device\'s connection string', ['device', 'list', '-l', 'HostName=h;DeviceId=d;SharedAccessKey=AAAA'], 3, 'none of a shared access policy', 'SharedAccessKeyName'],
  ['a hub that is not there', ['device', 'list', '-l', WRONG.replace('latchkey-hub.test', 'localhost.invalid')], 4, 'cannot reach localhost.invalid', 'check the name'],
  ['no JSON', ['twin', 'update', '-d', 'dev1', '--tags', '{a:1}'], 2, 'no valid JSON', 'single quotes'],
  ['a list for an object', ['twin', 'update', '-d', 'dev1', '--desired', '[1]'], 2, 'a JSON object is needed', ''],
  ['a path outside of the twin', ['twin', 'update', '-d', 'dev1', '--set', 'status=1'], 2, 'no path of a twin: "status"', 'a path begins with tags.'],
  ['nothing to change', ['twin', 'update', '-d', 'dev1'], 2, 'there is nothing to change', '--desired'],
  ['a file that is not there', ['twin', 'update', '-d', 'dev1', '--tags', '@/no/file'], 3, 'cannot read /no/file: ENOENT', 'check the path'],
  ['no device', ['twin', 'show'], 2, "required option '-d, --device-id <id>' not specified", ''],
  ['a property without value', ['c2d', 'send', '-d', 'dev1', '-p', 'level'], 2, 'expected "name=value;name=value"', ''],
  ['a time-out that the hub does not take', ['invoke-method', '-d', 'dev1', '--mn', 'x', '--to', '4'], 2, 'whole number from 5 to 300', ''],
])('%s is told with its remedy, and no key', async (_, args, code, says, remedy) => {
  const { exitCode, stderr } = await refused(...args);
  expect([exitCode, stderr]).toEqual([code, expect.stringContaining(says)]);
  expect(stderr).toContain(remedy);
  expect(stderr).not.toMatch(/CQkJCQ|    at /);
});

test('the file that tells where the hub is belongs to its user alone, and is gone with the hub', async () => {
  const other = await startHub(['--hub-name', 'other-hub.test']);
  expect((await other.latchkey(['device', 'list', '-n', 'OTHER-HUB'])).exitCode).toBe(0);
  expect(statSync(join(other.folder, 'other-hub.test.json')).mode & 0o777).toBe(0o600);
  await other.stop();
  expect((await other.latchkey(['device', 'list'])).exitCode).toBe(3);
});
