import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import type { AccessDenial, AccessGrant, AccessRequest } from '../../host-sim/hub/access/authorize.ts';
import { RestServer, type RestServerOptions } from '../../host-sim/hub/rest/rest-server.ts';
import type { RestRequest, Route } from '../../host-sim/hub/rest/route.ts';
import { ServiceError } from '../../host-sim/hub/service-error.ts';
import { Throttles } from '../../host-sim/hub/throttles/throttles.ts';
import { VirtualClock } from '../../host-sim/time/virtual-clock.ts';
import { settle } from './hub-peer.ts';

const START_MS = 1_800_000_000_000;
const DATE = 'Fri, 15 Jan 2027 08:00:00 GMT';
const VERSION = 'api-version=2021-04-12';

const GRANT: AccessGrant = { accepted: true, scope: { host: 'hub', segments: [] }, expirySeconds: 0, key: 'primary', policy: 'iothubowner' };
const DENIAL: AccessDenial = { accepted: false, reason: 'signature-wrong', status: 401, code: 401_003, detail: 'neither key made this signature' };

const asked: RestRequest[] = [];
const wanted: AccessRequest[] = [];
const answer = (request: RestRequest): { status: number; body: object } => {
  asked.push(request);
  return { status: 200, body: { route: request.route, params: request.params, body: request.body ?? null } };
};
const routes: Route[] = [
  { method: 'GET', path: '/devices/:deviceId', permissions: ['RegistryRead'], handle: answer },
  { method: 'PUT', path: '/devices/:deviceId', permissions: ['RegistryWrite'], handle: answer },
  { method: 'GET', path: '/devices', permissions: ['RegistryRead'], handle: answer },
  { method: 'POST', path: '/devices/query', permissions: ['ServiceConnect'], handle: answer },
  { method: 'GET', path: '/devices/:deviceId/modules/:moduleId', permissions: ['RegistryRead'], handle: answer },
  { method: 'POST', path: '/devices/:deviceId/messages/events', permissions: ['DeviceConnect'], deviceFacing: true, handle: answer },
  { method: 'GET', path: '/missing', permissions: ['RegistryRead'], handle: () => { throw new ServiceError(404, 404_001, 'DeviceNotFound', 'dev9'); } },
  { method: 'GET', path: '/broken', permissions: ['RegistryRead'], handle: () => { throw new Error('a secret of the hub'); } },
  { method: 'GET', path: '/never', permissions: ['RegistryRead'], handle: () => new Promise(() => {}) },
  { method: 'GET', path: '/long', permissions: ['RegistryRead'], handle: () => ({ status: 200, body: 'x'.repeat(30_000_000) }) },
];

/** A server over plain sockets: what lies above TLS. */
class RestBench {
  readonly clock = new VirtualClock(START_MS);
  readonly events: Parameters<RestServerOptions['emit']>[0][] = [];
  readonly rest: RestServer;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** The server's ends. */
  readonly #accepted: Socket[] = [];

  constructor(options: Partial<RestServerOptions> = {}) {
    this.rest = new RestServer({
      hubName: 'hub', clock: this.clock, now: () => this.clock.now(), routes,
      authorize: (request) => {
        wanted.push(request);
        return request.token === 'good' ? GRANT : DENIAL;
      },
      emit: (event) => this.events.push(event),
      ...options,
    });
    this.#server = createServer({ allowHalfOpen: false }, (socket) => {
      this.#accepted.push(socket);
      this.rest.accept(socket, 'peer');
    });
  }

  async open(): Promise<Client> {
    if (!this.#server.listening) await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const socket = connect((this.#server.address() as AddressInfo).port, '127.0.0.1');
    this.#sockets.add(socket);
    await new Promise((resolve) => socket.once('connect', resolve));
    return new Client(socket);
  }

  /** One request on a connection of its own. */
  async ask(text: string): Promise<Answer> {
    const client = await this.open();
    client.socket.write(text.replaceAll('\n', '\r\n'));
    return client.next();
  }

  /** Resolves once the server has taken so many bytes from its only client, and has done what follows. */
  async taken(bytes: number): Promise<void> {
    while ((this.#accepted[0]?.bytesRead ?? -1) < bytes) await delay(1);
    await settle();
  }

  /** Resolves once the server has more to send to its only client than the client's system takes. */
  async stuck(): Promise<void> {
    while ((this.#accepted[0]?.writableLength ?? 0) === 0) await delay(1);
    await settle();
  }

  async advance(byMs: number): Promise<void> {
    this.clock.jumpTo(this.clock.monotonicMs() + byMs);
    this.clock.fireDue();
    await settle();
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.rest.close();
    this.#server.close();
  }
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

class Client {
  readonly socket: Socket;
  readonly #closed: Promise<void>;
  #text = '';

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => (this.#text += chunk.toString('latin1')));
    socket.on('error', () => {});
    this.#closed = new Promise((resolve) => socket.once('close', () => resolve()));
  }

  get received(): string {
    return this.#text;
  }

  async next(): Promise<Answer> {
    for (;;) {
      const end = this.#text.indexOf('\r\n\r\n');
      if (end >= 0) {
        const [line = '', ...rows] = this.#text.slice(0, end).split('\r\n');
        const headers = Object.fromEntries(rows.map((row) => [row.slice(0, row.indexOf(':')).toLowerCase(), row.slice(row.indexOf(':') + 2)]));
        const length = Number(headers['content-length'] ?? 0);
        if (this.#text.length >= end + 4 + length) {
          const body = this.#text.slice(end + 4, end + 4 + length);
          this.#text = this.#text.slice(end + 4 + length);
          return { status: Number(line.split(' ')[1]), headers, body };
        }
      }
      if (this.socket.destroyed) throw new Error(`closed after ${JSON.stringify(this.#text)}`);
      await Promise.race([new Promise((resolve) => this.socket.once('data', resolve)), this.#closed]);
    }
  }

  closed(): Promise<void> {
    return this.#closed;
  }
}

let bench: RestBench | undefined;
const benches: RestBench[] = [];

function start(options?: Partial<RestServerOptions>): RestBench {
  bench = new RestBench(options);
  benches.push(bench);
  return bench;
}

afterEach(() => {
  for (const each of benches.splice(0)) each.close();
  asked.length = 0;
  wanted.length = 0;
});

const get = (path: string, headers = 'Authorization: good\n'): string => `GET ${path} HTTP/1.1\nHost: hub\n${headers}\n`;

test('answers JSON with the date of the hub and a request id', async () => {
  const { status, headers, body } = await start().ask(get(`/devices/dev1?${VERSION}`));
  expect(status).toBe(200);
  expect(headers).toMatchObject({ date: DATE, 'content-type': 'application/json; charset=utf-8', 'content-length': String(body.length) });
  expect(headers['x-ms-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  expect(JSON.parse(body)).toEqual({ route: '/devices/:deviceId', params: { deviceId: 'dev1' }, body: null });
  expect(bench?.events).toEqual([{ event: 'requestAnswered', peer: 'peer', method: 'GET', route: '/devices/:deviceId', deviceId: 'dev1', policy: 'iothubowner', status: 200 }]);
});

test.each<[path: string, segments: string[], route: string | undefined, params: object]>([
  ['/devices', ['devices'], '/devices', {}],
  ['/devices/', ['devices'], '/devices', {}],
  ['/devices/query', ['devices', 'query'], '/devices/:deviceId', { deviceId: 'query' }],
  ['/devices/..', ['devices', '..'], '/devices/:deviceId', { deviceId: '..' }],
  ['/devices/%2e%2E', ['devices', '..'], '/devices/:deviceId', { deviceId: '..' }],
  ['/devices/a%2541', ['devices', 'a%41'], '/devices/:deviceId', { deviceId: 'a%41' }],
  ["/devices/-:.+%25_%23*%3F!(),=@$'", ['devices', "-:.+%_#*?!(),=@$'"], '/devices/:deviceId', { deviceId: "-:.+%_#*?!(),=@$'" }],
  ['/devices/%2D%3A%2E%2B%25%5F%23%2A%3F%21%28%29%2C%3D%40%24%27', ['devices', "-:.+%_#*?!(),=@$'"], '/devices/:deviceId', { deviceId: "-:.+%_#*?!(),=@$'" }],
  ['/devices/dev1/modules/m%231', ['devices', 'dev1', 'modules', 'm#1'], '/devices/:deviceId/modules/:moduleId', { deviceId: 'dev1', moduleId: 'm#1' }],
])('reads %s segment by segment, each decoded once', async (path, segments, route, params) => {
  const { status } = await start().ask(get(`${path}?${VERSION}`));
  expect(status).toBe(200);
  expect(wanted.map(({ resource }) => resource)).toEqual([{ host: 'hub', segments }]);
  expect(asked).toMatchObject([{ route, params }]);
});

test.each<[what: string, path: string, status: number, code: string]>([
  ['an id with an escaped slash', '/devices/a%2Fb', 400, 'ArgumentInvalid'],
  ['an id with a NUL', '/devices/a%00', 400, 'ArgumentInvalid'],
  ['an id of 129 characters', `/devices/${'x'.repeat(129)}`, 400, 'ArgumentInvalid'],
  ['a module id with a space', '/devices/dev1/modules/a%20b', 400, 'ArgumentInvalid'],
  ['a path with an empty segment', '/devices//dev1', 404, 'GenericNotFound'],
  ['a path in another case', '/Devices/dev1', 404, 'GenericNotFound'],
  ['a path that climbs', '/twins/../devices', 404, 'GenericNotFound'],
  ['an unknown path', '/nothing/here', 404, 'GenericNotFound'],
])('answers %s with %s in the form that azure-iothub reads', async (_, path, status, code) => {
  const { body, ...answer } = await start().ask(get(`${path}?${VERSION}`));
  expect(answer).toMatchObject({ status, headers: { 'iothub-errorcode': code } });
  expect(JSON.parse(body)).toEqual({
    Message: expect.stringMatching(new RegExp(`^ErrorCode:${code};[^;]+$`)),
    ExceptionMessage: expect.stringMatching(/^Tracking ID:[0-9A-F]{32}-G:0-TimeStamp:01\/15\/2027 08:00:00$/),
  });
  expect(asked).toEqual([]);
});

test.each<[what: string, query: string]>([
  ['no api-version', ''],
  ['two of them', `?${VERSION}&${VERSION}`],
  ['one that is no date', '?api-version=latest'],
  ['one that no SDK speaks', '?api-version=2035-01-01'],
])('refuses %s', async (_, query) => {
  expect(await start().ask(get(`/devices${query}`))).toMatchObject({ status: 400, headers: { 'iothub-errorcode': 'InvalidProtocolVersion' } });
});

test.each<[path: string]>([['/devices/dev1?api-version=2021-04-12'], ['/nothing'], ['/devices/dev1'], ['/devices/a%2Fb'], ['/devices/query']])(
  'tells a stranger the same about %s, before anything else',
  async (path) => {
    const { status, headers, body } = await start().ask(get(path, 'Authorization: bad\n'));
    expect([status, headers['iothub-errorcode'], JSON.parse(body).Message]).toEqual([401, 'IotHubUnauthorizedAccess', 'ErrorCode:IotHubUnauthorizedAccess;Unauthorized']);
    expect(Object.keys(headers).sort()).toEqual(['cache-control', 'connection', 'content-length', 'content-type', 'date', 'iothub-errorcode', 'keep-alive', 'x-ms-request-id'].filter((name) => name in headers));
    expect(bench?.events).toMatchObject([{ event: 'requestRefused', reason: 'signature-wrong', code: 401_003 }]);
    expect(JSON.stringify(bench?.events)).not.toContain('nothing');
  },
);

test('tells the time to anybody, and nothing else', async () => {
  for (const method of ['GET', 'HEAD']) {
    expect(await start().ask(`${method} / HTTP/1.1\nHost: hub\n\n`)).toMatchObject({ status: 200, headers: { date: DATE, 'content-length': '0' }, body: '' });
  }
  expect(await start().ask('POST / HTTP/1.1\nHost: hub\n\n')).toMatchObject({ status: 401 });
});

test('says which methods a resource takes', async () => {
  expect(await start().ask('DELETE /devices/dev1 HTTP/1.1\nHost: hub\nAuthorization: good\n\n')).toMatchObject({ status: 405, headers: { allow: 'GET, PUT' } });
});

test('lets the identity of a device-facing endpoint sign, and of no other', async () => {
  await start().ask(`POST /devices/dev1/messages/events?${VERSION} HTTP/1.1\nHost: hub\nAuthorization: good\n\n`);
  await bench?.ask(get(`/devices/dev1?${VERSION}`));
  expect(wanted.map(({ identity, permissions }) => [identity, permissions])).toEqual([[{ deviceId: 'dev1' }, ['DeviceConnect']], [undefined, ['RegistryRead']]]);
});

const put = (body: string, headers = 'Content-Type: application/json\n'): string =>
  `PUT /devices/dev1?${VERSION} HTTP/1.1\nHost: hub\nAuthorization: good\n${headers}Content-Length: ${Buffer.byteLength(body)}\n\n${body}`;

test.each<[what: string, request: string, status: number, code: string]>([
  ['a body that is no JSON', put('{"a":'), 400, 'IotHubFormatError'],
  ['65 levels of arrays', put('['.repeat(65) + ']'.repeat(65)), 400, 'IotHubFormatError'],
  ['64 levels of arrays', put('['.repeat(64) + ']'.repeat(64)), 200, ''],
  ['brackets in a string', put(JSON.stringify('['.repeat(900))), 200, ''],
  ['a form', put('a=1', 'Content-Type: application/x-www-form-urlencoded\n'), 415, 'GenericUnsupportedMediaType'],
  ['no media type', put('{}', ''), 415, 'GenericUnsupportedMediaType'],
  ['another charset', put('{}', 'Content-Type: application/json; charset=utf-16\n'), 415, 'GenericUnsupportedMediaType'],
  ['a compressed body', put('{}', 'Content-Type: application/json\nContent-Encoding: gzip\n'), 415, 'GenericUnsupportedMediaType'],
  ['the media type of azure-iothub', put('{}', 'Content-Type: application/json; charset=utf-8\n'), 200, ''],
  ['a body too long', put('x'.repeat(1_001)), 413, 'GenericRequestEntityTooLarge'],
  ['a body too long in chunks', `PUT /devices/dev1?${VERSION} HTTP/1.1\nHost: hub\nAuthorization: good\nContent-Type: application/json\nTransfer-Encoding: chunked\n\n${`64\n${'x'.repeat(100)}\n`.repeat(11)}`, 413, 'GenericRequestEntityTooLarge'],
])('answers %s', async (_, request, status, code) => {
  const answer = await start({ limits: { bodyBytes: 1_000, jsonDepth: 64 } }).ask(request);
  expect([answer.status, answer.headers['iothub-errorcode'] ?? '']).toEqual([status, code]);
});

test('keeps a member named __proto__ a member', async () => {
  await start().ask(put('{"__proto__":{"admin":true}}'));
  expect(Object.getOwnPropertyNames(asked[0]?.body)).toEqual(['__proto__']);
  expect((asked[0]?.body as { admin?: unknown }).admin).toBeUndefined();
  expect(({} as { admin?: unknown }).admin).toBeUndefined();
});

test('answers an error of the service with its name, and one of the hub without a word of it', async () => {
  expect(JSON.parse((await start().ask(get(`/missing?${VERSION}`))).body).Message).toBe('ErrorCode:DeviceNotFound;dev9');
  const { status, body } = await start().ask(get(`/broken?${VERSION}`));
  expect(status).toBe(500);
  expect(body).not.toContain('secret');
  expect(bench?.events).toMatchObject([{ event: 'requestFailed', detail: 'Error: a secret of the hub' }, { event: 'requestAnswered', status: 500, code: 500_001 }]);
});

test('answers 429 with the time to wait once the rate of an operation is reached', async () => {
  const clock = new VirtualClock(START_MS);
  const throttled: Route = { method: 'GET', path: '/twins/:deviceId', permissions: ['ServiceConnect'], throttle: 'twin-read', handle: answer };
  start({ routes: [throttled], throttles: new Throttles(clock, { 'twin-read': { perSecond: 0.5, burst: 1 } }) });
  expect((await bench!.ask(get(`/twins/dev1?${VERSION}`))).status).toBe(200);
  expect(await bench!.ask(get(`/twins/dev1?${VERSION}`))).toMatchObject({ status: 429, headers: { 'retry-after': '2', 'iothub-errorcode': 'ThrottlingException' } });
  expect(bench!.events.at(-1)).toMatchObject({ event: 'requestAnswered', status: 429, code: 429_001 });
});

test('answers requests that were sent without waiting in their order, and bounds how many wait', async () => {
  const client = await start().open();
  client.socket.write((get(`/devices/a?${VERSION}`) + get(`/devices/b?${VERSION}`)).replaceAll('\n', '\r\n'));
  expect(JSON.parse((await client.next()).body).params.deviceId).toBe('a');
  expect(JSON.parse((await client.next()).body).params.deviceId).toBe('b');
  client.socket.write(get(`/never?${VERSION}`).repeat(17).replaceAll('\n', '\r\n'));
  await client.closed();
  expect(bench?.events.at(-1)).toMatchObject({ event: 'requestBroken', reason: 'too-many-requests-waiting' });
});

test('asks for a body only after the request was authorized', async () => {
  const expecting = (token: string): string => `PUT /devices/dev1?${VERSION} HTTP/1.1\nHost: hub\nAuthorization: ${token}\nContent-Type: application/json\nContent-Length: 2\nExpect: 100-continue\n\n`;
  const stranger = await start().ask(expecting('bad'));
  expect(stranger).toMatchObject({ status: 401, headers: { connection: 'close' } });
  const client = await bench!.open();
  client.socket.write(expecting('good').replaceAll('\n', '\r\n'));
  expect((await client.next()).status).toBe(100);
  client.socket.write('{}');
  expect((await client.next()).status).toBe(200);
});

test.each<[what: string, bytes: string, status: number]>([
  ['bytes that are no HTTP', '\u0016\u0003\u0001\r\n\r\n', 400],
  ['headers above the bound', `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ['two lengths', 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400],
  ['a length and chunks', 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
  ['a length that is none', 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n', 400],
  ['a header with a NUL', 'GET / HTTP/1.1\r\nHost: h\r\nX: \0\r\n\r\n', 400],
  ['a line folded', 'GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n', 400],
  ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
])('answers 400 or 431 to %s and closes', async (_, bytes, status) => {
  const client = await start().open();
  client.socket.write(bytes, 'latin1');
  await client.closed();
  expect(client.received).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(client.received.split('\r\n\r\n')[1]).toBe('');
});

test.each<[what: string, bytes: string, waitMs: number, reason: string | undefined]>([
  ['headers', 'GET /devices HTTP/1.1\r\nHost: h', 60_000, undefined],
  ['nothing', '', 60_000, undefined],
  ['half of a body', `PUT /devices/dev1?${VERSION} HTTP/1.1\r\nHost: h\r\nAuthorization: good\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{`, 30_000, 'too-slow'],
  ['half of a body that nobody may send', 'PUT /devices/dev1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{', 30_000, 'too-slow'],
])('closes the connection of a client that sends %s and then no more', async (_, bytes, waitMs, reason) => {
  const client = await start().open();
  client.socket.write(bytes);
  await bench!.taken(bytes.length);
  await bench!.advance(waitMs - 1);
  expect(client.socket.closed).toBe(false);
  await bench!.advance(1);
  await client.closed();
  const broken = bench!.events.filter(({ event }) => event === 'requestBroken');
  expect(broken).toMatchObject(reason === undefined ? [] : [{ reason }]);
});

test('closes the connection of a client that does not take its answer', async () => {
  const client = await start().open();
  client.socket.pause();
  client.socket.write(get(`/long?${VERSION}`).replaceAll('\n', '\r\n'));
  await bench!.stuck();
  await bench!.advance(30_000);
  expect(bench!.events.at(-1)).toMatchObject({ event: 'requestBroken', reason: 'client-does-not-read' });
});

test('refuses connections beyond the bound', async () => {
  const first = await start({ limits: { connections: 1 } }).open();
  const second = await bench!.open();
  await second.closed();
  expect(first.socket.destroyed).toBe(false);
  expect(bench!.events).toEqual([{ event: 'connectionRejected', peer: 'peer', limit: 1 }]);
});

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
