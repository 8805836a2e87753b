import { seededRandom } from '../../host-sim/time/seeded-random.ts';
import type { RootStore } from '../../firmware/agent/roots/root-store.ts';
import { PowerCut, type NorFlash } from './nor-flash.ts';
import { trusted } from './root-bundles.ts';
import type { RootFixture } from './root-fixture.ts';

const MOMENTS = ['before', 'inside', 'after'] as const;
/** A certificate's length changes with its serial number and signature; the number of writes must not. */
const BUNDLE_BYTES = 8400;
const PADDING_ROOTS = 5;
const WORN_BLOCKS = 3;
const UNITS_PER_BLOCK = 4096 / 16;

export interface Cut {
  /** The operation that was cut, counted from 1. */
  readonly operation: number;
  readonly moment: (typeof MOMENTS)[number];
  /** What the power left. */
  readonly flash: NorFlash;
}

/** Six keys, five signatures, a root besides the public ones, and digests of roots that nobody has; spaces make it always as long. */
export async function bundleOf8KB(fixture: RootFixture, root: Uint8Array, audience?: object): Promise<Uint8Array> {
  const padding = Array.from({ length: PADDING_ROOTS }, (_, index) => ({ sha256: Buffer.alloc(32, index).toString('hex'), revoked: true }));
  const roots = [trusted(fixture.newRoot), trusted(fixture.otherRoot), trusted(root), ...padding];
  const bundle = await fixture.bundle({ keys: fixture.keys, roots, ...(audience !== undefined && { audience }) }, fixture.keys.slice(0, 5));
  if (bundle.length > BUNDLE_BYTES) throw new RangeError(`a bundle of ${bundle.length} bytes: more than ${BUNDLE_BYTES}`);
  return Buffer.concat([bundle, Buffer.alloc(BUNDLE_BYTES - bundle.length, ' ')]);
}

/** The whole update, in parts, until its roots have passed; each step may be cut. */
export function update(fixture: RootFixture, flash: NorFlash, bundle: Uint8Array, nowMs: () => number): void {
  const store = fixture.open(flash, nowMs);
  fixture.updateByParts(store, bundle);
  if (store.phase === 'trial') store.trialPassed();
}

/** Blank, or with remains of an older bundle in the slot that comes next. */
export function startFlash(fixture: RootFixture, isWorn: boolean): NorFlash {
  const flash = fixture.flash();
  if (isWorn) for (let block = 0; block < WORN_BLOCKS; block++) flash.write(new Uint8Array(4096), block * 4096);
  return flash;
}

/** Operations of a whole update. */
export function countOperations(fixture: RootFixture, bundle: Uint8Array, isWorn: boolean): number {
  const whole = startFlash(fixture, isWorn);
  update(fixture, whole, bundle, () => 0);
  return whole.operations - (isWorn ? WORN_BLOCKS * UNITS_PER_BLOCK : 0);
}

/** An update cut at every operation, before, inside and after it. */
export function* everyCut(fixture: RootFixture, bundle: Uint8Array, isWorn: boolean): Generator<Cut> {
  const operations = countOperations(fixture, bundle, isWorn);
  for (let operation = 1; operation <= operations; operation++) {
    for (const [index, moment] of MOMENTS.entries()) {
      const flash = startFlash(fixture, isWorn);
      flash.random = seededRandom(operation * MOMENTS.length + index);
      flash.cutAt = flash.operations + operation;
      flash.cutMoment = moment;
      try {
        update(fixture, flash, bundle, () => 0);
      } catch (error) {
        if (!(error instanceof PowerCut)) throw error;
      }
      yield { operation, moment, flash: flash.clone() };
    }
  }
}

/** What a store decides from its flash. */
export function describeState(store: RootStore): string {
  const { staging } = store;
  return `version ${store.version} ${store.phase}${staging === undefined ? '' : `, parts [${Array.from({ length: staging.count }, (_, index) => staging.lengths[index] ?? '-').join()}]`}`;
}
