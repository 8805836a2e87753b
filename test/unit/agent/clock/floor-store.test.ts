import { describe, expect, test } from '@jest/globals';

import { FloorStore } from '../../../../firmware/agent/clock/floor-store.ts';
import { NorFlash, PowerCut } from '../../../fakes/nor-flash.ts';
import { seededRandom } from '../../../../host-sim/time/seeded-random.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 10, 1);
/** The last two blocks are the store; the first two are somebody else's. */
const BLOCKS = 4;
const UNIT_BYTES = 16;

function saveDays(flash: NorFlash, from: number, to: number): void {
  const store = new FloorStore(flash);
  for (let day = from; day <= to; day++) store.save(START_MS + day * DAY_MS);
}

test('an empty flash has no floor', () => {
  expect(new FloorStore(new NorFlash(BLOCKS, 4096)).read()).toBe(0);
});

test('a flash full of anything has no floor', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed);
    const cells = new Uint8Array(BLOCKS * 256).map(() => Math.floor(random() * 256));
    expect(new FloorStore(new NorFlash(BLOCKS, 256, cells)).read()).toBe(0);
  }
});

test('the floor that was saved last is read after a restart, in whole seconds', () => {
  const flash = new NorFlash(BLOCKS, 4096);
  new FloorStore(flash).save(START_MS + 1999);
  expect(new FloorStore(flash.clone()).read()).toBe(START_MS + 1000);
});

test('the floor never goes back', () => {
  const flash = new NorFlash(BLOCKS, 4096);
  const store = new FloorStore(flash);
  store.save(START_MS);
  store.save(START_MS - DAY_MS);
  store.save(START_MS + 500);
  expect([store.read(), flash.operations]).toEqual([START_MS, 2]);
});

test('a save writes one unit, and erases a block once in 256 days', () => {
  const flash = new NorFlash(BLOCKS, 4096);
  const days = 3 * 256;
  saveDays(flash, 1, days);
  expect(flash.operations).toBe(days + 3);
  expect(new FloorStore(flash.clone()).read()).toBe(START_MS + days * DAY_MS);
});

test('the store stays within the last two blocks', () => {
  const flash = new NorFlash(BLOCKS, 256);
  saveDays(flash, 1, 100);
  expect(new Uint8Array(flash.read(2 * 256, 0)).every((byte) => byte === 0xff)).toBe(true);
});

describe('a power cut', () => {
  test('in any write or erase leaves the old floor or the new one, and the next save holds', () => {
    const blockLength = 128;
    const perBlock = blockLength / UNIT_BYTES;
    let cuts = 0;
    const flash = new NorFlash(BLOCKS, blockLength);
    // Three times round both blocks: every slot, every erase.
    for (let day = 1; day <= 6 * perBlock; day++) {
      const before = new FloorStore(flash).read();
      const target = START_MS + day * DAY_MS;
      for (let operation = 1; operation <= 2; operation++) {
        for (let seed = 1; seed <= 10; seed++) {
          const cut = flash.clone();
          cut.random = seededRandom(seed * 1000 + day);
          cut.cutAt = operation;
          if (!wasCut(() => new FloorStore(cut).save(target))) continue;
          cuts += 1;
          const restarted = cut.clone();
          const found = new FloorStore(restarted).read();
          expect([before, target]).toContain(found);
          // Cut again while it recovers, then left in peace.
          restarted.random = seededRandom(seed);
          restarted.cutAt = 1 + (seed % 2);
          wasCut(() => new FloorStore(restarted).save(target + DAY_MS));
          const again = restarted.clone();
          expect([found, target + DAY_MS]).toContain(new FloorStore(again).read());
          new FloorStore(again).save(target + 2 * DAY_MS);
          expect(new FloorStore(again.clone()).read()).toBe(target + 2 * DAY_MS);
        }
      }
      new FloorStore(flash).save(target);
    }
    // A write on each of 48 days, and an erase on 6 of them.
    expect(cuts).toBe((6 * perBlock + 6) * 10);
  });

  test('on every single day of a year never loses the floor, and never wears a unit twice', () => {
    const flash = new NorFlash(BLOCKS, 256);
    const random = seededRandom(3);
    let floor = 0;
    let current = flash;
    for (let day = 1; day <= 365; day++) {
      current.random = random;
      current.cutAt = current.operations + 1;
      const target = START_MS + day * DAY_MS;
      wasCut(() => new FloorStore(current).save(target));
      current = current.clone();
      const found = new FloorStore(current).read();
      expect(found).toBeGreaterThanOrEqual(floor);
      floor = found;
    }
    new FloorStore(current).save(START_MS + 366 * DAY_MS);
    expect(new FloorStore(current).read()).toBe(START_MS + 366 * DAY_MS);
  });
});

function wasCut(save: () => void): boolean {
  try {
    save();
  } catch (error) {
    if (error instanceof PowerCut) return true;
    throw error;
  }
  return false;
}
