import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { parseBoardLine } from '../../host-sim/board/board.ts';
import type { DrivenBoard } from '../../host-sim/board/board.ts';
import type { BoardFrame, HostFrame } from '../../host-sim/board/driver-channel.ts';
import { useBoard } from '../fakes/board-fixture.ts';
import type { BoardFixture, FixtureOptions } from '../fakes/board-fixture.ts';

const WALL_MS = Date.UTC(2026, 0, 1);

/** Takes turns with a board as a driver does, one at a time. */
class Turns {
  readonly board: DrivenBoard;
  readonly lines: unknown[] = [];
  #frames: BoardFrame[] = [];
  #wake: (() => void) | undefined;

  constructor(fixture: BoardFixture, script: string, options?: FixtureOptions) {
    this.board = fixture.startDriven(script, options);
    this.board.channel.onFrame = (frame) => {
      if (frame.type === 'line') this.lines.push(parseBoardLine(frame.text));
      else this.#frames.push(frame);
      this.#wake?.();
    };
    this.board.channel.onClose = () => this.#wake?.();
    this.board.channel.send({ type: 'start', wallMs: WALL_MS });
  }

  /** What the board sent in its turn, lines apart; the last frame is `idle`, unless it ended. */
  async turn(nowMs: number, ...events: HostFrame[]): Promise<BoardFrame[]> {
    for (const event of events) this.board.channel.send(event);
    this.board.channel.send({ type: 'run', nowMs });
    return this.frames((frames) => frames.at(-1)?.type === 'idle');
  }

  async frames(until: (frames: readonly BoardFrame[]) => boolean): Promise<BoardFrame[]> {
    while (!until(this.#frames) && !this.board.channel.closed) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#frames.splice(0);
  }
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe('a board under a driver', () => {
  const fixture = useBoard();

  test('it does nothing before its first turn, and then says when it wants the next', async () => {
    const turns = new Turns(fixture, 'print({ up: time.ticks, now: Date.now() }); timer.set(() => print({ at: Date.now() }), 250);');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(turns.lines).toEqual([]);
    expect(await turns.turn(0)).toEqual([{ type: 'idle', wakeAtMs: 250 }]);
    expect(turns.lines).toEqual([{ up: 2 ** 31 - 60_000, now: WALL_MS }]);
    expect(await turns.turn(249)).toEqual([{ type: 'idle', wakeAtMs: 250 }]);
    expect(await turns.turn(250)).toEqual([{ type: 'idle', wakeAtMs: Infinity }]);
    expect(turns.lines.slice(1)).toEqual([{ at: WALL_MS + 250 }]);
    turns.board.kill();
  });

  test('ticks wrap after a minute, and their difference stays right', async () => {
    const turns = new Turns(fixture, 'const start = time.ticks; timer.set(() => print({ ticks: time.ticks, since: (time.ticks - start) | 0 }), 60001);');
    await turns.turn(0);
    await turns.turn(60_001);
    expect(turns.lines).toEqual([{ ticks: -(2 ** 31) + 1, since: 60_001 }]);
    turns.board.kill();
  });

  test('the wall clock follows the driver, also after time.set', async () => {
    const turns = new Turns(fixture, 'timer.set(() => time.set(1000), 100); timer.set(() => print({ now: Date.now() }), 2100);');
    await turns.turn(0);
    await turns.turn(100);
    await turns.turn(2100);
    expect(turns.lines).toEqual([{ now: 1_002_000 }]);
    turns.board.kill();
  });

  test('a connection is opened, carries bytes both ways in the same turn, and is closed', async () => {
    const turns = new Turns(
      fixture,
      `let got = "", greeted = false;
       new TCP({ address: "192.0.2.1", port: 8883,
         onWritable(count) { print({ count }); if (!greeted) this.write(bytes("hello")); greeted = true; },
         onReadable(count) { got += text(this.read(count)); if (got.length === 4) { this.write(bytes("bye")); this.close(); } } });`,
    );
    expect(await turns.turn(0)).toEqual([
      { type: 'tcp-open', id: 1, port: 8883, address: '192.0.2.1' },
      { type: 'idle', wakeAtMs: Infinity },
    ]);
    const connected = await turns.turn(100, { type: 'tcp-connected', id: 1 });
    expect(connected.map((frame) => (frame.type === 'tcp-write' ? `${frame.id} ${text(frame.bytes)}` : frame.type))).toEqual(['1 hello', 'idle']);
    // Connected, and again when the bytes had left.
    expect(turns.lines).toEqual([{ count: 5744 }, { count: 5744 }]);
    const answered = await turns.turn(200, { type: 'tcp-data', id: 1, bytes: Buffer.from('da') }, { type: 'tcp-data', id: 1, bytes: Buffer.from('ta') });
    expect(answered.map((frame) => (frame.type === 'tcp-write' ? text(frame.bytes) : frame.type))).toEqual(['bye', 'tcp-close', 'idle']);
    expect(await turns.turn(300, { type: 'tcp-data', id: 1, bytes: Buffer.from('late') })).toEqual([{ type: 'idle', wakeAtMs: Infinity }]);
    turns.board.kill();
  });

  test('data and the end in one turn: all is read before onError; more than a window comes in windows', async () => {
    const turns = new Turns(
      fixture,
      'let total = 0; const counts = []; new TCP({ address: "192.0.2.1", port: 1, onReadable(count) { counts.push(count); total += this.read().byteLength; }, onError() { print({ total, counts }); } });',
    );
    await turns.turn(0);
    await turns.turn(1, { type: 'tcp-connected', id: 1 }, { type: 'tcp-data', id: 1, bytes: Buffer.alloc(10_000) }, { type: 'tcp-closed', id: 1 });
    expect(turns.lines).toEqual([{ total: 10_000, counts: [5744, 4256] }]);
    turns.board.kill();
  });

  test.each<[string, HostFrame[]]>([
    ['refused', [{ type: 'tcp-failed', id: 1 }]],
    ['reset', [{ type: 'tcp-connected', id: 1 }, { type: 'tcp-failed', id: 1 }]],
    ['ended at once', [{ type: 'tcp-connected', id: 1 }, { type: 'tcp-closed', id: 1 }]],
    ['failed twice', [{ type: 'tcp-failed', id: 1 }, { type: 'tcp-failed', id: 1 }]],
  ])('a connection that is %s gives one onError', async (_how, events) => {
    const turns = new Turns(fixture, 'let errors = 0; new TCP({ address: "192.0.2.1", port: 1, onError() { errors++; } }); timer.set(() => print({ errors }), 10);');
    await turns.turn(0);
    await turns.turn(1, ...events);
    await turns.turn(10);
    expect(turns.lines).toEqual([{ errors: 1 }]);
    turns.board.kill();
  });

  test('a socket that closes itself in onReadable hears nothing of the end that came with the data', async () => {
    const turns = new Turns(
      fixture,
      'new TCP({ address: "192.0.2.1", port: 1, onReadable() { this.read(); this.close(); print({ closed: true }); }, onWritable() { print({ writable: true }); }, onError() { print({ error: true }); } });',
    );
    await turns.turn(0);
    await turns.turn(1, { type: 'tcp-connected', id: 1 }, { type: 'tcp-data', id: 1, bytes: Buffer.from('x') }, { type: 'tcp-closed', id: 1 });
    await turns.turn(2);
    expect(turns.lines).toEqual([{ closed: true }]);
    turns.board.kill();
  });

  test('a sender that never rests lets time pass', async () => {
    const turns = new Turns(fixture, 'new TCP({ address: "192.0.2.1", port: 1, onWritable(count) { this.write(new Uint8Array(count)); } });');
    await turns.turn(0);
    for (const nowMs of [10, 11, 12]) {
      const frames = await turns.turn(nowMs, ...(nowMs === 10 ? [{ type: 'tcp-connected', id: 1 } as const] : []));
      expect(frames.at(-1)).toEqual({ type: 'idle', wakeAtMs: nowMs + 1 });
      const sent = frames.reduce((sum, frame) => sum + (frame.type === 'tcp-write' ? frame.bytes.length : 0), 0);
      expect(sent).toBe(16 * 5744);
    }
    turns.board.kill();
  });

  test('datagrams and names go through the driver, but for those of --hosts', async () => {
    const turns = new Turns(
      fixture,
      `const udp = new UDP({ onReadable() { const d = this.read(); print({ text: text(d), from: d.address + ":" + d.port }); this.close(); } });
       udp.write(bytes("q"), "192.0.2.123", 123);
       for (const host of ["known.example", "asked.example", "lost.example", "liar.example"])
         new Resolver().resolve({ host, onResolved: (host, address) => print({ host, address }), onError: () => print({ lost: host }) });`,
      { hosts: { 'known.example': '192.0.2.9' } },
    );
    const frames = await turns.turn(0);
    expect(frames.map((frame) => ('bytes' in frame ? { ...frame, bytes: text(frame.bytes) } : frame))).toEqual([
      { type: 'udp-send', id: 1, address: '192.0.2.123', port: 123, bytes: 'q' },
      { type: 'resolve', id: 3, name: 'asked.example' },
      { type: 'resolve', id: 4, name: 'lost.example' },
      { type: 'resolve', id: 5, name: 'liar.example' },
      { type: 'idle', wakeAtMs: Infinity },
    ]);
    const answers = await turns.turn(
      5,
      { type: 'udp-data', id: 1, address: '192.0.2.123', port: 123, bytes: Buffer.from('a') },
      { type: 'resolved', id: 3, address: '192.0.2.10' },
      { type: 'resolved', id: 4, address: '' },
      { type: 'resolved', id: 5, address: 'not an address at all, but long' },
    );
    expect(answers).toEqual([{ type: 'udp-close', id: 1 }, { type: 'idle', wakeAtMs: Infinity }]);
    expect(turns.lines).toHaveLength(5);
    expect(turns.lines).toEqual(
      expect.arrayContaining([
        { host: 'known.example', address: '192.0.2.9' },
        { text: 'a', from: '192.0.2.123:123' },
        { host: 'asked.example', address: '192.0.2.10' },
        { lost: 'lost.example' },
        { lost: 'liar.example' },
      ]),
    );
    turns.board.kill();
  });

  test('stop runs onStop in the next turn; exit sends a report and ends', async () => {
    const turns = new Turns(fixture, 'board.onStop = () => timer.set(() => board.exit(4), 30);');
    await turns.turn(0);
    expect(await turns.turn(10, { type: 'stop' })).toEqual([{ type: 'idle', wakeAtMs: 40 }]);
    expect(await turns.turn(40)).toEqual([]);
    expect(turns.lines).toMatchObject([{ event: 'report' }]);
    expect((await turns.board.exited).code).toBe(4);
  });

  test('when the driver goes, onStop runs and the board ends', async () => {
    const device = fixture.newDevice();
    const turns = new Turns(fixture, 'board.onStop = () => storage.open({ path: "d", format: "string" }).write("stopped", "yes"); timer.set(() => {}, 1000);', { device });
    await turns.turn(0);
    turns.board.channel.close();
    expect((await turns.board.exited).code).toBe(0);
    expect(readFileSync(join(device, 'settings.kv'), 'utf8')).toBe(`d\tstopped\ts\t${Buffer.from('yes').toString('base64')}\n`);
  });

  test('report and dump are answered at once', async () => {
    const turns = new Turns(fixture, 'globalThis.kept = "planted-" + (1000 + 234);');
    await turns.turn(0);
    const path = join(fixture.folder, 'driven.dump');
    turns.board.channel.send({ type: 'report' });
    turns.board.channel.send({ type: 'dump', path });
    expect(await turns.frames((frames) => frames.length > 0)).toEqual([{ type: 'dumped' }]);
    expect(turns.lines).toMatchObject([{ event: 'report', bits: 64 }]);
    expect(readFileSync(path).includes('planted-1234')).toBe(true);
    turns.board.kill();
  });

  test('the same events give the same frames and figures, whatever the real time', async () => {
    const run = async (): Promise<unknown[]> => {
      const turns = new Turns(
        fixture,
        'let n = 0; const again = () => { n++; print({ n, r: Math.random(), now: Date.now(), units: board.computeUnits }); if (n === 50) board.exit(0); else timer.set(again, Math.floor(board.random() * 5000)); }; again();',
        { seed: 3 },
      );
      for (let frames = await turns.turn(0); ; ) {
        const last = frames.at(-1);
        if (last?.type !== 'idle') return turns.lines;
        frames = await turns.turn(last.wakeAtMs);
      }
    };
    const [first, second] = await Promise.all([run(), run()]);
    expect(first).toHaveLength(51);
    expect(second).toEqual(first);
  });

  test('a driver that sends what is no frame ends the board with code 3', async () => {
    const turns = new Turns(fixture, '');
    turns.board.channel.send({ type: 'dumped' } as unknown as HostFrame);
    expect(await turns.board.exited).toMatchObject({ code: 3, talk: 'board: the driver sent a frame of type 73\n' });
  });
});
