import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectPlain, createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { seededRandom } from '../../host-sim/time/seeded-random.ts';
import { HUB_NAME } from '../conformance/local-hub.ts';
import { openLocalService, type LocalService } from '../conformance/local-service.ts';
import { run } from '../conformance/program.ts';
import { signToken } from '../conformance/access/tokens.ts';
import { recordEvidence } from '../evidence.ts';

let local: LocalService;
let folder: string;
let token: string;
/** The same hub's service API without TLS in front. */
let plain: Server;
let cases = 0;

beforeAll(async () => {
  local = await openLocalService();
  folder = mkdtempSync(join(tmpdir(), 'latchkey-http-'));
  writeFileSync(join(folder, 'root.pem'), local.pki.root.certificatePem);
  local.hub.registry.add({ deviceId: 'dev1' });
  local.hub.registry.add({ deviceId: '..' });
  token = signToken({ scope: HUB_NAME, policy: 'iothubowner', key: local.hub.registry.findPolicy('iothubowner')!.keys.primary, expirySeconds: Math.floor(Date.now() / 1000) + 3_600 });
  plain = createServer((socket) => local.hub.acceptHttps(socket, 'stranger'));
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  plain.close();
  await local.close();
  rmSync(folder, { recursive: true, force: true });
  recordEvidence('http-hostile', cases);
});

/** curl against the hub over TLS. @returns status and IoT Hub's name of the error */
async function curl(path: string, args: readonly string[], isAuthorized = true): Promise<string> {
  const { code, stdout, stderr } = await run('curl', [
    '--silent', '--show-error', '--max-time', '20', '--path-as-is', '--cacert', join(folder, 'root.pem'), '--output', '/dev/null', '--write-out', '%{http_code} %header{iothub-errorcode}',
    ...(isAuthorized ? ['--header', `Authorization: ${token}`] : []), ...args, `https://localhost:${local.httpsPort}${path}`,
  ]);
  return code === 0 ? stdout.trim() : `curl ${code}: ${stderr.trim()}`;
}

const VERSION = '?api-version=2021-04-12';
const JSON_TYPE = ['--header', 'Content-Type: application/json'];
const PUT = ['--request', 'PUT', ...JSON_TYPE];

test.each<[what: string, path: string, args: string[], answer: string, isAuthorized?: boolean]>([
  ['a device', `/devices/dev1${VERSION}`, [], '200'],
  ['a device over HTTP/1.0', `/devices/dev1${VERSION}`, ['--http1.0'], '200'],
  ['a device with HTTP/2 on offer', `/devices/dev1${VERSION}`, ['--http2'], '200'],
  ['a device called ..', `/devices/..${VERSION}`, [], '200'],
  ['a device called .. by escapes', `/devices/%2e%2e${VERSION}`, [], '200'],
  ['a path that climbs out', '/../../../etc/passwd', [], '404 GenericNotFound'],
  ['a path that climbs by escapes', '/devices/%2e%2e%2ftwins/dev1', [], '404 GenericNotFound'],
  ['an escaped slash in an id', `/devices/dev1%2fmodules${VERSION}`, [], '400 ArgumentInvalid'],
  ['an escape of an escape', `/devices/dev1%252fmodules${VERSION}`, [], '404 DeviceNotFound'],
  ['a broken escape', '/devices/%zz', [], '400'],
  ['an escape that is no UTF-8', '/devices/%ff%fe', [], '400'],
  ['a NUL in an id', `/devices/dev1%00${VERSION}`, [], '400 ArgumentInvalid'],
  ['a line end in an id', `/devices/dev1%0d%0aX:1${VERSION}`, [], '400 ArgumentInvalid'],
  ['a backslash', '/devices\\dev1', [], '400'],
  ['a method of WebDAV', `/devices/dev1${VERSION}`, ['--request', 'PROPFIND'], '405 GenericMethodNotAllowed'],
  ['a method that nobody knows', '/devices/dev1', ['--request', 'BREW'], '400'],
  ['TRACE', `/devices/dev1${VERSION}`, ['--request', 'TRACE'], '405 GenericMethodNotAllowed'],
  ['an upgrade', `/devices/dev1${VERSION}`, ['--header', 'Connection: Upgrade', '--header', 'Upgrade: websocket'], '200'],
  ['17,000 bytes of headers', '/devices', ['--header', `X-Long: ${'x'.repeat(17_000)}`], '431'],
  ['a path of 17,000 bytes', `/devices/${'x'.repeat(17_000)}`, [], '431'],
  ['a body that is longer than an identity', `/devices/new${VERSION}`, [...PUT, '--data', `{"deviceId":"new","x":"${'x'.repeat(17_000)}"}`], '413 GenericRequestEntityTooLarge'],
  ['the same in chunks', `/devices/new${VERSION}`, [...PUT, '--header', 'Transfer-Encoding: chunked', '--data', `{"deviceId":"new","x":"${'x'.repeat(17_000)}"}`], '413 GenericRequestEntityTooLarge'],
  ['JSON of 1,000 levels', `/devices/new${VERSION}`, [...PUT, '--data', '['.repeat(1_000)], '400 IotHubFormatError'],
  ['half of JSON', `/devices/new${VERSION}`, [...PUT, '--data', '{"deviceId":"ne'], '400 IotHubFormatError'],
  ['a list where an object is due', `/devices/new${VERSION}`, [...PUT, '--data', '[]'], '400 ArgumentNull'],
  ['null', `/devices/new${VERSION}`, [...PUT, '--data', 'null'], '400 ArgumentNull'],
  ['an id in a prototype', `/devices/new${VERSION}`, [...PUT, '--data', '{"__proto__":{"deviceId":"other","status":"disabled"}}'], '200'],
  ['an id that is no text', `/devices/new2${VERSION}`, [...PUT, '--data', '{"deviceId":7}'], '400 ArgumentInvalid'],
  ['keys that are no keys', `/devices/new2${VERSION}`, [...PUT, '--data', '{"authentication":{"symmetricKey":{"primaryKey":"short"}}}'], '400 ArgumentInvalid'],
  ['a status that is none', `/devices/new2${VERSION}`, [...PUT, '--data', '{"status":"constructor"}'], '400 ArgumentInvalid'],
  ['an authentication that objects inherit', `/devices/new2${VERSION}`, [...PUT, '--data', '{"authentication":{"type":"constructor"}}'], '400 ArgumentInvalid'],
  ['a twin with a prototype', `/twins/dev1${VERSION}`, ['--request', 'PATCH', ...JSON_TYPE, '--data', '{"tags":{"__proto__":{"polluted":true}}}'], '200'],
  ['gzip', `/devices/new${VERSION}`, [...PUT, '--header', 'Content-Encoding: gzip', '--data', 'x'], '415 GenericUnsupportedMediaType'],
  ['a form', `/devices/new${VERSION}`, ['--request', 'PUT', '--data', 'a=1'], '415 GenericUnsupportedMediaType'],
  ['a wrong top', `/devices${VERSION}&top=1e9`, [], '400 ArgumentInvalid'],
  ['the time', '/', [], '200', false],
  ['a device by a stranger', `/devices/dev1${VERSION}`, [], '401 IotHubUnauthorizedAccess', false],
  ['a stranger with a body of a megabyte', `/devices/new${VERSION}`, [...PUT, '--data', `@${'/dev/zero'}`, '--header', 'Content-Length: 1048576', '--max-filesize', '1'], '401 IotHubUnauthorizedAccess', false],
  ['a stranger who waits for leave to send', `/devices/new${VERSION}`, [...PUT, '--header', 'Expect: 100-continue', '--data', 'x'.repeat(2_000)], '401 IotHubUnauthorizedAccess', false],
])('curl asks for %s at %s', async (what, path, args, answer, isAuthorized = true) => {
  if (args.includes('@/dev/zero')) {
    const file = join(folder, 'megabyte');
    writeFileSync(file, Buffer.alloc(1024 * 1024));
    args = [...PUT, '--data-binary', `@${file}`];
  }
  expect(`${what}: ${await curl(path, args, isAuthorized)}`).toBe(`${what}: ${answer}`);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  cases += 1;
});

test('a device whose id came by a prototype is the one of the path, enabled', () => {
  expect(local.hub.registry.find({ deviceId: 'new' })).toMatchObject({ deviceId: 'new', enabled: true });
  expect(local.hub.registry.find({ deviceId: 'other' })).toBeUndefined();
});

/** Sends bytes and waits for the end of the connection, or for a moment without bytes. @returns what came */
function exchange(bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = connectPlain((plain.address() as AddressInfo).port, '127.0.0.1');
    let text = '';
    const done = (): void => {
      socket.destroy();
      resolve(text);
    };
    let timer = setTimeout(done, 60);
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      clearTimeout(timer);
      timer = setTimeout(done, 5);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      done();
    });
    socket.end(bytes);
  });
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const MUTATIONS = 2_000;
const AT_A_TIME = 20;

test(`${MUTATIONS} damaged requests get an answer that is HTTP, or none, and the hub lives on without growing`, async () => {
  const random = seededRandom(443);
  const body = '{"deviceId":"dev1","status":"enabled","authentication":{"type":"sas"}}';
  const request = (method: string, path: string): string => `${method} ${path}${VERSION} HTTP/1.1\r\nHost: ${HUB_NAME}\r\nAuthorization: ${token}\r\nIf-Match: *\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const seeds = [request('PUT', '/devices/dev1'), request('PATCH', '/twins/dev1'), request('POST', '/devices/query'), request('POST', '/devices'), request('DELETE', '/devices/none')].map((text) => Buffer.from(text));
  const errorsBefore = local.eventsOf('requestFailed').length;
  const mutate = (): Buffer => {
    let bytes = Buffer.from(seeds[Math.floor(random() * seeds.length)] as Buffer);
    for (let change = 0; change <= random() * 6; change++) {
      const at = Math.floor(random() * bytes.length);
      const kind = random();
      if (kind < 0.5) bytes[at] = Math.floor(random() * 256);
      else if (kind < 0.7) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + Math.floor(random() * 20))]);
      else if (kind < 0.9) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.floor(random() * at)), bytes.subarray(at)]);
      else bytes = bytes.subarray(0, at);
    }
    return bytes;
  };
  const heapAfter = async (count: number): Promise<number> => {
    for (let sent = 0; sent < count; sent += AT_A_TIME) {
      const answers = await Promise.all(Array.from({ length: AT_A_TIME }, () => exchange(mutate())));
      for (const answer of answers) expect(answer === '' || /^HTTP\/1\.1 \d{3} /.test(answer)).toBe(true);
    }
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  const halfway = await heapAfter(MUTATIONS / 2);
  // This test keeps every event.
  expect((await heapAfter(MUTATIONS / 2)) - halfway).toBeLessThan(4 * 1024 * 1024);
  expect(local.eventsOf('requestFailed').slice(errorsBefore)).toEqual([]);
  expect(await curl('/', [], false)).toBe('200');
  expect(await curl(`/devices${VERSION}`, [])).toBe('200');
  cases += MUTATIONS;
});
