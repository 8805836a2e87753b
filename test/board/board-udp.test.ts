import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';

import { afterEach, describe, expect, test } from '@jest/globals';

import { useBoard } from '../fakes/board-fixture.ts';

const QUEUE_DATAGRAMS = 6;
/** A guard against a hang, far above what a busy machine needs. */
const STOP_LIMIT_MS = 100_000;

describe('UDP and names', () => {
  const fixture = useBoard();
  const peers: Socket[] = [];

  afterEach(() => {
    for (const peer of peers.splice(0)) peer.close();
  });

  async function bind(answer: (peer: Socket, message: Buffer, port: number) => void): Promise<number> {
    const peer = createSocket('udp4');
    peers.push(peer);
    peer.on('message', (message, { port }) => answer(peer, message, port));
    await new Promise<void>((resolve) => peer.bind(0, '127.0.0.1', resolve));
    return peer.address().port;
  }

  test('a datagram goes out, and the answer says where it came from', async () => {
    const port = await bind((peer, message, from) => peer.send(`echo ${message.toString()}`, from, '127.0.0.1'));
    const { lines } = await fixture.run(`
      const udp = new UDP({ onReadable(count) {
        const datagram = this.read();
        print({ count, text: text(datagram), address: datagram.address, port: datagram.port, more: this.read() === undefined });
        this.close(); this.close(); board.exit(0);
      } });
      udp.write(bytes("time?"), "127.0.0.1", ${port});
    `);
    expect(lines).toEqual([{ count: 1, text: 'echo time?', address: '127.0.0.1', port, more: true }]);
  });

  test('what comes above the queue of six is lost', async () => {
    let toldAll = (): void => {};
    const allLeft = new Promise<void>((resolve) => (toldAll = resolve));
    let left = 0;
    const port = await bind((peer, _message, from) => {
      for (let index = 0; index < 20; index++) peer.send(String(index), from, '127.0.0.1', () => ++left === 20 && toldAll());
    });
    const lines: unknown[] = [];
    // On loopback what has left is there. The second timer is set by the first: between them the board takes what is there, however long it slept.
    const board = await fixture.startAndWait(
      `
      const seen = [];
      const udp = new UDP({ onReadable() {} });
      udp.write(bytes("?"), "127.0.0.1", ${port});
      const read = () => { for (let datagram; (datagram = udp.read()) !== undefined;) seen.push(text(datagram)); print({ count: seen.length, first: seen[0] }); board.exit(0); };
      board.onStop = () => timer.set(() => timer.set(read, 20), 20);
      print({ asked: true });
    `,
      (line) => lines.push(line),
    );
    await allLeft;
    await board.stop(STOP_LIMIT_MS);
    expect(lines.slice(0, 2)).toEqual([{ asked: true }, { count: QUEUE_DATAGRAMS, first: '0' }]);
  });

  test('a name of --hosts is answered from the table, in any case of letters, and never from within resolve', async () => {
    const { lines } = await fixture.run(
      `
      const events = [];
      const resolver = new Resolver({ servers: [] });
      const heard = (host, address) => { if (events.push([host, address]) === 4) { print({ events }); board.exit(0); } };
      const ask = (host) => resolver.resolve({ host, onResolved: heard, onError: () => heard(host, null) });
      ask("hub.example"); ask("HUB.example"); ask("192.0.2.7");
      events.push("asked");
    `,
      { hosts: { 'hub.example': '127.0.0.9' } },
    );
    expect(lines).toEqual([{ events: ['asked', ['hub.example', '127.0.0.9'], ['HUB.example', '127.0.0.9'], ['192.0.2.7', '192.0.2.7']] }]);
  });

  test('the system answers other names; one that cannot exist gives onError', async () => {
    const { lines } = await fixture.run(`
      const seen = {};
      const done = (host, address) => { seen[host] = address; if (Object.keys(seen).length === 2) { print(seen); board.exit(0); } };
      for (const host of ["localhost", "no such name.invalid"]) {
        new Resolver().resolve({ host, onResolved: done, onError: () => done(host, null) });
      }
    `);
    expect(lines).toEqual([{ localhost: '127.0.0.1', 'no such name.invalid': null }]);
  });

  test('a closed resolver tells nothing more', async () => {
    const { lines } = await fixture.run(
      `
      const events = [];
      const resolver = new Resolver();
      resolver.resolve({ host: "hub.example", onResolved: () => { events.push("first"); resolver.close(); timer.set(tell, 50); }, onError: () => {} });
      resolver.resolve({ host: "hub.example", onResolved: () => events.push("second"), onError: () => events.push("error") });
      const tell = () => { print({ events, again: caught(() => resolver.resolve({ host: "x" })).error }); board.exit(0); };
    `,
      { hosts: { 'hub.example': '127.0.0.9' } },
    );
    expect(lines).toEqual([{ events: ['first'], again: 'Error: Resolver: closed' }]);
  });
});
