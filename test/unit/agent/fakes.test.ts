import { describe, expect, test } from '@jest/globals';

import { FakeTime } from '../../fakes/fake-time.ts';
import { NorFlash, PowerCut } from '../../fakes/nor-flash.ts';
import { seededRandom } from '../../../host-sim/time/seeded-random.ts';

describe('the fake time', () => {
  test('runs what is due in order of time, then of planning, and stands still at the end', () => {
    const time = new FakeTime();
    const said: string[] = [];
    time.after(20, () => said.push(`c ${time.nowMs}`));
    time.after(10, () => {
      said.push(`a ${time.nowMs}`);
      time.after(0, () => said.push(`a2 ${time.nowMs}`));
    });
    time.after(10, () => said.push(`b ${time.nowMs}`));
    time.after(31, () => said.push('late'));
    time.advance(30);
    expect(said).toEqual(['a 10', 'b 10', 'a2 10', 'c 20']);
    expect([time.nowMs, time.nextDueMs]).toEqual([30, 31]);
  });

  test('forgets what is cancelled, also while it runs', () => {
    const time = new FakeTime();
    const said: string[] = [];
    const cancel = time.after(10, () => said.push('never'));
    time.after(5, cancel);
    time.after(10, () => cancel());
    time.advance(20);
    expect(said).toEqual([]);
  });

  test('stops at the moment at which the condition holds', () => {
    const time = new FakeTime();
    let count = 0;
    const tick = (): void => {
      count += 1;
      time.after(10, tick);
    };
    tick();
    expect(time.runUntil(() => count === 5, 1000)).toBe(true);
    expect(time.nowMs).toBe(40);
    expect(time.runUntil(() => false, 100)).toBe(false);
    expect(time.nowMs).toBe(140);
  });
});

describe('the flash model', () => {
  const unit = (byte: number): Uint8Array => new Uint8Array(16).fill(byte);

  test('programs an erased unit once, and again after an erase', () => {
    const flash = new NorFlash(2, 64);
    flash.write(unit(0xa5), 16);
    expect(() => flash.write(unit(0xa5), 16)).toThrow('the unit at 16 is written a second time');
    expect(new Uint8Array(flash.read(16, 16))).toEqual(unit(0xa5));
    flash.eraseBlock(0);
    expect(new Uint8Array(flash.read(64, 0)).every((byte) => byte === 0xff)).toBe(true);
    flash.write(unit(0x5a), 16);
    expect(new Uint8Array(flash.read(16, 16))).toEqual(unit(0x5a));
  });

  test('refuses what the chip refuses: part of a unit, a unit across two, a read outside', () => {
    const flash = new NorFlash(1, 64);
    expect(() => flash.write(new Uint8Array(8), 0)).toThrow(RangeError);
    expect(() => flash.write(unit(0), 8)).toThrow(RangeError);
    expect(() => flash.read(16, 56)).toThrow(RangeError);
  });

  test('leaves a subset of the bits of a cut write, and a half-erased block', () => {
    const results = new Set<string>();
    for (let seed = 0; seed < 50; seed++) {
      const flash = new NorFlash(1, 64);
      flash.random = seededRandom(seed);
      flash.write(unit(0x0f), 0);
      flash.cutAt = 2;
      expect(() => flash.write(unit(0x3c), 16)).toThrow(PowerCut);
      const written = new Uint8Array(flash.read(16, 16));
      // Bits that are to be 1 stay 1.
      expect(written.every((byte) => (byte & 0x3c) === 0x3c)).toBe(true);
      results.add(written.join());
      flash.cutAt = 3;
      expect(() => flash.eraseBlock(0)).toThrow(PowerCut);
      expect(new Uint8Array(flash.read(16, 0)).every((byte) => (byte & 0x0f) === 0x0f)).toBe(true);
    }
    expect(results.size).toBeGreaterThan(40);
  });
});

test('the seeded source is uniform enough, and the same for the same seed', () => {
  const random = seededRandom(42);
  const draws = Array.from({ length: 10_000 }, random);
  const again = seededRandom(42);
  expect(draws.slice(0, 100)).toEqual(Array.from({ length: 100 }, again));
  expect(draws.every((draw) => draw >= 0 && draw < 1)).toBe(true);
  // Mean of 10,000 uniform draws: 0.5 within 4.5 standard deviations of 0.0029.
  expect(Math.abs(draws.reduce((sum, draw) => sum + draw, 0) / draws.length - 0.5)).toBeLessThan(0.013);
});
