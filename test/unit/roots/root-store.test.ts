import { beforeAll, describe, expect, test } from '@jest/globals';

import { PART_BYTES } from '../../../firmware/agent/roots/root-limits.ts';
import type { RootStore } from '../../../firmware/agent/roots/root-store.ts';
import { NorFlash } from '../../fakes/nor-flash.ts';
import { BLOCK_BYTES, PARTITION_BLOCKS, RootFixture } from '../../fakes/root-fixture.ts';
import { trusted } from '../../fakes/root-bundles.ts';

const HOUR_MS = 3_600_000;

let fixture: RootFixture;
let second: Uint8Array;

beforeAll(async () => {
  fixture = await RootFixture.create();
  second = await fixture.bundle();
});

function anchors(store: RootStore): string[] {
  return store.anchors('hub').map((der) => Buffer.from(der).toString('hex'));
}

function hex(...ders: readonly Uint8Array[]): string[] {
  return ders.map((der) => Buffer.from(der).toString('hex'));
}

function codeOf(action: () => unknown): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return (error as { readonly code?: unknown }).code;
  }
}

function commit(store: RootStore, bundle: Uint8Array, options: Parameters<RootFixture['check']>[2] = {}): void {
  const read = fixture.check(store, bundle, options);
  if (read !== undefined) store.commit(read, bundle, options.isInner ?? false);
}

describe('a device with blank flash', () => {
  test('trusts the roots of its image, at the version of its image', () => {
    const store = fixture.open(fixture.flash());
    expect(anchors(store)).toEqual(hex(fixture.oldRoot));
    expect([store.version, store.phase, store.digest]).toEqual([1, 'kept', undefined]);
    expect(store.fingerprints()).toHaveLength(1);
  });

  test('writes nothing until a bundle comes', () => {
    const flash = fixture.flash();
    fixture.open(flash);
    expect(flash.operations).toBe(0);
  });
});

describe('a committed bundle', () => {
  test('has its roots on trial, and its version and keys for good', () => {
    const flash = fixture.flash();
    const store = fixture.open(flash);
    commit(store, second);
    for (const each of [store, fixture.open(flash.clone())]) {
      expect([each.version, each.phase]).toEqual([2, 'trial']);
      expect(anchors(each)).toEqual(hex(fixture.newRoot, fixture.otherRoot));
    }
  });

  test('is offered again without any effect, before and after its trial', () => {
    const flash = fixture.flash();
    const store = fixture.open(flash);
    commit(store, second);
    const { operations } = flash;
    expect(fixture.check(store, second)).toBeUndefined();
    store.trialPassed();
    expect(fixture.check(store, second)).toBeUndefined();
    expect(flash.operations - operations).toBe(12);
  });

  test('is the base once its trial has passed, also after a restart', () => {
    const flash = fixture.flash();
    const store = fixture.open(flash);
    commit(store, second);
    store.trialPassed();
    const restarted = fixture.open(flash.clone());
    expect(restarted.phase).toBe('kept');
    restarted.trialFailed();
    expect(anchors(restarted)).toEqual(hex(fixture.newRoot, fixture.otherRoot));
  });

  test('gives each purpose its own roots', async () => {
    const store = fixture.open(fixture.flash());
    commit(store, await fixture.bundle({ roots: [trusted(fixture.newRoot, ['hub']), trusted(fixture.otherRoot, ['dps', 'storage'])] }));
    expect(anchors(store)).toEqual(hex(fixture.newRoot));
    expect(store.anchors('dps').map((der) => Buffer.from(der).toString('hex'))).toEqual(hex(fixture.otherRoot));
    expect(store.anchors('custom')).toEqual([]);
  });

  test('survives an image with another set of roots', () => {
    const flash = fixture.flash();
    const store = fixture.open(flash);
    commit(store, second);
    store.trialPassed();
    const newImage = Object.assign(Object.create(fixture) as RootFixture, { factory: { ...fixture.factory, version: 9 } });
    expect([newImage.open(flash.clone()).version, anchors(newImage.open(flash.clone()))]).toEqual([2, hex(fixture.newRoot, fixture.otherRoot)]);
  });
});

describe('a trial', () => {
  test('ends after three failures with the way back, also when restarts come between them', () => {
    const flash = fixture.flash();
    commit(fixture.open(flash), second);
    for (const phase of ['trial', 'trial', 'failed']) {
      const store = fixture.open(flash);
      store.trialFailed();
      expect(store.phase).toBe(phase);
    }
    const store = fixture.open(flash);
    expect(anchors(store)).toEqual(hex(fixture.oldRoot));
    expect(store.version).toBe(2);
  });

  test('that failed is tried again when told to', () => {
    const store = fixture.open(fixture.flash());
    commit(store, second);
    for (let i = 0; i < 3; i++) store.trialFailed();
    store.trialAgain();
    expect([store.phase, ...anchors(store)]).toEqual(['trial', ...hex(fixture.newRoot, fixture.otherRoot)]);
    store.trialPassed();
    expect(store.phase).toBe('kept');
  });

  test('that failed is followed by the next version of the owner, and the base is still the old set meanwhile', async () => {
    const flash = fixture.flash();
    const store = fixture.open(flash, () => 2 * HOUR_MS);
    commit(store, second);
    for (let i = 0; i < 3; i++) store.trialFailed();
    commit(store, await fixture.bundle({ version: 3, roots: [trusted(fixture.oldRoot), trusted(fixture.otherRoot)] }));
    const restarted = fixture.open(flash.clone());
    expect([restarted.version, restarted.phase]).toEqual([3, 'trial']);
    for (let i = 0; i < 3; i++) restarted.trialFailed();
    expect(anchors(restarted)).toEqual(hex(fixture.oldRoot));
  });
});

describe('a revoked root', () => {
  test('is gone at once: it is no way back', async () => {
    const flash = fixture.flash();
    const store = fixture.open(flash);
    commit(store, await fixture.bundle({ roots: [trusted(fixture.newRoot), fixture.revokedOld()] }));
    expect(store.hasWayBack).toBe(false);
    for (let i = 0; i < 5; i++) store.trialFailed();
    for (const each of [store, fixture.open(flash.clone())]) {
      expect([each.phase, ...anchors(each)]).toEqual(['trial', ...hex(fixture.newRoot)]);
    }
  });

  test('stays gone when the next version fails and says nothing of it', async () => {
    const wider = Object.assign(Object.create(fixture) as RootFixture, {
      factory: { ...fixture.factory, roots: [...fixture.factory.roots, { der: new Uint8Array(fixture.otherRoot), purposes: ['hub'] }] },
    });
    const flash = fixture.flash();
    const store = wider.open(flash, () => 0);
    commit(store, await fixture.bundle({ roots: [trusted(fixture.newRoot), fixture.revokedOld()] }));
    for (let i = 0; i < 3; i++) store.trialFailed();
    expect(anchors(store)).toEqual(hex(fixture.otherRoot));
    commit(store, await fixture.bundle({ version: 3, roots: [trusted(fixture.newRoot)] }));
    for (let i = 0; i < 3; i++) store.trialFailed();
    for (const each of [store, wider.open(flash.clone())]) expect([each.phase, ...anchors(each)]).toEqual(['failed', ...hex(fixture.otherRoot)]);
  });
});

describe('an inner link of a chain', () => {
  test('brings its version and keys, and leaves the roots as they are', async () => {
    const store = fixture.open(fixture.flash());
    const rotated = await fixture.bundle({ keys: fixture.keys.slice(3, 6), expires: '2026-11-02T00:00:00Z' }, [...fixture.keys.slice(0, 2), ...fixture.keys.slice(3, 5)]);
    commit(store, rotated, { isInner: true });
    expect([store.version, store.phase, ...anchors(store)]).toEqual([2, 'inner', ...hex(fixture.oldRoot)]);
    commit(store, await fixture.bundle({ version: 3, keys: fixture.keys.slice(3, 6) }, fixture.keys.slice(3, 5)));
    expect([store.version, store.phase, ...anchors(store)]).toEqual([3, 'trial', ...hex(fixture.newRoot, fixture.otherRoot)]);
  });
});

describe('a way back without a root for the hub', () => {
  test('is none: roots that fail stay in use, also when one for storage is left of the old ones', async () => {
    const roots = fixture.factory.roots.concat({ der: new Uint8Array(fixture.otherRoot), purposes: ['storage'] });
    const flash = fixture.flash();
    const open = (): RootStore => fixture.open(flash, undefined, { ...fixture.factory, roots });
    const store = open();
    commit(store, await fixture.bundle({ roots: [trusted(fixture.newRoot), fixture.revokedOld()] }));
    for (let i = 0; i < 3; i++) store.trialFailed();
    for (const each of [store, open()]) expect([each.hasWayBack, each.phase, ...anchors(each)]).toEqual([false, 'trial', ...hex(fixture.newRoot)]);
  });

  test('leaves an inner link without any anchor, for its own roots were never to be used', async () => {
    const flash = fixture.flash();
    const store = fixture.open(flash);
    const inner = await fixture.bundle({ roots: [trusted(fixture.newRoot), fixture.revokedOld()], expires: '2026-11-02T00:00:00Z' });
    commit(store, inner, { isInner: true });
    for (const each of [store, fixture.open(flash.clone())]) expect([each.version, each.phase, ...anchors(each)]).toEqual([2, 'inner']);
    commit(store, await fixture.bundle({ version: 3 }));
    expect([store.version, store.phase, ...anchors(store)]).toEqual([3, 'trial', ...hex(fixture.newRoot, fixture.otherRoot)]);
  });
});

describe('parts', () => {
  const digestOf = async (bytes: Uint8Array): Promise<Uint8Array> => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes.slice()));
  const part = (index: number): Uint8Array => second.subarray(index * PART_BYTES, (index + 1) * PART_BYTES);

  test('come in any order, with a restart between them', async () => {
    const flash = fixture.flash();
    const count = Math.ceil(second.length / PART_BYTES);
    fixture.open(flash).beginParts(2, count, await digestOf(second));
    for (let index = count - 1; index >= 0; index--) fixture.open(flash).addPart(index, part(index));
    const store = fixture.open(flash);
    expect(Buffer.from(store.takeParts() ?? []).equals(second)).toBe(true);
    commit(store, second);
    expect([store.version, store.staging]).toEqual([2, undefined]);
  });

  test('that came twice are taken once, and refused when they differ', async () => {
    const flash = fixture.flash();
    const store = fixture.open(flash);
    store.beginParts(2, 2, await digestOf(second));
    store.addPart(0, part(0));
    const { operations } = flash;
    store.addPart(0, part(0));
    expect(flash.operations).toBe(operations);
    expect(codeOf(() => store.addPart(0, part(0).map((byte) => byte ^ 1)))).toBe('ERR_BUNDLE_PART');
  });

  test('of another size, of another index, or of no bundle are refused', async () => {
    const store = fixture.open(fixture.flash());
    expect(codeOf(() => store.addPart(0, part(0)))).toBe('ERR_BUNDLE_PART');
    store.beginParts(2, 2, await digestOf(second));
    for (const [index, bytes] of [[0, part(0).subarray(1)], [2, part(0)], [-1, part(0)], [1, new Uint8Array(0)], [1, new Uint8Array(PART_BYTES + 1)]] as const) {
      expect(codeOf(() => store.addPart(index, bytes))).toBe('ERR_BUNDLE_PART');
    }
    expect(codeOf(() => store.beginParts(2, 7, new Uint8Array(32)))).toBe('ERR_BUNDLE_SIZE');
  });

  test('that are together another bundle than the announced one are forgotten', async () => {
    const flash = fixture.flash();
    const store = fixture.open(flash);
    store.beginParts(2, 2, await digestOf(second));
    store.addPart(0, part(0));
    store.addPart(1, new Uint8Array(100));
    expect(codeOf(() => store.takeParts())).toBe('ERR_BUNDLE_PART');
    expect([store.staging, fixture.open(flash.clone()).staging]).toEqual([undefined, undefined]);
  });

  test('with one missing give nothing yet', async () => {
    const store = fixture.open(fixture.flash());
    store.beginParts(2, 2, await digestOf(second));
    store.addPart(1, new Uint8Array(100));
    expect(store.takeParts()).toBeUndefined();
  });
});

describe('a flood', () => {
  test('of bundles that begin erases flash four times an hour at most, for a day', () => {
    let nowMs = 0;
    const flash = fixture.flash();
    const erases: number[] = [];
    const erase = flash.eraseBlock.bind(flash);
    flash.eraseBlock = (start, end) => {
      erases.push(nowMs);
      erase(start, end);
    };
    const store = fixture.open(flash, () => nowMs);
    let refused = 0;
    for (; nowMs < 24 * HOUR_MS; nowMs += 60_000) {
      try {
        store.beginParts(2, 6, Uint8Array.from({ length: 32 }, (_, index) => (nowMs / 60_000 + index) & 0xff));
        for (let index = 0; index < 5; index++) store.addPart(index, new Uint8Array(PART_BYTES));
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_BUNDLE_RATE' });
        refused += 1;
      }
    }
    const worst = Math.max(...erases.map((from) => erases.filter((at) => at >= from && at < from + HOUR_MS).length));
    expect(worst).toBe(4);
    expect(refused).toBeGreaterThan(1300);
    expect(erases.length).toBeGreaterThan(80);
  });
});

describe('flash that was changed', () => {
  test('under the committed bundle leaves the base, and says that it is damaged', () => {
    const flash = fixture.flash();
    const store = fixture.open(flash);
    commit(store, second);
    for (let block = 0; block < 3; block++) flash.eraseBlock(block);
    const restarted = fixture.open(flash);
    expect([restarted.isDamaged, restarted.version, ...anchors(restarted)]).toEqual([true, 2, ...hex(fixture.oldRoot)]);
  });

  test('to noise everywhere leaves the roots of the image', () => {
    const cells = Uint8Array.from({ length: PARTITION_BLOCKS * BLOCK_BYTES }, (_, index) => (index * 2654435761) >>> 24);
    const store = fixture.open(new NorFlash(PARTITION_BLOCKS, BLOCK_BYTES, cells));
    expect([store.version, ...anchors(store)]).toEqual([1, ...hex(fixture.oldRoot)]);
    commit(store, second);
    expect(store.version).toBe(2);
  });
});

