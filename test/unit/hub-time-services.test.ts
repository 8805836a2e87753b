import { createSocket } from 'node:dgram';
import { get, request } from 'node:https';
import { createConnection } from 'node:net';
import { Duplex } from 'node:stream';
import { expect, test } from '@jest/globals';
import { createDevelopmentPki } from '../../certs/development-pki.ts';
import { DateServer } from '../../host-sim/hub/time-servers/date-server.ts';
import { DEFAULT_LIMITS } from '../../host-sim/hub/limits.ts';
import { listenTls } from '../../host-sim/hub/listen.ts';
import { answerNtp, openNtpServer } from '../../host-sim/hub/time-servers/ntp-server.ts';
import { realClock } from '../../host-sim/time/real-clock.ts';
import { VirtualClock } from '../../host-sim/time/virtual-clock.ts';
import { settle } from './hub-peer.ts';

/** 48 bytes of a client's query with a transmit timestamp of its own. */
function makeQuery(first: number): Uint8Array {
  const query = new Uint8Array(48);
  query[0] = first;
  query[2] = 6;
  query.set([0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4], 40);
  return query;
}

const hex = (bytes: Uint8Array | undefined): string[] => Buffer.from(bytes ?? []).toString('hex').match(/.{8}/g) ?? [];

test.each<[what: string, first: number, nowMs: number, answer: string[]]>([
  // RFC 5905, figure 28 gives 1999-12-31 as 3,155,587,200 and 2036-02-07T06:28:16Z as the start of era 1.
  ['version 4 on the last day of 1999, at half a second', 0x23, Date.UTC(1999, 11, 31) + 500, [
    '240106ec', // LI 0, VN 4, mode 4; stratum 1; poll as asked; precision 2^-20
    '00000000', // root delay
    '00000000', // root dispersion
    Buffer.from('LOCL').toString('hex'),
    'bc167080', '80000000', // reference: 3,155,587,200.5
    'deadbeef', '01020304', // origin: the client's transmit time
    'bc167080', '80000000', // receive
    'bc167080', '80000000', // transmit
  ]],
  ['version 3, one second into era 1', 0x1b, Date.UTC(2036, 1, 7, 6, 28, 17), [
    '1c0106ec', '00000000', '00000000', '4c4f434c', '00000001', '00000000', 'deadbeef', '01020304', '00000001', '00000000', '00000001', '00000000',
  ]],
])('answers NTP %s', (_, first, nowMs, answer) => {
  expect(hex(answerNtp(makeQuery(first), { now: () => nowMs }))).toEqual(answer);
});

test.each<[what: string, query: Uint8Array]>([
  ['47 bytes', makeQuery(0x23).subarray(0, 47)],
  ['nothing', new Uint8Array(0)],
  ["a server's answer", makeQuery(0x24)],
  ['a control message', makeQuery(0x26)],
  ['version 0', makeQuery(0x03)],
  ['version 5', makeQuery(0x2b)],
])('does not answer %s', (_, query) => {
  expect(answerNtp(query, { now: () => 0 })).toBeUndefined();
});

test('serves NTP on two addresses with the same port, and frees both', async () => {
  const nowMs = Date.UTC(2031, 0, 1);
  const server = await openNtpServer({ port: 0, clock: { now: () => nowMs } });
  expect(server.addresses).toEqual(['127.0.0.1', '127.0.0.2']);
  const client = createSocket('udp4');
  for (const address of server.addresses) {
    const answered = new Promise<Buffer>((resolve) => client.once('message', resolve));
    client.send('garbage', server.port, address);
    client.send(makeQuery(0x23), server.port, address);
    expect((await answered).readUInt32BE(40) - 2_208_988_800).toBe(nowMs / 1000);
  }
  client.close();
  await expect(openNtpServer({ port: server.port, clock: realClock })).rejects.toMatchObject({ code: 'ERR_PORT_IN_USE' });
  await server.close();
  await (await openNtpServer({ port: server.port, clock: realClock })).close();
});

test("serves HTTPS with a Date to Node's client, GET and HEAD, and refuses the rest", async () => {
  const pki = await createDevelopmentPki({ names: ['localhost'], notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) });
  const date = new DateServer(realClock, () => Date.UTC(2031, 4, 6, 7, 8, 9));
  const listener = await listenTls(
    { port: 0, tls: { certificateChain: pki.serverChainPem, privateKey: pki.server.privateKeyPem } }, DEFAULT_LIMITS,
    { accept: (stream) => date.acceptHttps(stream), failed: () => {} },
  );
  const options = { port: listener.port, ca: pki.root.certificatePem, host: 'localhost', agent: false };
  const ask = (method: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const asked = method === 'GET' ? get(options) : request({ ...options, method }).end();
      asked.on('response', (response) => {
        response.resume();
        resolve(`${response.statusCode} ${response.headers.date}`);
      });
      asked.on('error', reject);
    });
  expect(await ask('GET')).toBe('200 Tue, 06 May 2031 07:08:09 GMT');
  expect(await ask('HEAD')).toBe('200 Tue, 06 May 2031 07:08:09 GMT');
  expect(await ask('POST')).toBe('405 Tue, 06 May 2031 07:08:09 GMT');
  await listener.close();
});

function openHttp(clock = new VirtualClock(Date.UTC(2031, 0, 1))): { clock: VirtualClock; send: (text: string) => Promise<void>; answer: () => string; stream: Duplex } {
  const written: Buffer[] = [];
  const stream = new Duplex({
    allowHalfOpen: true,
    read: () => {},
    write: (chunk: Buffer, _encoding, callback) => {
      written.push(chunk);
      callback();
    },
  });
  new DateServer(clock).acceptHttps(stream);
  return {
    clock,
    stream,
    answer: () => Buffer.concat(written).toString(),
    send: async (text) => {
      stream.push(Buffer.from(text));
      await settle();
    },
  };
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

test('answers a request that comes in two pieces, at every place', async () => {
  for (let at = 1; at < REQUEST.length; at++) {
    const http = openHttp();
    await http.send(REQUEST.slice(0, at));
    expect(http.answer()).toBe('');
    await http.send(REQUEST.slice(at));
    expect(http.answer()).toBe('HTTP/1.1 200 OK\r\nDate: Wed, 01 Jan 2031 00:00:00 GMT\r\nContent-Length: 0\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n');
  }
});

test.each<[what: string, text: string, status: string]>([
  ['a request line of one word', 'GET\r\n\r\n', '400 Bad Request'],
  ['another protocol', 'GET / SPDY/3\r\n\r\n', '400 Bad Request'],
  ['a fourth word', 'GET / HTTP/1.1 x\r\n\r\n', '400 Bad Request'],
  ['headers without end', `GET / HTTP/1.1\r\n${'x: y\r\n'.repeat(1_400)}`, '431 Request Header Fields Too Large'],
  ['another method', 'DELETE / HTTP/1.1\r\n\r\n', '405 Method Not Allowed'],
])('answers %s by its status, once', async (_, text, status) => {
  const http = openHttp();
  await http.send(text);
  await http.send(REQUEST);
  expect(http.answer().split('\r\n')[0]).toBe(`HTTP/1.1 ${status}`);
  expect(http.answer().match(/HTTP\/1\.1/g)).toHaveLength(1);
});

test('gives up on a request that does not come, and on a client that does not close', async () => {
  for (const text of ['', REQUEST]) {
    const http = openHttp();
    await http.send(text + ' '.repeat(text === '' ? 1 : 0));
    http.clock.jumpTo(10_000);
    http.clock.fireDue();
    await settle();
    expect(http.stream.destroyed).toBe(true);
  }
});

test('a TLS server that garbage reaches tells of it and goes on', async () => {
  const pki = await createDevelopmentPki({ names: ['localhost'], notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) });
  const failures: string[] = [];
  const listener = await listenTls(
    { port: 0, tls: { certificateChain: pki.serverChainPem, privateKey: pki.server.privateKeyPem } }, DEFAULT_LIMITS,
    { accept: () => {}, failed: (_peer, code) => failures.push(code) },
  );
  for (const bytes of ['not TLS at all, but long enough to be read', '\x16\x03\x01\xff\xff']) {
    const socket = createConnection(listener.port, '127.0.0.1');
    socket.on('error', () => {}).resume();
    socket.end(bytes, 'latin1');
    await new Promise((resolve) => socket.on('close', resolve));
  }
  expect(failures).toHaveLength(2);
  await expect(listenTls({ port: listener.port, tls: { certificateChain: pki.serverChainPem, privateKey: pki.server.privateKeyPem } }, DEFAULT_LIMITS, { accept: () => {}, failed: () => {} })).rejects.toMatchObject({
    code: 'ERR_PORT_IN_USE',
  });
  await listener.close();
});
