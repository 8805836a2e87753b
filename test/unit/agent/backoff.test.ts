import { describe, expect, test } from '@jest/globals';

import { backoffMs, probeMs, uniform } from '../../../firmware/agent/backoff.ts';
import { NETWORK_BACKOFF, PROBE_CAP_MS, PROBE_FIRST_MS } from '../../../firmware/agent/limits.ts';
import { seededRandom } from '../../../host-sim/time/seeded-random.ts';

const { minimumMs, firstMs, capMs } = NETWORK_BACKOFF;
/** The largest value of a source that is uniform in [0, 1). */
const ALMOST_ONE = 1 - 2 ** -53;
/** Attempts at which published clients go wrong: 29 to 33 overflow 32 bits, 1024 overflows a double. */
const ATTEMPTS = [0, 1, 2, 3, 5, 6, 7, 8, 10, 20, 28, 29, 30, 31, 32, 33, 40, 41, 52, 53, 64, 100, 1023, 1024, 1025, 9_999, 10_000, Number.MAX_SAFE_INTEGER];

/** Exact, and without any doubling that can overflow. */
function ceilingOf(attempt: number, first: number, cap: number): number {
  let ceiling = first;
  for (let i = 0; i < attempt && ceiling < cap; i++) ceiling *= 2;
  return Math.min(cap, ceiling);
}

describe('the back-off of lost networks', () => {
  test.each(ATTEMPTS)('at attempt %d spans the minimum to the doubled ceiling, or the cap', (attempt) => {
    const ceiling = ceilingOf(attempt, firstMs, capMs);
    expect(backoffMs(attempt, 0, NETWORK_BACKOFF)).toBe(minimumMs);
    expect(backoffMs(attempt, ALMOST_ONE, NETWORK_BACKOFF)).toBe(ceiling);
    expect(backoffMs(attempt, 0.5, NETWORK_BACKOFF)).toBe(Math.round((minimumMs + ceiling) / 2));
  });

  test('at every attempt up to 10,000 is a whole number between minimum and cap', () => {
    const random = seededRandom(1);
    for (let attempt = 0; attempt <= 10_000; attempt++) {
      const delayMs = backoffMs(attempt, random(), NETWORK_BACKOFF);
      if (!Number.isInteger(delayMs) || delayMs < minimumMs || delayMs > ceilingOf(attempt, firstMs, capMs)) {
        throw new Error(`attempt ${attempt}: ${delayMs} ms`);
      }
    }
  });

  test('is spread evenly over the whole range, also at the cap', () => {
    for (const attempt of [0, 3, 7, 10_000]) {
      const counts = histogram(10, 20_000, minimumMs, ceilingOf(attempt, firstMs, capMs), (random) => backoffMs(attempt, random, NETWORK_BACKOFF));
      // 2,000 expected in each tenth; 4.5 standard deviations are 190.
      for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(190);
    }
  });

  test('never asks for less than the minimum when the range is empty', () => {
    expect(backoffMs(0, ALMOST_ONE, { minimumMs: 500, firstMs: 100, capMs: 400 })).toBe(500);
  });
});

describe('the probe after refusals', () => {
  test.each([
    [0, 15_000, 30_000],
    [1, 30_000, 60_000],
    [2, 60_000, 120_000],
    [3, 120_000, 240_000],
    [4, 240_000, 480_000],
    [5, 450_000, 900_000],
    [6, 450_000, 900_000],
    [31, 450_000, 900_000],
    [10_000, 450_000, 900_000],
  ])('number %d waits between %d and %d ms', (attempt, lowest, highest) => {
    expect(probeMs(attempt, 0, PROBE_FIRST_MS, PROBE_CAP_MS)).toBe(lowest);
    expect(probeMs(attempt, ALMOST_ONE, PROBE_FIRST_MS, PROBE_CAP_MS)).toBe(highest);
    const counts = histogram(5, 10_000, lowest, highest, (random) => probeMs(attempt, random, PROBE_FIRST_MS, PROBE_CAP_MS));
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(190);
  });
});

test('uniform takes the lowest value and no more than the highest', () => {
  expect(uniform(0.65, 0.8, 0)).toBe(0.65);
  expect(uniform(0.65, 0.8, 0.5)).toBeCloseTo(0.725, 12);
  expect(uniform(500, 1500, 0.999)).toBeCloseTo(1499, 9);
  expect(uniform(500, 1500, ALMOST_ONE)).toBeLessThanOrEqual(1500);
});

function histogram(bins: number, draws: number, lowest: number, highest: number, draw: (random: number) => number): number[] {
  const random = seededRandom(7);
  const counts = new Array<number>(bins).fill(0);
  for (let i = 0; i < draws; i++) {
    const bin = Math.min(bins - 1, Math.floor(((draw(random()) - lowest) / (highest - lowest)) * bins));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}
