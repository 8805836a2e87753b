import { describe, expect, test } from '@jest/globals';

import { DateClient } from '../../../../firmware/agent/clock/date-client.ts';
import { FakeNetwork } from '../../../fakes/fake-network.ts';
import { FakePort } from '../../../fakes/fake-port.ts';
import { FakeTime } from '../../../fakes/fake-time.ts';
import { FakeTlsServer } from '../../../fakes/fake-tls.ts';

const DATE = 'Sun, 22 Nov 2026 00:00:00 GMT';
const UNIX_MS = Date.UTC(2026, 10, 22);

interface Scene {
  readonly time: FakeTime;
  readonly network: FakeNetwork;
  readonly port: FakePort;
  readonly client: DateClient;
  readonly results: [number | undefined, string][];
  request: string;
}

function scene(serve: (server: FakeTlsServer) => void, options: { server?: string; alert?: string | null } = {}): Scene {
  const time = new FakeTime();
  const network = new FakeNetwork(time);
  const port = new FakePort(time, network);
  network.name('date.test', '10.0.0.20');
  const results: [number | undefined, string][] = [];
  const client = new DateClient(port, options.server ?? 'date.test', time.nowMs, (unixMs, code) => results.push([unixMs, code]));
  const made: Scene = { time, network, port, client, results, request: '' };
  for (const tcpPort of [443, 8443]) {
    network.listen('10.0.0.20', tcpPort, (socket) => {
      const server = new FakeTlsServer(socket, options.alert);
      server.onPlaintext = (bytes) => {
        made.request += Buffer.from(bytes).toString();
        if (made.request.endsWith('\r\n\r\n')) serve(server);
      };
    });
  }
  port.wake = () => client.woke(time.nowMs);
  port.schedule(client.deadlineMs);
  client.open();
  return made;
}

const answers = (text: string) => (server: FakeTlsServer): void => server.write(Buffer.from(text, 'latin1'));
const OK = `HTTP/1.1 200 OK\r\nDate: ${DATE}\r\n\r\n`;

test('the date is told once, and TLS and TCP are closed', () => {
  const { time, network, port, results } = scene(answers(OK));
  time.advance(200);
  expect(results).toEqual([[UNIX_MS, '']]);
  expect([network.openCount, port.openTlsCount]).toEqual([0, 0]);
});

test.each([
  ['date.test', 'HEAD / HTTP/1.1\r\nHost: date.test\r\nConnection: close\r\n\r\n'],
  ['date.test:8443', 'HEAD / HTTP/1.1\r\nHost: date.test:8443\r\nConnection: close\r\n\r\n'],
])('the request to "%s" has no token and no identity [RFC 9110, 7.2]', (server, request) => {
  const made = scene(answers(OK), { server });
  made.time.advance(200);
  expect(made.request).toBe(request);
  expect(made.results).toEqual([[UNIX_MS, '']]);
});

test('an answer in pieces of any size is read', () => {
  for (let size = 1; size < OK.length; size++) {
    const { time, results } = scene((server) => {
      for (let at = 0; at < OK.length; at += size) server.write(Buffer.from(OK.slice(at, at + size)));
    });
    time.advance(200);
    expect(results).toEqual([[UNIX_MS, '']]);
  }
});

test('a head of 4096 bytes is read, of one more is refused', () => {
  const head = (length: number): string => {
    const rest = `HTTP/1.1 200 OK\r\nDate: ${DATE}\r\nX-Pad: `;
    return `${rest}${'x'.repeat(length - rest.length - 4)}\r\n\r\n`;
  };
  for (const [length, result] of [[4096, [UNIX_MS, '']], [4097, [undefined, 'ERR_PROTOCOL']]] as const) {
    const { time, results, port } = scene(answers(head(length)));
    time.advance(200);
    expect(results).toEqual([result]);
    expect(port.openTlsCount).toBe(0);
  }
});

describe('no date is', () => {
  test.each<[string, string]>([
    ['an answer without one', 'HTTP/1.1 200 OK\r\nServer: x\r\n\r\n'],
    ['one that is malformed', 'HTTP/1.1 200 OK\r\nDate: now\r\n\r\n'],
    ['two that differ', `HTTP/1.1 200 OK\r\nDate: ${DATE}\r\nDate: Mon, 23 Nov 2026 00:00:00 GMT\r\n\r\n`],
    ['bytes that are no HTTP', '\u0000\u00ff\u0001\r\n\r\n'],
    ['a body without end', 'x'.repeat(5000)],
  ])('%s: ERR_PROTOCOL', (_name, text) => {
    const { time, results } = scene(answers(text));
    time.advance(200);
    expect(results).toEqual([[undefined, 'ERR_PROTOCOL']]);
  });

  test.each<[string, (made: { alert?: string | null; server?: string; serve?: (server: FakeTlsServer) => void }) => Scene, string, number]>([
    ['a certificate that is not trusted', () => scene(answers(OK), { alert: 'ERR_TLS_UNTRUSTED_ISSUER' }), 'ERR_TLS_UNTRUSTED_ISSUER', 200],
    ['a host without an address', () => scene(answers(OK), { server: 'nowhere.test' }), 'ERR_DNS', 0],
    ['a port where nobody listens', () => scene(answers(OK), { server: 'date.test:444' }), 'ERR_TCP', 200],
    ['silence in TLS', () => scene(answers(OK), { alert: null }), 'ERR_TIMEOUT', 15_000],
    ['silence after the request', () => scene(() => {}), 'ERR_TIMEOUT', 15_000],
    ['half an answer', () => scene(answers('HTTP/1.1 200 OK\r\nDate: ')), 'ERR_TIMEOUT', 15_000],
    ['close_notify before the end of the head', () => scene((server) => server.close()), 'ERR_LINK_ENDED', 200],
    ['a connection that ends', () => scene((server) => server.drop()), 'ERR_LINK_LOST', 200],
    ['garbage on the wire', () => scene((server) => server.writeGarbage()), 'ERR_TLS_PROTOCOL', 200],
  ])('%s', (_name, make, code, afterMs) => {
    const { time, results, network, port } = make({});
    time.advance(afterMs);
    expect(results).toEqual([[undefined, code]]);
    time.advance(60_000);
    expect([results.length, network.openCount, port.openTlsCount]).toEqual([1, 0, 0]);
  });
});

test('closed, it says nothing more and leaves nothing open', () => {
  for (let atMs = 0; atMs < 120; atMs += 5) {
    const { time, client, results, network, port } = scene(answers(OK));
    time.advance(atMs);
    const before = results.length;
    client.close();
    time.advance(60_000);
    expect([results.length, network.openCount, port.openTlsCount]).toEqual([before, 0, 0]);
  }
});
