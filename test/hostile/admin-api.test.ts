import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request } from 'node:https';
import { connect } from 'node:tls';
import { startHub, type HubInProcess } from '../conformance/hub-in-process.ts';
import { recordEvidence } from '../evidence.ts';

/** The admin API under requests that it must not serve: other pages, other hosts, no token, bytes that are none. */

let hub: HubInProcess;
let cases = 0;

beforeAll(async () => {
  hub = await startHub();
});

afterAll(async () => {
  await hub.stop();
  recordEvidence('admin-api-refusals', cases);
});

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

interface Asking {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: string | Buffer;
}

const JSON_TYPE = { 'Content-Type': 'application/json' };

/** A good request, changed as the case wants it; a header that is `undefined` is left out. */
function ask({ method = 'GET', path = '/faults', headers = {}, body }: Asking): Promise<Answer> {
  const { adminPort, adminToken } = hub.place;
  const all = { Host: `localhost:${adminPort}`, Authorization: `Bearer ${adminToken}`, ...headers };
  return new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port: adminPort, servername: 'localhost', ca: hub.ca, agent: false, setHost: false, method, path, headers: Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Record<string, string> }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => void (text += chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
    });
    asking.on('error', reject);
    asking.end(body);
  });
}

const post = (value: unknown): Asking => ({ method: 'POST', headers: JSON_TYPE, body: typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value) });

test('the good request is answered, and no page may read the answer', async () => {
  const { status, headers, text } = await ask({});
  expect([status, text]).toEqual([200, '[]']);
  expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  expect((await ask({ headers: { Origin: `https://localhost:${hub.place.adminPort}` } })).status).toBe(200);
});

test.each<[what: string, asking: () => Asking, status: number]>([
  ['no token', () => ({ headers: { Authorization: undefined } }), 401],
  ['a wrong token', () => ({ headers: { Authorization: `Bearer ${hub.place.adminToken.slice(0, -1)}x` } }), 401],
  ['the token with a tail', () => ({ headers: { Authorization: `Bearer ${hub.place.adminToken}x` } }), 401],
  ['the token without its scheme', () => ({ headers: { Authorization: hub.place.adminToken } }), 401],
  ["a service's token", () => ({ headers: { Authorization: 'SharedAccessSignature sr=x&sig=y&se=1&skn=iothubowner' } }), 401],
  ['another host, as by DNS rebinding', () => ({ headers: { Host: `evil.example:${hub.place.adminPort}` } }), 403],
  ['its own name at another port', () => ({ headers: { Host: 'localhost:1' } }), 403],
  ["a page of another origin, with the token", () => ({ headers: { Origin: 'https://evil.example' } }), 403],
  ['a page of the same host at another port', () => ({ headers: { Origin: 'https://localhost:3000' } }), 403],
  ['a page without TLS', () => ({ headers: { Origin: `http://localhost:${hub.place.adminPort}` } }), 403],
  ['a sandboxed page', () => ({ headers: { Origin: 'null' } }), 403],
  ['a preflight', () => ({ method: 'OPTIONS', headers: { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'POST' } }), 403],
  ['a preflight without origin', () => ({ method: 'OPTIONS' }), 405],
  ['no host', () => ({ headers: { Host: undefined } }), 400],
  ['a path that is none of its', () => ({ path: '/devices' }), 404],
  ['a way out of its paths', () => ({ path: '/faults/../devices' }), 404],
  ['a method that it does not have', () => ({ method: 'PUT', headers: JSON_TYPE, body: '{}' }), 405],
  ['a form, as pages may send it', () => ({ method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: '{"kind":"drop"}' }), 415],
  ['no body', () => ({ method: 'POST' }), 400],
  ['half of a body', () => post('{"kind":"dr'), 400],
  ['bytes that are no UTF-8', () => post(Buffer.from([0x22, 0xff, 0x22])), 400],
  ['a list', () => post([]), 400],
  ['null', () => post('null'), 400],
  ['nesting without end', () => post('['.repeat(2_000)), 400],
  ['a body of 5 KB', () => post({ kind: 'x'.repeat(5_000) }), 413],
  ['a kind that every object has', () => post({ kind: 'constructor' }), 400],
  ['a prototype', () => post('{"kind":"drop","__proto__":{"at":"message"}}'), 400],
  ['an unknown member', () => post({ kind: 'drop', when: 'now' }), 400],
  ['a count of text', () => post({ kind: 'drop', count: '1' }), 400],
  ['a count below one', () => post({ kind: 'drop', count: 0 }), 400],
  ['a count that is no whole number', () => post({ kind: 'drop', count: 1.5 }), 400],
  ['a count beyond numbers', () => post('{"kind":"drop","count":1e999}'), 400],
  ['a delay of an hour', () => post({ kind: 'delay', delayMs: 3_600_000 }), 400],
  ['a reserved CONNACK code', () => post({ kind: 'refuse', code: 6 }), 400],
  ['CONNACK 0, which accepts', () => post({ kind: 'refuse', code: 0 }), 400],
  ['a device id that is none', () => post({ kind: 'drop', deviceId: 'a/b' }), 400],
  ['a module without device', () => post({ kind: 'drop', moduleId: 'm' }), 400],
  ['a clock beyond dates', () => post({ kind: 'clock-offset', offsetMs: 1e15 }), 400],
  ['a certificate that it does not have', () => post({ kind: 'certificate', certificate: '../server' }), 400],
])('%s is refused, changes nothing, and brings back nothing of the token', async (_, asking, status) => {
  const answer = await ask(asking());
  expect(answer.status).toBe(status);
  expect(answer.text).not.toContain(hub.place.adminToken);
  expect((await ask({})).text).toBe('[]');
  cases += 1;
});

test('more faults than a hub takes are refused, and cleared at once', async () => {
  for (let number = 0; number < 100; number++) expect((await ask(post({ kind: 'duplicate', deviceId: `d${number}` }))).status).toBe(201);
  expect((await ask(post({ kind: 'duplicate' }))).status).toBe(400);
  expect((await ask({ method: 'DELETE' })).text).toBe('{"cleared":100}');
});

test('bytes that are no HTTP end the connection, and the next request is answered', async () => {
  for (const bytes of ['\0\0\0\0', 'GET\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', `GET /faults HTTP/1.1\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`]) {
    await new Promise<void>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port: hub.place.adminPort, ca: hub.ca, servername: 'localhost' }, () => socket.write(bytes));
      socket.on('error', () => {});
      socket.on('data', () => {});
      socket.on('close', () => resolve());
    });
  }
  expect((await ask({})).status).toBe(200);
  expect(JSON.stringify(hub.events)).not.toContain(hub.place.adminToken);
});

test('the admin API is on loopback, whatever address the hub has', async () => {
  const wide = await startHub(['--address', '127.0.0.2', '--hub-name', 'wide-hub.test']);
  const isOpen = (host: string): Promise<boolean> => new Promise((resolve) => {
    const socket = connect({ host, port: wide.place.adminPort, ca: wide.ca, servername: 'localhost' }, () => (socket.destroy(), resolve(true)));
    socket.on('error', () => resolve(false));
  });
  expect([await isOpen('127.0.0.1'), await isOpen('127.0.0.2')]).toEqual([true, false]);
  expect((await wide.latchkey(['faults', 'list'])).stdout).toBe('[]\n');
  await wide.stop();
});
