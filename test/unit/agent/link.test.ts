import { describe, expect, test } from '@jest/globals';

import { Link, type LinkOwner } from '../../../firmware/agent/link.ts';
import { FakeNetwork } from '../../fakes/fake-network.ts';
import { FakePort } from '../../fakes/fake-port.ts';
import { FakeTime } from '../../fakes/fake-time.ts';
import { FakeTlsServer } from '../../fakes/fake-tls.ts';

type Deed = (link: Link) => void;

/** An owner that notes what it is told, and does what the test says in between. */
class NotingOwner implements LinkOwner {
  readonly said: string[] = [];
  readonly received: number[] = [];
  onOpened: Deed = () => {};
  onReceived: Deed = () => {};
  onWritable: Deed = () => {};
  onClosed: Deed = () => {};

  linkOpened(link: Link): void {
    this.said.push('opened');
    this.onOpened(link);
  }

  linkReceived(link: Link, bytes: Uint8Array): void {
    this.received.push(...bytes);
    this.onReceived(link);
  }

  linkWritable(link: Link): void {
    this.onWritable(link);
  }

  linkClosed(link: Link, code: string): void {
    this.said.push(code);
    this.onClosed(link);
  }
}

function scene(options: { alert?: string | null; host?: string; roomBytes?: number } = {}) {
  const time = new FakeTime();
  const network = new FakeNetwork(time);
  network.roomBytes = options.roomBytes ?? 4096;
  network.name('peer.test', '10.0.0.5');
  const port = new FakePort(time, network);
  const owner = new NotingOwner();
  const link = new Link(port, { host: options.host ?? 'peer.test', port: 8883, resume: true }, owner);
  const servers: FakeTlsServer[] = [];
  const atServer: number[] = [];
  network.listen('10.0.0.5', 8883, (socket) => {
    const server = new FakeTlsServer(socket, options.alert);
    server.onPlaintext = (bytes) => atServer.push(...bytes);
    servers.push(server);
  });
  return { time, network, port, owner, link, servers, atServer };
}

test('a link opens, carries bytes both ways, and says goodbye', () => {
  const { time, owner, link, servers, atServer, network, port } = scene();
  link.open();
  expect(link.canSend).toBe(false);
  time.advance(200);
  expect([owner.said, link.canSend]).toEqual([['opened'], true]);
  link.send(Uint8Array.of(1, 2, 3));
  servers[0]?.write(Uint8Array.of(4, 5));
  time.advance(100);
  expect([atServer, owner.received]).toEqual([[1, 2, 3], [4, 5]]);
  link.close();
  time.advance(100);
  expect([owner.said, servers[0]?.hasCloseNotify, network.openCount, port.openTlsCount]).toEqual([['opened'], true, 0, 0]);
});

test.each<[string, Parameters<typeof scene>[0], (made: ReturnType<typeof scene>) => void, string[]]>([
  ['no address', { host: 'nowhere.test' }, () => {}, ['ERR_DNS']],
  ['a port that refuses', {}, ({ network }) => (network.refuses = true), ['ERR_TCP']],
  ['TLS that refuses', { alert: 'ERR_TLS_HOSTNAME' }, () => {}, ['ERR_TLS_HOSTNAME']],
  ['a resolver that throws', {}, ({ port }) => (port.resolve = fails), ['ERR_TEST']],
  ['a socket that throws', {}, ({ port }) => (port.openTcp = fails), ['ERR_TEST']],
  ['an engine that throws', {}, ({ port }) => (port.openTls = fails), ['ERR_TEST']],
  ['roots that throw', {}, ({ port }) => (port.roots = fails), ['ERR_TEST']],
  ['the end of TCP in the handshake', { alert: null }, ({ time, servers }) => time.after(100, () => servers[0]?.drop()), ['ERR_TLS_CLOSED']],
  ['the end of TCP', {}, ({ time, servers }) => time.after(150, () => servers[0]?.drop()), ['opened', 'ERR_LINK_LOST']],
  ['close_notify', {}, ({ time, servers }) => time.after(150, () => servers[0]?.close()), ['opened', 'ERR_LINK_ENDED']],
  ['a record that is none', {}, ({ time, servers }) => time.after(150, () => servers[0]?.writeGarbage()), ['opened', 'ERR_TLS_PROTOCOL']],
])('%s is told once, with its code, and nothing stays open', (_name, options, prepare, said) => {
  const made = scene(options);
  prepare(made);
  made.link.open();
  made.time.advance(1000);
  expect(made.owner.said).toEqual(said);
  made.link.close();
  made.link.close();
  made.link.send(Uint8Array.of(1));
  made.time.advance(1000);
  expect([made.owner.said, made.network.openCount, made.port.openTlsCount]).toEqual([said, 0, 0]);
});

describe('an owner that closes', () => {
  test.each(['onOpened', 'onReceived', 'onWritable', 'onClosed'] as const)('in %s hears nothing more', (callback) => {
    const { time, owner, link, servers, network, port } = scene();
    let calls = 0;
    owner[callback] = (mine) => {
      calls += 1;
      mine.close();
    };
    link.open();
    time.advance(100);
    if (callback === 'onWritable') link.send(Uint8Array.of(1));
    // Several pieces, of which the first ends it.
    servers[0]?.write(new Uint8Array(3000));
    servers[0]?.drop();
    time.advance(1000);
    expect(calls).toBe(1);
    expect([network.openCount, port.openTlsCount]).toEqual([0, 0]);
  });

  test('at any moment of the opening leaves nothing open', () => {
    for (let atMs = 0; atMs <= 100; atMs++) {
      const { time, owner, link, network, port } = scene();
      link.open();
      time.advance(atMs);
      const before = owner.said.length;
      link.close();
      time.advance(1000);
      expect([owner.said.length, network.openCount, port.openTlsCount]).toEqual([before, 0, 0]);
    }
  });
});

describe('a link with little room', () => {
  test.each([1, 2, 3, 7, 64, 4099, 5000])('for %d bytes at a time takes one packet, says when there is room again, and keeps every byte in order', (roomBytes) => {
    const { time, owner, link, atServer } = scene({ roomBytes });
    const packets = [1, 5000, 4096, 8192, 1, 12_289].map((length, i) => new Uint8Array(length).map((_, at) => (at * 7 + i) & 0xff));
    let next = 0;
    const send = (): void => {
      while (link.canSend && next < packets.length) {
        const packet = packets[next++];
        if (packet !== undefined) link.send(packet);
      }
    };
    owner.onOpened = send;
    owner.onWritable = send;
    link.open();
    time.advance(2_000_000);
    const expected = packets.flatMap((packet) => [...packet]);
    expect(atServer.length).toBe(expected.length);
    expect(atServer.every((byte, i) => byte === expected[i])).toBe(true);
  });

  test('takes more in the callback that says so', () => {
    const { time, owner, link, atServer } = scene({ roomBytes: 10 });
    link.open();
    time.advance(1000);
    let writable = 0;
    owner.onWritable = () => (writable += 1);
    link.send(new Uint8Array(100));
    expect(link.canSend).toBe(false);
    time.advance(1000);
    expect([atServer.length, link.canSend, writable > 0]).toEqual([100, true, true]);
  });
});

function fails(): never {
  throw Object.assign(new Error('the port is at fault'), { code: 'ERR_TEST' });
}
