import { expect, test } from '@jest/globals';

import { Monotonic } from '../../../../firmware/agent/clock/monotonic.ts';
import { MAX_TIMER_MS } from '../../../../firmware/agent/limits.ts';
import { seededRandom } from '../../../../host-sim/time/seeded-random.ts';

test.each([0, -60_000, 2 ** 31 - 1, -(2 ** 31), 2 ** 31 - 60_000])('starts at 0 wherever the ticks are: %d', (start) => {
  expect(new Monotonic(() => start).nowMs()).toBe(0);
});

test('goes on across the 32-bit wrap', () => {
  let ticks = 2 ** 31 - 60_000;
  const monotonic = new Monotonic(() => ticks);
  ticks = 2 ** 31 - 1;
  expect(monotonic.nowMs()).toBe(59_999);
  ticks = -(2 ** 31);
  expect(monotonic.nowMs()).toBe(60_000);
  ticks = -(2 ** 31) + 5;
  expect(monotonic.nowMs()).toBe(60_005);
});

test('counts ten years right when it is read once in the longest timer', () => {
  const random = seededRandom(1);
  let trueMs = 2 ** 31 - 60_000;
  const start = trueMs;
  const monotonic = new Monotonic(() => trueMs | 0);
  while (trueMs - start < 10 * 365 * 86_400_000) {
    trueMs += random() < 0.5 ? MAX_TIMER_MS : Math.floor(random() * MAX_TIMER_MS);
    const expected = trueMs - start;
    if (monotonic.nowMs() !== expected) throw new Error(`${expected} ms expected`);
  }
  expect(monotonic.nowMs()).toBe(trueMs - start);
});
