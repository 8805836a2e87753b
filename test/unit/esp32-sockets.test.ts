import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { SdkTcp, type TcpModules } from '../../firmware/ports/esp32/tcp.ts';
import { SdkUdp } from '../../firmware/ports/esp32/udp.ts';
import { FakeNetwork, type ServerSocket } from '../fakes/fake-network.ts';
import { FakeTime } from '../fakes/fake-time.ts';
import { makeTcp, makeUdp, type SocketWorld } from '../fakes/sdk/fake-sdk-sockets.ts';

const ADDRESS = '10.0.0.1';

let time: FakeTime;
let world: SocketWorld;
let server: ServerSocket | undefined;
let faults: unknown[];
let aborts: unknown[];
let log: string[];

beforeEach(() => {
  time = new FakeTime();
  const network = new FakeNetwork(time);
  aborts = [];
  faults = [];
  log = [];
  world = { time, network, abort: (error) => void aborts.push(error), freeSockets: 2 };
  network.listen(ADDRESS, 8883, (socket) => (server = socket));
});

afterEach(() => expect(aborts).toEqual([]));

const timer = { set: (callback: () => void, delayMs = 0) => time.after(delayMs, callback) };

function open(onReadable: (socket: SdkTcp, byteCount: number) => void = () => {}, address = ADDRESS): SdkTcp {
  const modules = { TCP: makeTcp(world), Timer: timer } as unknown as TcpModules;
  const socket: SdkTcp = new SdkTcp({
    address, port: 8883,
    onReadable: (byteCount) => {
      log.push(`readable ${byteCount}`);
      onReadable(socket, byteCount);
    },
    onWritable: () => log.push('writable'),
    onError: () => log.push('error'),
  }, modules, (error) => void faults.push(error));
  return socket;
}

describe('a TCP socket of the SDK, as the agent has it,', () => {
  test('gives what waits when more is asked for, and nothing when nothing waits', () => {
    const sizes: (number | undefined)[] = [];
    open((socket) => {
      sizes.push(socket.read(1000)?.byteLength, socket.read(1000)?.byteLength);
    });
    time.advance(100);
    server?.write(Buffer.alloc(300));
    time.advance(100);
    expect(sizes).toEqual([300, undefined]);
  });

  test('tells what a reader left, until it has read all', () => {
    let total = 0;
    open((socket) => {
      total += socket.read(100)?.byteLength ?? 0;
    });
    time.advance(100);
    server?.write(Buffer.alloc(250));
    time.advance(100);
    expect([total, log.filter((line) => line.startsWith('readable'))]).toEqual([250, ['readable 250', 'readable 150', 'readable 50']]);
  });

  test('is not told again to a reader that reads nothing', () => {
    open();
    time.advance(100);
    server?.write(Buffer.alloc(250));
    time.advance(10_000);
    expect(log.filter((line) => line.startsWith('readable'))).toEqual(['readable 250']);
  });

  test.each([['no socket is left', ADDRESS, 0], ['the address is none', 'hub.test', 2]])('fails after its constructor when %s', (_, address, free) => {
    world.freeSockets = free;
    const socket = open(undefined, address);
    expect(log).toEqual([]);
    time.advance(0);
    expect([log, socket.read(), socket.write(new Uint8Array(1))]).toEqual([['error'], undefined, 0]);
  });

  test('fails, once, when a write is more than there is room for, and never throws', () => {
    const socket = open();
    time.advance(100);
    expect(socket.write(Buffer.alloc(100_000))).toBe(0);
    expect(socket.write(Buffer.alloc(100_000))).toBe(0);
    time.advance(100);
    expect(log).toEqual(['writable', 'error']);
  });

  test('says nothing after close, which may come twice', () => {
    const socket = open();
    time.advance(100);
    server?.write(Buffer.alloc(10));
    socket.close();
    socket.close();
    time.advance(100);
    expect([log, world.freeSockets, socket.read(), socket.write(new Uint8Array(1))]).toEqual([['writable'], 2, undefined, 0]);
  });

  test('hands an exception of its owner over, instead of the machine', () => {
    open(() => {
      throw new Error('ours');
    });
    time.advance(100);
    server?.write(Buffer.alloc(10));
    time.advance(100);
    expect(faults).toEqual([new Error('ours')]);
  });
});

test('a UDP socket of the SDK can be closed twice, and gives nothing afterwards', () => {
  const socket = new SdkUdp({ onReadable: () => log.push('packet'), onError: () => {} }, makeUdp(world) as never, (error) => void faults.push(error));
  world.network.injectDatagram(Buffer.from('x'), ADDRESS, 1);
  expect([log, socket.read()?.byteLength]).toEqual([['packet'], 1]);
  socket.close();
  socket.close();
  world.network.injectDatagram(Buffer.from('x'), ADDRESS, 1);
  expect([log, socket.read(), faults]).toEqual([['packet'], undefined, []]);
});
