import { request } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { HubBench, signToken } from './hub-peer.ts';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

let bench: HubBench;
let server: Server;

beforeEach(async () => {
  bench = new HubBench();
  server = createServer((socket) => bench.hub.acceptHttps(socket, 'peer'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  server.close();
  await bench.hub.close();
});

function ask(method: string, path: string, headers: Record<string, string> = {}, body?: Buffer): Promise<Answer> {
  const { port } = server.address() as AddressInfo;
  const token = signToken({ deviceId: 'dev1' }, bench.registry.find({ deviceId: 'dev1' })!.keys);
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, method, path: `/devices/dev1/messages/${path}`, agent: false, headers: { Authorization: token, ...headers } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

const VERSION = '?api-version=2021-04-12';

test('a message of a device carries its bytes, its system properties and the names of its own as they were written', async () => {
  const headers = { 'iothub-messageid': 'm1', 'iothub-contenttype': 'application/cbor', 'IoTHub-App-Temperature': '21', 'iothub-app-Batch': 'b', 'Content-Type': 'application/octet-stream' };
  expect((await ask('POST', `events${VERSION}`, headers, Buffer.from([0, 255, 10]))).status).toBe(204);
  expect(bench.eventsOf('messageReceived')).toMatchObject([{
    connection: 0, deviceId: 'dev1', mid: 'm1', qos: 1, payload: Buffer.from([0, 255, 10]), properties: { Temperature: '21', Batch: 'b' },
    systemProperties: { '$.mid': 'm1', '$.ct': 'application/cbor' }, bytes: 3 + 'm1application/cborTemperature21Batchb'.length,
  }]);
  expect((await ask('POST', `events${VERSION}`)).status).toBe(204);
  expect(bench.eventsOf('messageReceived')[1]).toMatchObject({ payload: Buffer.alloc(0), properties: {}, bytes: 0 });
});

test('what a device sends or gets is its last activity, and no connection', async () => {
  const device = { deviceId: 'dev1' };
  expect(bench.hub.presence(device)).toEqual({ connected: false });
  await ask('POST', `events${VERSION}`);
  expect(bench.hub.presence(device)).toEqual({ connected: false, lastActivityMs: bench.hub.now() });
  const sentMs = bench.hub.now();
  bench.clock.jumpTo(bench.clock.monotonicMs() + 5_000);
  await ask('GET', `devicebound${VERSION}`);
  expect(bench.hub.presence(device)).toEqual({ connected: false, lastActivityMs: sentMs });
  bench.hub.messages.enqueue(device, { properties: {}, payload: Buffer.from('x') });
  await ask('GET', `devicebound${VERSION}`);
  expect(bench.hub.presence(device)).toEqual({ connected: false, lastActivityMs: sentMs + 5_000 });
});

test.each<[what: string, headers: Record<string, string>, body: Buffer, status: number, code: string]>([
  ['256 KB', {}, Buffer.alloc(256 * 1024), 204, ''],
  ['256 KB and a property', { 'iothub-app-a': 'b' }, Buffer.alloc(256 * 1024), 413, 'MessageTooLarge'],
  ['more than 256 KB', {}, Buffer.alloc(256 * 1024 + 1), 413, 'GenericRequestEntityTooLarge'],
  ['a property without a name', { 'iothub-app-': 'b' }, Buffer.alloc(0), 400, 'ArgumentInvalid'],
  ['a list of messages', { 'Content-Type': 'application/vnd.microsoft.iothub.json' }, Buffer.from('[]'), 415, 'GenericUnsupportedMediaType'],
])('a message of %s is answered %s', async (_, headers, body, status, code) => {
  const answer = await ask('POST', `events${VERSION}`, headers, body);
  expect([answer.status, answer.headers['iothub-errorcode'] ?? '']).toEqual([status, code]);
});

test('a device takes its messages one by one: completes, abandons and rejects them by their etags', async () => {
  expect((await ask('GET', `devicebound${VERSION}`)).status).toBe(204);
  const enqueue = (messageId: string): void => void bench.hub.messages.enqueue({ deviceId: 'dev1' }, { messageId, correlationId: 'grün', properties: { Mode: 'x', 'not a header': 'y' }, payload: Buffer.from([1, 0]) });
  ['m1', 'm2', 'm3'].forEach(enqueue);
  const take = async (): Promise<{ readonly answer: Answer; readonly lock: string }> => {
    const answer = await ask('GET', `devicebound${VERSION}`);
    return { answer, lock: String(answer.headers.etag).replaceAll('"', '') };
  };
  const { answer, lock } = await take();
  expect(answer).toMatchObject({ status: 200, body: Buffer.from([1, 0]), headers: { 'iothub-messageid': 'm1', 'iothub-correlationid': 'gr%C3%BCn', 'iothub-app-mode': 'x', 'iothub-sequencenumber': '1', 'iothub-deliverycount': '0', 'iothub-ack': 'none', 'iothub-enqueuedtime': '2027-01-15T08:00:00.000Z' } });
  expect(answer.headers).not.toHaveProperty('content-type');
  expect((await ask('POST', `devicebound/${lock}/abandon${VERSION}`)).status).toBe(204);
  const again = await take();
  expect(again.answer.headers).toMatchObject({ 'iothub-messageid': 'm1', 'iothub-deliverycount': '1' });
  expect((await ask('DELETE', `devicebound/${again.lock}${VERSION}`)).status).toBe(204);
  expect((await ask('DELETE', `devicebound/${again.lock}${VERSION}`)).headers['iothub-errorcode']).toBe('DeviceMessageLockLost');
  expect((await ask('DELETE', `devicebound/${(await take()).lock}${VERSION}&reject`)).status).toBe(204);
  expect(bench.eventsOf('cloudMessage').map(({ messageId, change }) => `${messageId} ${change}`)).toEqual(['m1 queued', 'm2 queued', 'm3 queued', 'm1 abandoned', 'm1 Success', 'm2 Rejected']);
  expect(bench.hub.messages.count({ deviceId: 'dev1' })).toBe(1);
});

test('a message that is not settled within a minute waits again', async () => {
  bench.hub.messages.enqueue({ deviceId: 'dev1' }, { messageId: 'm1', properties: {}, payload: Buffer.from('x') });
  expect((await ask('GET', `devicebound${VERSION}`)).status).toBe(200);
  expect((await ask('GET', `devicebound${VERSION}`)).status).toBe(204);
  await bench.advance(60_000);
  expect((await ask('GET', `devicebound${VERSION}`)).headers['iothub-messageid']).toBe('m1');
});

test('a message whose properties fit no header is given out with them percent-encoded, and does not stop those behind it', async () => {
  bench.hub.messages.enqueue({ deviceId: 'dev1' }, { messageId: 'é', properties: { mood: 'good 😀', 'ü': 'left out' }, payload: Buffer.from('1') });
  const got = await ask('GET', `devicebound${VERSION}`);
  expect([got.status, got.headers['iothub-messageid'], got.headers['iothub-app-mood'], got.body.toString()]).toEqual([200, '%C3%A9', 'good %F0%9F%98%80', '1']);
});

test('a message that is taken over HTTPS stays locked when the connection of MQTT ends', async () => {
  const peer = await bench.connect();
  bench.hub.messages.enqueue({ deviceId: 'dev1' }, { messageId: 'a', properties: {}, payload: Buffer.from('1') });
  const { headers } = await ask('GET', `devicebound${VERSION}`);
  await peer.send({ cmd: 'disconnect' });
  expect((await ask('GET', `devicebound${VERSION}`)).status).toBe(204);
  expect((await ask('DELETE', `devicebound/${String(headers['etag']).replaceAll('"', '')}${VERSION}`)).status).toBe(204);
});
