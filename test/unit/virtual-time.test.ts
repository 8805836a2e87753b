import { expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { Link } from '../../host-sim/time/link.ts';
import { seededRandom } from '../../host-sim/time/seeded-random.ts';
import { VirtualClock } from '../../host-sim/time/virtual-clock.ts';
import { VirtualNetwork, type VirtualServices } from '../../host-sim/time/virtual-network.ts';
import { VirtualTime } from '../../host-sim/time/virtual-time.ts';
import { FakeBoard, type FakeBoardApi } from '../fakes/fake-board.ts';

const START_MS = Date.UTC(2026, 5, 1);
const HUB = '10.0.0.1:8883';

interface World {
  readonly clock: VirtualClock;
  readonly link: Link;
  readonly time: VirtualTime;
  readonly log: string[];
  addBoard(name: string, program: (api: FakeBoardApi) => void): { board: FakeBoard; stop(): void };
}

function makeWorld(delayMs: number, services: Partial<VirtualServices> = {}): World {
  const clock = new VirtualClock(START_MS);
  const link = new Link({ clock, delayMs });
  const network = new VirtualNetwork(link, { tcp: new Map(), udp: new Map(), names: new Map(), ...services });
  const time = new VirtualTime(clock, network);
  const log: string[] = [];
  return {
    clock,
    link,
    time,
    log,
    addBoard(name, program) {
      const board = new FakeBoard(program);
      const handle = time.addBoard(board, { onLine: (text) => log.push(`${clock.monotonicMs()} ${name} ${text}`), onClosed: () => log.push(`${clock.monotonicMs()} ${name} closed`) });
      return { board, stop: handle.stop };
    },
  };
}

const forever = (): boolean => false;

test('time jumps over a year of nothing, and the wall clock with it', async () => {
  const world = makeWorld(0);
  const yearMs = 365 * 24 * 3600 * 1000;
  world.addBoard('a', (api) => api.setTimer(yearMs, () => api.print(new Date(api.wallMs).toISOString())));
  expect(await world.time.run(forever)).toBe(false);
  expect(world.log).toEqual([`${yearMs} a 2027-06-01T00:00:00.000Z`]);
});

test('an open connection, its bytes and its end arrive when a link of 50 ms delivers them', async () => {
  const world = makeWorld(50, {
    tcp: new Map([[HUB, (socket) => void socket.on('data', (bytes: Buffer) => {
      world.log.push(`${world.clock.monotonicMs()} hub ${bytes.toString()}`);
      socket.end('answer');
    })]]),
  });
  world.addBoard('a', (api) => {
    const socket = api.connect('10.0.0.1', 8883);
    socket.on('connect', () => (api.print('connected'), socket.write('question')));
    socket.on('data', (bytes: Buffer) => api.print(bytes.toString()));
    socket.on('end', () => api.print('end'));
  });
  await world.time.run(forever);
  expect(world.log).toEqual(['100 a connected', '150 hub question', '200 a answer', '200 a end']);
  expect(world.link.connectionCount).toBe(0);
});

test('a port where nothing listens refuses after a round trip', async () => {
  const world = makeWorld(50);
  world.addBoard('a', (api) => api.connect('10.0.0.1', 1).on('error', (error) => api.print(error.message)));
  await world.time.run(forever);
  expect(world.log).toEqual(['100 a tcp-failed']);
});

test('a cut reaches the board as a failed connection and the server as a reset', async () => {
  const world = makeWorld(10, {
    tcp: new Map([[HUB, (socket) => void socket.on('error', (error: NodeJS.ErrnoException) => world.log.push(`${world.clock.monotonicMs()} hub ${error.code}`))]]),
  });
  world.addBoard('a', (api) => api.connect('10.0.0.1', 8883).on('error', (error) => api.print(error.message)));
  world.clock.setTimer(1000, () => void world.link.cut());
  await world.time.run(forever);
  expect(world.log.sort()).toEqual(['1000 a tcp-failed', '1000 hub ECONNRESET']);
});

test('datagrams and names take a round trip, unknown names come back empty, and a paused link loses datagrams', async () => {
  const world = makeWorld(20, {
    udp: new Map([['10.0.0.2:123', (request) => Buffer.from(request).reverse()]]),
    names: new Map([['time.test', '10.0.0.2']]),
  });
  world.addBoard('a', (api) => {
    api.resolve('nowhere.test', (address) => api.print(`nowhere [${address}]`));
    api.resolve('time.test', (address) => api.sendDatagram(address, 123, Buffer.from('abc'), (bytes) => {
      api.print(Buffer.from(bytes).toString());
      world.link.pause();
      api.sendDatagram(address, 123, Buffer.from('abc'), () => api.print('not lost'));
    }));
  });
  await world.time.run(forever);
  expect(world.log).toEqual(['40 a nowhere []', '80 a cba']);
});

test('a board that is gone takes its timers and connections with it', async () => {
  const ended: number[] = [];
  const world = makeWorld(5, { tcp: new Map([[HUB, (socket) => void socket.resume().on('end', () => ended.push(world.clock.monotonicMs()))]]) });
  world.addBoard('a', (api) => {
    api.connect('10.0.0.1', 8883);
    api.setTimer(100, () => api.exit());
    api.setTimer(200, () => api.print('still here'));
  });
  await world.time.run(forever);
  expect([world.log, ended]).toEqual([['100 a closed'], [105]]);
});

test('a request to stop reaches the board at the moment at which it was made', async () => {
  const world = makeWorld(0);
  const a = world.addBoard('a', (api) => {
    a.board.onStop = () => (api.print('stopping'), api.exit());
    api.setTimer(500, () => api.print('not reached'));
  });
  world.clock.setTimer(70, () => a.stop());
  await world.time.run(forever);
  expect(world.log).toEqual(['70 a stopping', '70 a closed']);
});

test('a board that wakes itself without a delay again and again is reported instead of waited for without end', async () => {
  const world = makeWorld(0);
  const spin = (): void => void world.clock.setTimer(0, spin);
  spin();
  await expect(world.time.run(forever)).rejects.toThrow('time stands still at 0 ms');
});

const folder = mkdtempSync(join(tmpdir(), 'latchkey-virtual-time-'));
execFileSync('openssl', [
  'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost',
  '-addext', 'subjectAltName=DNS:localhost', '-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem'),
], { stdio: 'ignore' });
const key = readFileSync(join(folder, 'key.pem'));
const cert = readFileSync(join(folder, 'cert.pem'));
rmSync(folder, { recursive: true });

/** Three boards that talk TLS with one server at jittered times over a link that is cut now and then. */
async function busyRun(seed: number): Promise<string[]> {
  const server = tls.createServer({ key, cert }, (socket) => {
    world.log.push(`${world.clock.monotonicMs()} hub secured ${socket.isSessionReused()}`);
    socket.on('data', (bytes: Buffer) => {
      world.log.push(`${world.clock.monotonicMs()} hub ${bytes.toString()}`);
      socket.write(`ack ${bytes.toString()}`);
    });
    socket.on('end', () => world.log.push(`${world.clock.monotonicMs()} hub end`));
    socket.on('error', () => {});
  });
  const world = makeWorld(12.5, { tcp: new Map([[HUB, (socket) => void server.emit('connection', socket)]]) });
  for (const name of ['a', 'b', 'c']) {
    const random = seededRandom(seed * 31 + name.charCodeAt(0));
    world.addBoard(name, (api) => {
      let sent = 0;
      const open = (): void => {
        const socket = tls.connect({ socket: api.connect('10.0.0.1', 8883), ca: cert, servername: 'localhost' });
        const send = (): void => {
          if (socket.destroyed) return;
          socket.write(`${name}${sent++}`);
          api.setTimer(1000 * random(), send);
        };
        socket.on('secureConnect', send);
        socket.on('data', (bytes: Buffer) => api.print(bytes.toString()));
        socket.on('error', (error) => api.print(`lost: ${error.message}`));
        socket.on('close', () => api.setTimer(500 + 1000 * random(), open));
      };
      open();
    });
  }
  const random = seededRandom(seed);
  for (let i = 0; i < 5; i++) world.clock.setTimer(60_000 * random(), () => void world.link.cut());
  await world.time.run(() => world.clock.monotonicMs() >= 60_000);
  return world.log;
}

test('the same seed gives the same log, event for event and moment for moment, and another seed another one', async () => {
  const first = await busyRun(1);
  expect(first.filter((line) => line.includes('ack')).length).toBeGreaterThan(250);
  expect(first.filter((line) => line.includes('lost')).length).toBeGreaterThanOrEqual(9);
  expect(await busyRun(1)).toEqual(first);
  expect(await busyRun(2)).not.toEqual(first);
});
