import { describe, expect, test } from '@jest/globals';

import { useBoard } from '../fakes/board-fixture.ts';

const MAX_DELAY_MS = 2 ** 31 - 1;

/**
 * Timers whose order of time is looked at: on a busy machine the board may sleep until several of them are overdue together, and then they
 * run in the order in which they were set. Such an attempt shows nothing, and is made again. The delays differ by `HELD_UP_MS` at least.
 */
const HELD_UP_MS = 10;
const UNTIL_NOT_HELD_UP = `
  const attempt = (body) => {
    let heldUp = false;
    const set = (callback, delay = 0) => {
      const start = time.ticks;
      return timer.set(() => { if (((time.ticks - start) | 0) >= delay + ${HELD_UP_MS}) heldUp = true; callback(); }, delay);
    };
    body(set, (value) => {
      if (heldUp) return void timer.set(() => attempt(body), 100);
      print(value);
      board.exit(5);
    });
  };
`;

describe('timer and time', () => {
  const fixture = useBoard();

  test('timers run when they are due, not in the order in which they were set', async () => {
    const { lines, exit } = await fixture.run(`${UNTIL_NOT_HELD_UP}
      attempt((set, tell) => {
        const seen = [];
        set(() => { tell({ seen }); }, 60);
        set(() => seen.push(30), 30);
        set(() => seen.push(10), 10);
        set(() => seen.push(0));
        seen.push("load");
      });
    `);
    expect(lines).toEqual([{ seen: ['load', 0, 10, 30] }]);
    expect(exit.code).toBe(5);
  });

  test('of timers that are overdue together the one that was set first runs first, as in the SDK', async () => {
    const { lines } = await fixture.run(`
      const seen = [];
      timer.set(() => seen.push("later"), 5);
      timer.set(() => seen.push("sooner"), 1);
      const start = time.ticks;
      while (((time.ticks - start) | 0) < 20);
      timer.set(() => { print({ seen }); board.exit(0); }, 1);
    `);
    expect(lines).toEqual([{ seen: ['later', 'sooner'] }]);
  });

  test('a cleared timer does not run, and clearing what is no timer any more does nothing', async () => {
    const { lines } = await fixture.run(`
      let ran = false;
      const handle = timer.set(() => { ran = true; }, 5);
      timer.clear(handle);
      timer.clear(handle);
      timer.clear(undefined);
      timer.set(() => { print({ ran }); board.exit(0); }, 20);
    `);
    expect(lines).toEqual([{ ran: false }]);
  });

  test('schedule moves a timer; one that has fired cannot be scheduled, not even by its own callback', async () => {
    const { lines } = await fixture.run(`${UNTIL_NOT_HELD_UP}
      attempt((set, tell) => {
        const seen = [];
        const moved = timer.set(() => seen.push("moved"), 1);
        timer.schedule(moved, 40);
        const own = set(() => seen.push(caught(() => timer.schedule(own, 1)).error), 2);
        set(() => { seen.push("middle"); seen.push(caught(() => timer.schedule(own, 1)).error); }, 20);
        set(() => { tell({ seen }); }, 60);
      });
    `);
    const refusal = 'Error: timer.schedule: this timer has fired or was cleared: set a new one';
    expect(lines).toEqual([{ seen: [refusal, 'middle', refusal, 'moved'] }]);
  });

  test('a delay above 2^31 - 1 ms is refused, one of exactly that much is taken', async () => {
    const { lines } = await fixture.run(`
      print({ most: typeof caught(() => timer.set(() => {}, ${MAX_DELAY_MS})).value, more: caught(() => timer.set(() => {}, ${MAX_DELAY_MS + 1})) });
      print({ never: caught(() => timer.set(() => {}, Infinity)), nothing: caught(() => timer.set()) });
      board.exit(0);
    `);
    const refusal = { error: 'RangeError: timer: a delay is at most 2147483647 ms: count long times in steps' };
    expect(lines).toEqual([
      { most: 'object', more: refusal },
      { never: refusal, nothing: { error: 'TypeError: timer.set: not a function' } },
    ]);
  });

  test('ticks start one minute before the signed 32-bit wrap', async () => {
    const { lines } = await fixture.run('print({ ticks: time.ticks }); board.exit(0);');
    const ticks = lines[0]?.['ticks'] as number;
    expect(ticks).toBeGreaterThanOrEqual(2 ** 31 - 60_000);
    expect(ticks).toBeLessThan(2 ** 31 - 50_000);
  });

  test('the wall clock starts where --wall says, and time.set moves it', async () => {
    const { lines } = await fixture.run(
      `
      const before = Date.now();
      time.set(2000000000);
      print({ before, after: Date.now(), text: new Date(Date.now() - Date.now() % 60000).toISOString(), refused: caught(() => time.set(1.5)).error });
      board.exit(0);
    `,
      { wallMs: 1_000_000_000_000 },
    );
    const { before, after, text, refused } = lines[0] as unknown as { before: number; after: number; text: string; refused: string };
    expect(before - 1_000_000_000_000).toBeGreaterThanOrEqual(0);
    expect(before - 1_000_000_000_000).toBeLessThan(5000);
    expect(after - 2_000_000_000_000).toBeGreaterThanOrEqual(0);
    expect(after - 2_000_000_000_000).toBeLessThan(5000);
    expect(text).toBe('2033-05-18T03:33:00.000Z');
    expect(refused).toBe('RangeError: time.set: whole seconds since 1970 expected');
  });

  test('without --wall the clock is the system clock', async () => {
    const { lines } = await fixture.run('print({ now: Date.now() }); board.exit(0);');
    expect(Math.abs(Date.now() - (lines[0]?.['now'] as number))).toBeLessThan(10_000);
  });

  test('Math.random and board.random are the same numbers for the same seed, and others for another', async () => {
    const script = 'print({ numbers: [Math.random(), board.random(), Math.random()] }); board.exit(0);';
    const [first, same, other, free] = await Promise.all([
      fixture.run(script, { seed: 7 }),
      fixture.run(script, { seed: 7 }),
      fixture.run(script, { seed: 8 }),
      fixture.run(script),
    ]);
    expect(same?.lines).toEqual(first?.lines);
    expect(other?.lines).not.toEqual(first?.lines);
    expect(free?.lines).not.toEqual(first?.lines);
    for (const number of first?.lines[0]?.['numbers'] as number[]) expect(number >= 0 && number < 1).toBe(true);
  });
});
