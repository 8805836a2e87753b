import { beforeAll, expect, test } from '@jest/globals';

import type { RootStore } from '../../../firmware/agent/roots/root-store.ts';
import { seededRandom } from '../../../host-sim/time/seeded-random.ts';
import { recordEvidence } from '../../evidence.ts';
import { PowerCut, type NorFlash } from '../../fakes/nor-flash.ts';
import { trusted } from '../../fakes/root-bundles.ts';
import { RootFixture } from '../../fakes/root-fixture.ts';

/** Of the life below, every so many operations are cut, each at one of the three moments. */
const STRIDE = 13;
const HOUR_MS = 3_600_000;
const MOMENTS = ['before', 'inside', 'after'] as const;

let fixture: RootFixture;
/** Hours pass between two steps: no erase is refused. */
let nowMs = 0;
/** Versions 2 to 7: taken, failed, followed, revoking, inner, and the end of a chain. */
let bundles: readonly Uint8Array[];

beforeAll(async () => {
  fixture = await RootFixture.create();
  const both = [trusted(fixture.newRoot), trusted(fixture.otherRoot)];
  bundles = [
    await fixture.bundle({ version: 2, roots: [trusted(fixture.oldRoot), ...both] }),
    await fixture.bundle({ version: 3, roots: [trusted(fixture.otherRoot)] }),
    await fixture.bundle({ version: 4, roots: both }),
    await fixture.bundle({ version: 5, roots: [trusted(fixture.newRoot), fixture.revokedOld()] }),
    await fixture.bundle({ version: 6, roots: both }),
    await fixture.bundle({ version: 7, roots: [trusted(fixture.otherRoot)] }),
  ];
});

function take(store: RootStore, version: number, isInner: boolean): void {
  const bundle = bundles[version - 2]!;
  if (version !== store.version + 1) return;
  // By parts and whole, in turn.
  if (version % 2 === 0) return fixture.updateByParts(store, bundle, version);
  const read = fixture.check(store, bundle, { isInner });
  if (read !== undefined) store.commit(read, bundle, isInner);
}

function failTrial(store: RootStore): void {
  for (let failures = 0; failures < 3; failures++) store.trialFailed();
}

/** A device's life; goes on wherever the power went. */
function live(store: RootStore, saw: (store: RootStore) => void): void {
  const step = (action: () => void): void => {
    nowMs += HOUR_MS;
    action();
    saw(store);
  };
  step(() => take(store, 2, false));
  if (store.version === 2) step(() => store.trialPassed());
  step(() => take(store, 3, false));
  // A second bundle in the middle of the trial of the first, and that of the first failed.
  if (store.version === 3) step(() => failTrial(store));
  if (store.version === 3) step(() => store.trialAgain());
  step(() => take(store, 4, false));
  if (store.version === 4) step(() => failTrial(store));
  step(() => take(store, 5, true));
  step(() => take(store, 6, false));
  if (store.version === 6) step(() => store.trialPassed());
  step(() => take(store, 7, false));
  if (store.version === 7) step(() => failTrial(store));
}

test('a power cut anywhere in a life of trials, ways back, chains and a revocation takes back no version and brings no revoked root back', () => {
  const whole = fixture.flash();
  const old = Buffer.from(fixture.oldRoot).toString('hex');
  const open = (flash: NorFlash): RootStore => fixture.open(flash, () => nowMs);
  const start = whole.operations;
  live(open(whole), () => {});
  const operations = whole.operations - start;
  expect(open(whole.clone()).version).toBe(7);
  const phases = new Set<string>();
  let cuts = 0;
  for (let operation = 1; operation <= operations; operation += STRIDE) {
    const flash = fixture.flash();
    const moment = MOMENTS[cuts % MOMENTS.length]!;
    flash.random = seededRandom(operation);
    flash.cutAt = operation;
    flash.cutMoment = moment;
    let reached = 1;
    try {
      live(open(flash), ({ version }) => (reached = version));
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
    }
    cuts += 1;
    const store = open(flash.clone());
    const anchors = store.anchors('hub').map((der) => Buffer.from(der).toString('hex'));
    const fault = store.version < reached || store.version > reached + 1 || store.isDamaged || anchors.length === 0 || (store.version >= 5 && anchors.includes(old));
    if (fault) expect({ operation, moment, reached, version: store.version, phase: store.phase, anchors }).toBeUndefined();
    phases.add(`${store.version} ${store.phase}`);
    // Whatever is left, it goes on to the end, where only what version 6 brought is a way back.
    live(store, () => {});
    expect([store.version, store.phase, store.anchors('hub').length]).toEqual([7, 'failed', 2]);
  }
  expect(phases.size).toBeGreaterThan(6);
  process.stderr.write(`power cuts in a longer life: ${cuts}; states: ${[...phases].join('; ')}\n`);
  recordEvidence('root-life-cuts', cuts);
});
