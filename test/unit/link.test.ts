import { expect, test } from '@jest/globals';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Link, type LinkConnection, type LinkEnd } from '../../host-sim/time/link.ts';
import { realClock } from '../../host-sim/time/real-clock.ts';
import { openTcpProxy, type TcpProxy } from '../../host-sim/time/tcp-proxy.ts';
import { VirtualClock } from '../../host-sim/time/virtual-clock.ts';

/** A connection over a virtual link whose ends write down what reached them and when. */
function recordedConnection(delayMs: number): { clock: VirtualClock; link: Link; connection: LinkConnection; log: string[]; run(): void } {
  const clock = new VirtualClock(0);
  const link = new Link({ clock, delayMs });
  const log: string[] = [];
  const end = (name: string): LinkEnd => ({
    opened: () => log.push(`${clock.monotonicMs()} ${name} opened`),
    data: (bytes) => log.push(`${clock.monotonicMs()} ${name} ${Buffer.from(bytes).toString()}`),
    end: () => log.push(`${clock.monotonicMs()} ${name} end`),
    reset: () => log.push(`${clock.monotonicMs()} ${name} reset`),
  });
  const connection = link.connect(end('client'), end('server'));
  return { clock, link, connection, log, run: () => runUntil(clock, Infinity) };
}

function runUntil(clock: VirtualClock, untilMs: number): void {
  for (let nextMs = clock.nextDueMs(); nextMs <= untilMs && nextMs !== Infinity; nextMs = clock.nextDueMs()) {
    clock.jumpTo(nextMs);
    while (clock.fireDue());
  }
}

test('the first client bytes reach the server after three delays, later ones and the answers after one', () => {
  const { clock, connection, log, run } = recordedConnection(50);
  connection.dataFromClient(Buffer.from('hello'));
  clock.setTimer(150, () => connection.dataFromServer(Buffer.from('answer')));
  clock.setTimer(200, () => connection.dataFromClient(Buffer.from('more')));
  run();
  expect(log).toEqual(['100 client opened', '150 server opened', '150 server hello', '200 client answer', '250 server more']);
});

test('bytes and the end keep their order, and each direction ends by itself', () => {
  const { clock, link, connection, log, run } = recordedConnection(10);
  connection.dataFromClient(Buffer.from('a'));
  connection.dataFromClient(Buffer.from('b'));
  connection.endFromClient();
  connection.dataFromClient(Buffer.from('after the end'));
  clock.setTimer(40, () => connection.dataFromServer(Buffer.from('c')));
  clock.setTimer(41, () => connection.endFromServer());
  run();
  expect(log).toEqual(['20 client opened', '30 server opened', '30 server a', '30 server b', '30 server end', '50 client c', '51 client end']);
  expect(link.connectionCount).toBe(0);
});

test('ends that cross each other on the link both arrive', () => {
  const { clock, connection, log, run } = recordedConnection(10);
  clock.setTimer(40, () => connection.endFromServer());
  clock.setTimer(45, () => connection.endFromClient());
  run();
  expect(log.slice(2)).toEqual(['50 client end', '55 server end']);
});

test('a cut loses the bytes on their way and resets both ends at once', () => {
  const { clock, link, connection, log, run } = recordedConnection(10);
  clock.setTimer(40, () => {
    connection.dataFromClient(Buffer.from('lost'));
    connection.dataFromServer(Buffer.from('lost too'));
  });
  clock.setTimer(45, () => log.push(`cut ${link.cut()}`));
  clock.setTimer(60, () => connection.dataFromClient(Buffer.from('too late')));
  run();
  expect(log.slice(2)).toEqual(['45 client reset', '45 server reset', 'cut 1']);
});

test('a pause holds bytes and handshakes, and the resume lets all of them out in order', () => {
  const { clock, link, connection, log, run } = recordedConnection(10);
  clock.setTimer(5, () => link.pause());
  clock.setTimer(8, () => connection.dataFromClient(Buffer.from('held')));
  clock.setTimer(500, () => link.resume());
  run();
  expect(log).toEqual(['500 server opened', '500 server held', '500 client opened']);
});

test('a connection opened during a pause stays silent until the resume', () => {
  const clock = new VirtualClock(0);
  const link = new Link({ clock, delayMs: 10 });
  let openedMs = -1;
  const silent: LinkEnd = { data() {}, end() {}, reset() {} };
  link.pause();
  link.connect({ ...silent, opened: () => (openedMs = clock.monotonicMs()) }, silent);
  clock.setTimer(300, () => link.resume());
  runUntil(clock, Infinity);
  expect(openedMs).toBe(300);
});

test('a negative delay and one that is no number are refused', () => {
  expect(() => new Link({ clock: realClock, delayMs: -1 })).toThrow('delayMs: expected 0 or more, got -1');
  expect(() => new Link({ clock: realClock, delayMs: Number.NaN })).toThrow(RangeError);
});

/** An echo server behind a proxy over real sockets. */
async function echoBehindProxy(delayMs: number): Promise<{ link: Link; proxy: TcpProxy; close(): Promise<void> }> {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket).on('error', () => {}));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const link = new Link({ clock: realClock, delayMs });
  const proxy = await openTcpProxy(link, { address: '127.0.0.1', port: (server.address() as AddressInfo).port });
  return {
    link,
    proxy,
    async close() {
      await proxy.close();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function echoed(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

test('in real time the echo of the first bytes takes four delays at least, and a megabyte arrives unchanged', async () => {
  const { link, proxy, close } = await echoBehindProxy(20);
  const sent = Buffer.alloc(1024 * 1024, 'latchkey ');
  const startMs = performance.now();
  const socket = connect(proxy.port, proxy.address);
  socket.end(sent);
  expect((await echoed(socket)).equals(sent)).toBe(true);
  // Node counts in whole milliseconds: a timer may come up to one early.
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(4 * (20 - 1));
  expect(link.connectionCount).toBe(0);
  await close();
});

test('in real time a cut resets the client', async () => {
  const { link, proxy, close } = await echoBehindProxy(0);
  const socket = connect(proxy.port, proxy.address);
  const error = new Promise<NodeJS.ErrnoException>((resolve) => socket.once('error', resolve));
  socket.write('x');
  await new Promise((resolve) => socket.once('data', resolve));
  expect(link.cut()).toBe(1);
  expect((await error).code).toBe('ECONNRESET');
  await close();
});
