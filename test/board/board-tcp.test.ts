import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

import { afterEach, describe, expect, test } from '@jest/globals';

import { useBoard } from '../fakes/board-fixture.ts';

const SEND_WINDOW_BYTES = 5744;
const RECEIVE_WINDOW_BYTES = 5744;
/** From the event that is expected on: nothing depends on when it comes, only a second one would have to come within this. */
const SECOND_ERROR_MS = 80;

describe('embedded:io/socket/tcp against servers of Node', () => {
  const fixture = useBoard();
  const servers: Server[] = [];

  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  async function listen(onSocket: (socket: Socket) => void): Promise<number> {
    const server = createServer((socket) => {
      socket.on('error', () => {}); // a board that ends resets what it has not read
      onSocket(socket);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  /** A server that keeps what comes; `streams` waits for the ends of so many connections. */
  async function collect(): Promise<{ port: number; streams(count: number): Promise<Buffer[]> }> {
    const ended: Promise<Buffer>[] = [];
    let came = (): void => {};
    const port = await listen((socket) => {
      const chunks: Buffer[] = [];
      socket.on('data', (bytes) => chunks.push(bytes));
      ended.push(new Promise((resolve) => socket.once('close', () => resolve(Buffer.concat(chunks)))));
      came();
    });
    return {
      port,
      async streams(count) {
        while (ended.length < count) await new Promise<void>((resolve) => (came = resolve));
        return Promise.all(ended);
      },
    };
  }

  test('it connects, writes after onWritable, and reads the answer', async () => {
    const port = await listen((socket) => socket.on('data', (bytes) => socket.end(`echo ${bytes.toString()}`)));
    const { lines } = await fixture.run(`
      const events = [];
      let reply = "";
      const tcp = new TCP({
        address: "127.0.0.1", port: ${port},
        onWritable(count) { if (events.length === 0) { events.push(count); events.push(this.write(bytes("hello"))); } },
        onReadable(count) { reply += text(this.read(count)); },
        onError() { print({ events, reply, same: this === tcp }); board.exit(0); },
      });
      events.length === 0 || events.push("delivered from the constructor");
    `);
    expect(lines).toEqual([{ events: [SEND_WINDOW_BYTES, SEND_WINDOW_BYTES - 5], reply: 'echo hello', same: true }]);
  });

  test('a refused connection gives exactly one onError and nothing else', async () => {
    const port = await listen(() => {});
    servers.splice(0).forEach((server) => server.close());
    const { lines } = await fixture.run(`
      const events = [];
      const tcp = new TCP({
        address: "127.0.0.1", port: ${port},
        onWritable() { events.push("writable"); }, onReadable() { events.push("readable"); },
        onError() { if (events.push("error") === 1) timer.set(tell, ${SECOND_ERROR_MS}); },
      });
      const tell = () => { print({ events, write: caught(() => tcp.write(bytes("x"))) }); tcp.close(); tcp.close(); board.exit(0); };
    `);
    expect(lines).toEqual([{ events: ['error'], write: { error: 'Error: TCP.write: not connected' } }]);
  });

  test('the end of the stream is told once, and only when all that came before was read', async () => {
    const port = await listen((socket) => socket.end('last words'));
    const { lines } = await fixture.run(`
      const events = [];
      const tcp = new TCP({ address: "127.0.0.1", port: ${port},
        onReadable(count) { events.push(count); timer.set(() => { events.push("reads " + text(tcp.read(4)) + "|" + text(tcp.read())); }, ${SECOND_ERROR_MS}); },
        onError() { if (events.push("error") === 3) timer.set(() => { print({ events }); board.exit(0); }, ${SECOND_ERROR_MS}); } });
    `);
    expect(lines).toEqual([{ events: [10, 'reads last| words', 'error'] }]);
  });

  test('a reset gives one onError', async () => {
    const port = await listen((socket) => socket.on('data', () => socket.resetAndDestroy()));
    const { lines } = await fixture.run(`
      let errors = 0;
      new TCP({ address: "127.0.0.1", port: ${port}, onWritable() { this.write(bytes("x")); },
        onError() { if (++errors === 1) timer.set(() => { print({ errors }); board.exit(0); }, ${SECOND_ERROR_MS}); } });
    `);
    expect(lines).toEqual([{ errors: 1 }]);
  });

  test('a write above the window throws and sends nothing of it', async () => {
    const { port, streams } = await collect();
    const { lines } = await fixture.run(`
      let first = true;
      new TCP({ address: "127.0.0.1", port: ${port}, onWritable(count) {
        if (!first) return;
        first = false;
        print({ more: caught(() => this.write(new Uint8Array(count + 1))).error, most: this.write(new Uint8Array(count)), full: caught(() => this.write(bytes("x"))).error });
        this.close();
        board.exit(0);
      } });
    `);
    const refusal = 'Error: TCP.write: would block: stay within the count of onWritable';
    expect(lines).toEqual([{ more: refusal, most: 0, full: refusal }]);
    expect((await streams(1)).map((bytes) => bytes.length)).toEqual([SEND_WINDOW_BYTES]);
  });

  test('a large download comes in windows, and a timer runs meanwhile', async () => {
    const size = 1_000_000;
    const port = await listen((socket) => socket.end(Buffer.alloc(size, 'a')));
    const { lines, report } = await fixture.run(`
      let total = 0, most = 0, callbacks = 0;
      timer.set(() => print({ timerRan: true, early: total < ${size} }), 0);
      new TCP({ address: "127.0.0.1", port: ${port},
        onReadable(count) { callbacks++; most = Math.max(most, count); for (let piece; (piece = this.read(1024)) !== undefined;) total += piece.byteLength; },
        onError() { print({ total, most, enough: callbacks > 100 }); board.exit(0); } });
    `);
    expect(lines).toEqual([
      { timerRan: true, early: true },
      { total: size, most: RECEIVE_WINDOW_BYTES, enough: true },
    ]);
    expect(report?.heapBytes).toBeLessThan(32_768);
  });

  test('a sender that writes whenever it may does not starve the timers, and every byte arrives', async () => {
    const { port, streams } = await collect();
    const { lines } = await fixture.run(`
      let sent = 0, timerRan = false;
      new TCP({ address: "127.0.0.1", port: ${port}, onWritable(count) {
        if (sent === 0) timer.set(() => { timerRan = true; }, 30);
        if (timerRan && sent > ${SEND_WINDOW_BYTES}) {
          if (count === ${SEND_WINDOW_BYTES}) { this.close(); print({ sent }); board.exit(0); }
        } else if (count > 0) {
          this.write(new Uint8Array(count));
          sent += count;
        }
      } });
    `);
    const sent = lines[0]?.['sent'] as number;
    expect(sent).toBeGreaterThan(SEND_WINDOW_BYTES);
    expect((await streams(1)).map((bytes) => bytes.length)).toEqual([sent]);
  });

  test('what was written before close and before exit still leaves', async () => {
    const { port, streams } = await collect();
    await fixture.run(`new TCP({ address: "127.0.0.1", port: ${port}, onWritable() { this.write(bytes("one")); this.close(); timer.set(() => board.exit(0), 20); } });`);
    await fixture.run(`new TCP({ address: "127.0.0.1", port: ${port}, onWritable() { this.write(bytes("two")); board.exit(0); } });`);
    expect((await streams(2)).map(String)).toEqual(['one', 'two']);
  });

  test('nothing is delivered after close, and a closed socket refuses to be used', async () => {
    const port = await listen((socket) => socket.write('unasked'));
    const { lines } = await fixture.run(`
      const events = [];
      const tcp = new TCP({ address: "127.0.0.1", port: ${port},
        onWritable() { this.close(); timer.set(tell, ${SECOND_ERROR_MS}); }, onReadable() { events.push("readable"); }, onError() { events.push("error"); } });
      const tell = () => { print({ events, read: caught(() => tcp.read()).error, write: caught(() => tcp.write(bytes("x"))).error }); board.exit(0); };
    `);
    expect(lines).toEqual([{ events: [], read: 'Error: TCP: closed', write: 'Error: TCP: closed' }]);
  });

  test('what is no dotted address, no port or no socket is refused', async () => {
    const { lines } = await fixture.run(`
      print({
        name: caught(() => new TCP({ address: "localhost", port: 1 })).error,
        port: caught(() => new TCP({ address: "127.0.0.1", port: 70000 })).error,
        callback: caught(() => new TCP({ address: "127.0.0.1", port: 1, onError: 1 })).error,
        call: caught(() => TCP({ address: "127.0.0.1", port: 1 })).error,
        stranger: caught(() => TCP.prototype.read.call({})).error,
        udp: caught(() => { const udp = new UDP({}); try { return TCP.prototype.read.call(udp); } finally { udp.close(); } }).error,
      });
      board.exit(0);
    `);
    expect(lines).toEqual([
      {
        name: 'Error: TCP: invalid address: a dotted IPv4 address expected',
        port: 'RangeError: port: not a port',
        callback: 'TypeError: onError: not a function',
        call: 'TypeError: TCP: new TCP(options) expected',
        stranger: 'SyntaxError: C: xsGetHostData: no host object',
        udp: 'SyntaxError: C: xsGetHostData: invalid',
      },
    ]);
  });

  test('format "number" reads and writes single bytes', async () => {
    const port = await listen((socket) => socket.on('data', (bytes) => socket.end(bytes)));
    const { lines } = await fixture.run(`
      const seen = [];
      const tcp = new TCP({ address: "127.0.0.1", port: ${port},
        onWritable() { if (this.format === "buffer") { this.format = "number"; this.write(1); this.write(255); } },
        onReadable() { for (let byte; (byte = this.read()) !== undefined;) seen.push(byte); },
        onError() { print({ seen, other: caught(() => { tcp.format = "text"; }).error }); board.exit(0); } });
    `);
    expect(lines).toEqual([{ seen: [1, 255], other: 'RangeError: TCP.format: "buffer" or "number" expected' }]);
  });
});
