import { expect, test } from '@jest/globals';
import { seededRandom } from '../../host-sim/time/seeded-random.ts';
import { VirtualClock } from '../../host-sim/time/virtual-clock.ts';

const START_MS = Date.UTC(2026, 0, 1);

function runAll(clock: VirtualClock): void {
  for (let nextMs = clock.nextDueMs(); nextMs !== Infinity; nextMs = clock.nextDueMs()) {
    clock.jumpTo(nextMs);
    while (clock.fireDue());
  }
}

test('a thousand timers set in random order fire by time, and in the order of setting at the same time', () => {
  const clock = new VirtualClock(START_MS);
  const random = seededRandom(7);
  const expected: { dueMs: number; order: number }[] = [];
  const fired: typeof expected = [];
  for (let order = 0; order < 1000; order++) {
    const timer = { dueMs: Math.floor(random() * 50), order };
    expected.push(timer);
    clock.setTimer(timer.dueMs, () => fired.push(timer));
  }
  expected.sort((a, b) => a.dueMs - b.dueMs || a.order - b.order);
  runAll(clock);
  expect(fired).toEqual(expected);
});

test('wall clock and monotonic clock move together by what was waited for', () => {
  const clock = new VirtualClock(START_MS);
  clock.setTimer(1500.5, () => {});
  clock.jumpTo(clock.nextDueMs());
  expect([clock.now() - START_MS, clock.monotonicMs()]).toEqual([1500.5, 1500.5]);
});

test('a cancelled timer neither fires nor holds time back, and cancelling again changes nothing', () => {
  const clock = new VirtualClock(START_MS);
  let fired = 0;
  const cancel = clock.setTimer(5, () => fired++);
  clock.setTimer(9, () => fired++);
  cancel();
  cancel();
  expect(clock.nextDueMs()).toBe(9);
  runAll(clock);
  expect([fired, clock.monotonicMs(), clock.nextDueMs()]).toEqual([1, 9, Infinity]);
});

test('a timer set by a timer without delay fires at the same moment', () => {
  const clock = new VirtualClock(START_MS);
  const times: number[] = [];
  clock.setTimer(3, () => clock.setTimer(-1, () => times.push(clock.monotonicMs())));
  runAll(clock);
  expect(times).toEqual([3]);
});

test('a jump back and a jump over a timer are refused', () => {
  const clock = new VirtualClock(START_MS);
  clock.setTimer(5, () => {});
  expect(() => clock.jumpTo(6)).toThrow('6 ms is after the timer due at 5 ms');
  clock.jumpTo(5);
  expect(() => clock.jumpTo(4)).toThrow('time would go back from 5 ms to 4 ms');
});

test('seeded numbers repeat with the seed, differ without it, and fill [0, 1) evenly', () => {
  const draw = (seed: number): number[] => Array.from({ length: 10_000 }, seededRandom(seed));
  const numbers = draw(1);
  expect(draw(1)).toEqual(numbers);
  expect(draw(2)).not.toEqual(numbers);
  const tenths = new Array<number>(10).fill(0);
  for (const number of numbers) tenths[Math.floor(number * 10)]! += 1;
  for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(150);
});
