import { createHash } from 'node:crypto';

import { beforeAll, describe, expect, test } from '@jest/globals';

import { PART_BYTES } from '../../../firmware/agent/roots/root-limits.ts';
import { LOG_FIRST_BLOCK } from '../../../firmware/agent/roots/root-flash.ts';
import type { RootStore } from '../../../firmware/agent/roots/root-store.ts';
import { NorFlash } from '../../fakes/nor-flash.ts';
import { RootFixture } from '../../fakes/root-fixture.ts';
import { trusted } from '../../fakes/root-bundles.ts';

const HOUR_MS = 3_600_000;
const BLOCK_BYTES = 4096;
const SLOT_BYTES = 4 * BLOCK_BYTES;

let fixture: RootFixture;
let second: Uint8Array;

beforeAll(async () => {
  fixture = await RootFixture.create();
  second = await fixture.bundle();
});

/** Flash some of whose bits are stuck at 1, or that does not erase. */
class WornFlash extends NorFlash {
  stuckAt: ReadonlySet<number> = new Set();
  erases = 0;

  override write(bytes: ArrayBuffer | Uint8Array, byteOffset: number): void {
    const source = new Uint8Array(bytes).slice();
    for (let i = 0; i < source.length; i++) if (this.stuckAt.has(byteOffset + i)) source[i] = 0xff;
    super.write(source, byteOffset);
  }

  override eraseBlock(start: number, end?: number): void {
    this.erases += 1;
    super.eraseBlock(start, end);
  }
}

function wornFlash(): WornFlash {
  return new WornFlash(16, BLOCK_BYTES);
}

function anchors(store: RootStore): string[] {
  return store.anchors('hub').map(hex);
}

function hex(der: ArrayBuffer | Uint8Array): string {
  return Buffer.from(new Uint8Array(der)).toString('hex');
}

function commit(store: RootStore, bundle: Uint8Array): void {
  const read = fixture.check(store, bundle);
  if (read !== undefined) store.commit(read, bundle, false);
}

function codeOf(action: () => unknown): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return (error as { readonly code?: unknown }).code;
  }
}

/** Parts of a bundle that nobody has: as far as it goes. */
function flood(store: RootStore, seed: number): unknown {
  return codeOf(() => {
    store.beginParts(store.version + 1, 6, createHash('sha256').update(String(seed)).digest());
    for (let index = 0; index < 5; index++) store.addPart(index, new Uint8Array(PART_BYTES));
  });
}

describe('erases', () => {
  const erasesOf = (restarts: number, wallSeconds: (restart: number) => number): number => {
    const flash = wornFlash();
    for (let restart = 0; restart < restarts; restart++) {
      const store = fixture.open(flash, () => 0, undefined, () => wallSeconds(restart));
      for (let tries = 0; tries < 10; tries++) flood(store, restart * 10 + tries);
    }
    return flash.erases;
  };

  test('are four in an hour also over a hundred restarts, while nobody knows the time', () => {
    expect(erasesOf(100, () => 0)).toBe(4);
  });

  test('are four in an hour over a hundred restarts with a clock', () => {
    expect(erasesOf(100, (restart) => 1_800_000_000 + restart * 30)).toBe(4);
    const inTenHours = erasesOf(10, (restart) => 1_800_000_000 + restart * 3601);
    expect(inTenHours).toBeGreaterThan(30);
    expect(inTenHours).toBeLessThanOrEqual(40);
  });

  test('of an earlier life are forgotten after an hour of this one', () => {
    const flash = wornFlash();
    flood(fixture.open(flash), 0);
    flood(fixture.open(flash), 1);
    const store = fixture.open(flash, () => HOUR_MS);
    expect(flood(store, 2)).toBeUndefined();
  });

  test('that somebody used up do not keep a bundle away that its owner has signed', async () => {
    const flash = wornFlash();
    const store = fixture.open(flash);
    for (let tries = 0; tries < 10; tries++) flood(store, tries);
    expect(flood(store, 10)).toBe('ERR_BUNDLE_RATE');
    commit(store, second);
    commit(store, await fixture.bundle({ version: 3 }));
    commit(store, await fixture.bundle({ version: 4, roots: [trusted(fixture.newRoot), fixture.revokedOld()] }));
    expect([store.version, store.hasWayBack]).toEqual([4, false]);
  });

  test('for a bundle that flash never takes end after five in an hour, also when it is offered for ever', () => {
    const flash = wornFlash();
    flash.stuckAt = new Set([100]);
    const store = fixture.open(flash);
    const codes = new Set(Array.from({ length: 20 }, () => codeOf(() => commit(store, second))));
    expect(codes).toEqual(new Set(['ERR_BUNDLE_FLASH', 'ERR_BUNDLE_RATE']));
    expect(flash.erases).toBeLessThanOrEqual(5);
    expect([store.version, ...anchors(store)]).toEqual([1, hex(fixture.oldRoot)]);
  });
});

describe('a record of the log that flash does not take', () => {
  test('is written again in the other block, and a restart finds it', () => {
    const flash = wornFlash();
    const log = LOG_FIRST_BLOCK * BLOCK_BYTES;
    flash.stuckAt = new Set(Array.from({ length: BLOCK_BYTES }, (_, index) => log + index));
    const store = fixture.open(flash);
    commit(store, second);
    store.trialPassed();
    for (const each of [store, fixture.open(flash.clone())]) expect([each.version, each.phase]).toEqual([2, 'kept']);
  });

  test('in either block refuses the bundle, and the set before stays in force, then and after a restart', () => {
    const flash = wornFlash();
    const log = LOG_FIRST_BLOCK * BLOCK_BYTES;
    flash.stuckAt = new Set(Array.from({ length: 2 * BLOCK_BYTES }, (_, index) => log + index));
    const store = fixture.open(flash);
    expect(codeOf(() => commit(store, second))).toBe('ERR_BUNDLE_FLASH');
    for (const each of [store, fixture.open(flash.clone())]) expect([each.version, each.phase, ...anchors(each)]).toEqual([1, 'kept', hex(fixture.oldRoot)]);
  });
});

test('a log of which neither block takes a record any more keeps the last one that it took, however often it is tried', async () => {
  const flash = wornFlash();
  const store = fixture.open(flash);
  commit(store, second);
  store.trialPassed();
  const log = LOG_FIRST_BLOCK * BLOCK_BYTES;
  const written = Buffer.from(new Uint8Array(flash.read(2 * BLOCK_BYTES, log)));
  flash.stuckAt = new Set(Array.from({ length: 2 * BLOCK_BYTES }, (_, index) => index).flatMap((index) => (written[index] === 0xff ? [log + index] : [])));
  const third = await fixture.bundle({ version: 3 });
  for (let tries = 0; tries < 4; tries++) {
    expect(codeOf(() => commit(store, third))).toMatch(/ERR_BUNDLE_(FLASH|RATE)/);
    for (const each of [store, fixture.open(flash.clone())]) expect([each.version, each.phase, ...anchors(each)]).toEqual([2, 'kept', hex(fixture.newRoot), hex(fixture.otherRoot)]);
  }
});

describe('a bundle that flash has lost', () => {
  const lose = (flash: NorFlash, bundle: Uint8Array): void => {
    const bytes = Buffer.from(new Uint8Array(flash.read(3 * SLOT_BYTES, 0)));
    const slot = [0, 1, 2].find((each) => bytes.subarray(each * SLOT_BYTES, each * SLOT_BYTES + bundle.length).equals(bundle));
    if (slot === undefined) throw new Error('the committed bundle is not there');
    flash.eraseBlock(slot * 4);
  };

  test('brings no revoked root back: neither that of the image nor that of the base', async () => {
    const flash = wornFlash();
    const store = fixture.open(flash);
    const revoking = await fixture.bundle({ roots: [trusted(fixture.newRoot), fixture.revokedOld()] });
    commit(store, revoking);
    store.trialPassed();
    expect(anchors(fixture.open(flash.clone()))).toEqual([hex(fixture.newRoot)]);
    flash.eraseBlock(0, 12);
    const restarted = fixture.open(flash);
    expect([restarted.isDamaged, restarted.version, ...anchors(restarted)]).toEqual([true, 2]);
    // The same for the way back of a trial.
    const other = wornFlash();
    const trying = fixture.open(other);
    commit(trying, revoking);
    trying.trialPassed();
    lose(other, revoking);
    const again = fixture.open(other);
    expect(anchors(again)).toEqual([]);
  });

  test('is taken again, and no other one; then the next version follows', async () => {
    const flash = wornFlash();
    const store = fixture.open(flash);
    commit(store, second);
    store.trialPassed();
    lose(flash, second);
    const restarted = fixture.open(flash);
    expect([restarted.isDamaged, restarted.nextVersion]).toEqual([true, 2]);
    expect(restarted.repair(await fixture.bundle({ version: 3 }))).toBe(false);
    expect(restarted.repair(second)).toBe(true);
    for (const each of [restarted, fixture.open(flash.clone())]) {
      expect([each.isDamaged, each.phase, each.nextVersion, ...anchors(each)]).toEqual([false, 'kept', 3, hex(fixture.newRoot), hex(fixture.otherRoot)]);
    }
    commit(restarted, await fixture.bundle({ version: 3 }));
    expect(restarted.version).toBe(3);
  });

  test('after a root that the owner trusts again was revoked gives that root its place', async () => {
    const flash = wornFlash();
    const store = fixture.open(flash);
    commit(store, await fixture.bundle({ roots: [trusted(fixture.newRoot), fixture.revokedOld()] }));
    store.trialPassed();
    commit(store, await fixture.bundle({ version: 3, roots: [trusted(fixture.oldRoot)] }));
    store.trialPassed();
    commit(store, await fixture.bundle({ version: 4, roots: [trusted(fixture.newRoot)] }));
    for (let failures = 0; failures < 3; failures++) store.trialFailed();
    for (const each of [store, fixture.open(flash.clone())]) expect([each.phase, ...anchors(each)]).toEqual(['failed', hex(fixture.oldRoot)]);
  });
});

describe('a log without a bundle', () => {
  test('does not keep the version of an older image', async () => {
    const flash = wornFlash();
    const store = fixture.open(flash);
    flood(store, 0);
    store.dropParts();
    const image = { ...fixture.factory, version: 8 };
    const updated = fixture.open(flash, () => 0, image);
    expect(updated.version).toBe(8);
    commit(updated, await fixture.bundle({ version: 9 }));
    expect(fixture.open(flash.clone(), () => 0, image).version).toBe(9);
  });
});

describe('the anchors', () => {
  test('are the same memory at each call, and nothing but roots', () => {
    const store = fixture.open(fixture.flash());
    commit(store, second);
    const [first] = store.anchors('hub');
    expect(store.anchors('hub')[0]).toBe(first);
    expect(first?.byteLength).toBe(fixture.newRoot.length);
  });
});
