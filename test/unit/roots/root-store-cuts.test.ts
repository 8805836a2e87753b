import { beforeAll, expect, test } from '@jest/globals';

import { seededRandom } from '../../../host-sim/time/seeded-random.ts';
import { recordEvidence } from '../../evidence.ts';
import { PowerCut, type NorFlash } from '../../fakes/nor-flash.ts';
import { RootFixture } from '../../fakes/root-fixture.ts';

const HOUR_MS = 3_600_000;
const MOMENTS = ['before', 'inside', 'after'] as const;

let fixture: RootFixture;
let bundle: Uint8Array;
let oldAnchors: string[];
let newAnchors: string[];

beforeAll(async () => {
  fixture = await RootFixture.create();
  // About 8 KB: three more keys and a revoked root.
  bundle = await fixture.bundle({ keys: fixture.keys, roots: rootsOf8KB() }, fixture.keys.slice(0, 5));
  oldAnchors = [hex(fixture.oldRoot)];
  newAnchors = [hex(fixture.newRoot), hex(fixture.otherRoot)];
});

function rootsOf8KB(): object[] {
  const trustedRoot = (der: Uint8Array): object => ({ der: Buffer.from(der).toString('base64url'), purposes: ['hub'] });
  return [trustedRoot(fixture.newRoot), trustedRoot(fixture.otherRoot), ...Array.from({ length: 6 }, (_, index) => ({ sha256: Buffer.alloc(32, index).toString('hex'), revoked: true }))];
}

function hex(bytes: ArrayBuffer | Uint8Array): string {
  return Buffer.from(new Uint8Array(bytes)).toString('hex');
}

/** The whole update; each step may be cut. */
function update(flash: NorFlash, nowMs: () => number): void {
  const store = fixture.open(flash, nowMs);
  fixture.updateByParts(store, bundle);
  if (store.phase === 'trial') store.trialPassed();
}

function updateOrCut(flash: NorFlash): void {
  try {
    update(flash, () => 0);
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error;
  }
}

/** Blank, or with remains of an older bundle in the slot that comes next. */
function startFlash(isWorn: boolean): NorFlash {
  const flash = fixture.flash();
  if (isWorn) for (let block = 0; block < 3; block++) flash.write(new Uint8Array(4096), block * 4096);
  return flash;
}

test.each([
  ['blank flash', false],
  ['flash with remains of an older bundle', true],
])('a power cut at any write of an update on %s leaves the old or the new set, and the update goes on', (_, isWorn) => {
  const whole = startFlash(isWorn);
  update(whole, () => 0);
  const operations = whole.operations - (isWorn ? 3 * 256 : 0);
  expect(operations).toBeGreaterThan(bundle.length / 16);
  const images = new Set<string>();
  let cuts = 0;
  for (let cut = 1; cut <= operations; cut++) {
    for (const moment of MOMENTS) {
      const flash = startFlash(isWorn);
      flash.random = seededRandom(cut * 3 + MOMENTS.indexOf(moment));
      flash.cutAt = flash.operations + cut;
      flash.cutMoment = moment;
      updateOrCut(flash);
      cuts += 1;
      const rebooted = flash.clone();
      const store = fixture.open(rebooted, () => HOUR_MS);
      const anchors = store.anchors('hub').map(hex);
      const expected = store.version === 1 ? oldAnchors : newAnchors;
      if (anchors.join() !== expected.join()) expect({ cut, moment, version: store.version, anchors }).toEqual({ cut, moment, version: store.version, anchors: expected });
      images.add(`${store.version}${store.phase}${store.staging?.lengths.join() ?? ''}`);
      update(rebooted, () => HOUR_MS);
      const after = fixture.open(rebooted.clone());
      if (after.version !== 2 || after.phase !== 'kept') expect({ cut, moment, version: after.version, phase: after.phase }).toEqual({ cut, moment, version: 2, phase: 'kept' });
    }
  }
  expect(images.size).toBeGreaterThan(4);
  recordEvidence('root-power-cuts', cuts);
  process.stderr.write(`power cuts on ${isWorn ? 'worn' : 'blank'} flash: ${cuts}; states: ${[...images].join(' ')}\n`);
}, 240_000);
