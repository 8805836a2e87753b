import { beforeAll, expect, test } from '@jest/globals';

import { recordEvidence } from '../../evidence.ts';
import { bundleOf8KB, countOperations, describeState, everyCut, update } from '../../fakes/root-cuts.ts';
import { RootFixture } from '../../fakes/root-fixture.ts';

const HOUR_MS = 3_600_000;

let fixture: RootFixture;
let bundle: Uint8Array;
let oldAnchors: string[];
let newAnchors: string[];
let allCuts = 0;

beforeAll(async () => {
  fixture = await RootFixture.create();
  bundle = await bundleOf8KB(fixture, fixture.oldRoot);
  oldAnchors = [hex(fixture.oldRoot)];
  newAnchors = [hex(fixture.newRoot), hex(fixture.otherRoot), hex(fixture.oldRoot)];
});

function hex(bytes: ArrayBuffer | Uint8Array): string {
  return Buffer.from(new Uint8Array(bytes)).toString('hex');
}

test.each([
  ['blank flash', false],
  ['flash with remains of an older bundle', true],
])('a power cut at any write of an update on %s leaves the old or the new set, and the update goes on', (_, isWorn) => {
  expect(countOperations(fixture, bundle, isWorn)).toBeGreaterThan(bundle.length / 16);
  const states = new Set<string>();
  let cuts = 0;
  for (const { operation, moment, flash } of everyCut(fixture, bundle, isWorn)) {
    cuts += 1;
    const store = fixture.open(flash, () => HOUR_MS);
    const anchors = store.anchors('hub').map(hex);
    const expected = store.version === 1 ? oldAnchors : newAnchors;
    if (anchors.join() !== expected.join()) expect({ operation, moment, version: store.version, anchors }).toEqual({ operation, moment, version: store.version, anchors: expected });
    states.add(describeState(store));
    update(fixture, flash, bundle, () => HOUR_MS);
    const after = fixture.open(flash.clone());
    if (after.version !== 2 || after.phase !== 'kept') expect({ operation, moment, version: after.version, phase: after.phase }).toEqual({ operation, moment, version: 2, phase: 'kept' });
  }
  expect(states.size).toBeGreaterThan(4);
  allCuts += cuts;
  recordEvidence('root-power-cuts', allCuts);
  process.stderr.write(`power cuts on ${isWorn ? 'worn' : 'blank'} flash: ${cuts}; ${bundle.length} bytes; states: ${[...states].join('; ')}\n`);
}, 600_000);
