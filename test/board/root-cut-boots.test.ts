import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { LOG_FIRST_BLOCK } from '../../firmware/agent/roots/root-flash.ts';
import { encodeKey } from '../../host-sim/hub/access/symmetric-key.ts';
import { DeviceRecord } from '../../host-sim/simulation/board-events.ts';
import { writeDeviceFolder } from '../../host-sim/simulation/device-folder.ts';
import { buildFirmwareForBoard, type BuiltFirmware } from '../../host-sim/simulation/firmware.ts';
import { createHubSide, HUB_NAME, SERVER_NAMES, virtualServices } from '../../host-sim/simulation/hub-side.ts';
import { openLocalPki, type LocalPki } from '../../host-sim/simulation/local-pki.ts';
import { runVirtual } from '../../host-sim/simulation/run-virtual.ts';
import { VIRTUAL_START_MS } from '../../host-sim/simulation/world.ts';
import { Link } from '../../host-sim/time/link.ts';
import { VirtualClock } from '../../host-sim/time/virtual-clock.ts';
import { VirtualNetwork } from '../../host-sim/time/virtual-network.ts';
import { recordEvidence } from '../evidence.ts';
import type { NorFlash } from '../fakes/nor-flash.ts';
import { BUNDLE_HUB, pointsOf } from '../fakes/root-bundles.ts';
import { bundleOf8KB, describeState, everyCut } from '../fakes/root-cuts.ts';
import { BLOCK_BYTES, RootFixture } from '../fakes/root-fixture.ts';

/** What was reported is acknowledged by then, and a trial is over. */
const DURATION_MS = 20_000;
/** Boards that run at once. */
const BATCH = 64;

/** Flash as a power cut left it. */
interface Image {
  readonly deviceId: string;
  readonly state: string;
  readonly version: number;
  /** The parts of a whole bundle are there: a boot goes on with it. */
  readonly isComplete: boolean;
  readonly bytes: Buffer;
}

let pki: LocalPki;
let fixture: RootFixture;
let bundle: Uint8Array;
let firmware: BuiltFirmware;
let folder: string;

beforeAll(async () => {
  firmware = await buildFirmwareForBoard(64, () => {});
  pki = await openLocalPki(SERVER_NAMES, VIRTUAL_START_MS, 'virtual');
  fixture = await RootFixture.create(pki.rootDer);
  // Both sets reach the hub.
  bundle = await bundleOf8KB(fixture, pki.rootDer, { hubs: [BUNDLE_HUB, HUB_NAME], idScopes: [], devices: '*' });
  folder = mkdtempSync(join(tmpdir(), 'latchkey-cuts-'));
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** One image for each state that a store makes of it, and for each content of the log that says so. */
function distinctImages(isWorn: boolean): { readonly cuts: number; readonly images: readonly Image[] } {
  const images = new Map<string, Image>();
  let cuts = 0;
  for (const { flash } of everyCut(fixture, bundle, isWorn)) {
    cuts += 1;
    const store = fixture.open(flash);
    const anchors = store.anchors('hub').map((der) => createHash('sha256').update(new Uint8Array(der)).digest('hex'));
    const log = bytesOf(flash, LOG_FIRST_BLOCK, 2);
    const key = [describeState(store), ...anchors, createHash('sha256').update(log).digest('hex')].join();
    if (images.has(key)) continue;
    const deviceId = `${isWorn ? 'worn' : 'blank'}-${images.size + 1}`;
    images.set(key, { deviceId, state: describeState(store), version: store.version, isComplete: store.isComplete, bytes: bytesOf(flash, 0, flash.blocks) });
  }
  return { cuts, images: [...images.values()] };
}

function bytesOf(flash: NorFlash, first: number, blocks: number): Buffer {
  return Buffer.from(flash.read(blocks * BLOCK_BYTES, first * BLOCK_BYTES));
}

/** Boots a board from each; what each reports of its roots, `undefined` for one that did not connect. */
async function boot(images: readonly Image[]): Promise<ReadonlyMap<string, unknown>> {
  const clock = new VirtualClock(VIRTUAL_START_MS);
  const connected = new Set<string>();
  const side = createHubSide(clock, 0, (event) => void (event.event === 'connected' && connected.add(event.deviceId)));
  const { services, places } = virtualServices(side, pki, clock);
  const devices = images.map(({ deviceId, bytes }, index) => {
    const key = createHash('sha256').update(deviceId).digest();
    side.hub.registry.add({ deviceId }, { keys: { primary: key, secondary: key } });
    const deviceFolder = join(folder, deviceId);
    mkdirSync(deviceFolder);
    writeFileSync(join(deviceFolder, 'flash.bin'), bytes);
    writeDeviceFolder(deviceFolder, {
      hub: HUB_NAME, deviceId, port: places.hub.port, roots: [pki.rootDer], tokenLifeSeconds: 3600, telemetryIntervalMs: 1000, durationMs: DURATION_MS,
      ntp: places.ntp.map(({ address, port }) => `${address}:${port}`), date: `localhost:${places.date.port}`,
      updates: { keys: pointsOf(fixture.keys.slice(0, 3)), threshold: 2 },
      credential: { type: 'key', keyBase64: encodeKey(key) },
    });
    return { record: new DeviceRecord(deviceId, () => {}), folder: deviceFolder, seed: index };
  });
  await runVirtual({ devices, firmware, deviceClockMs: undefined, stop: new AbortController().signal }, clock, new VirtualNetwork(new Link({ clock, delayMs: 5 }), services));
  const reported = new Map(images.map(({ deviceId }) => [deviceId, connected.has(deviceId) ? side.hub.twins.read({ deviceId }).reported['roots'] : undefined]));
  await side.hub.close();
  return reported;
}

test('a board boots from every flash state that a power cut in an update leaves, and connects with the old or the new set', async () => {
  const fingerprint = (der: Uint8Array): string => createHash('sha256').update(der).digest('hex');
  const old = { version: 1, state: 'committed', fingerprints: [fingerprint(pki.rootDer)] };
  const renewed = { version: 2, state: 'committed', fingerprints: [fixture.newRoot, fixture.otherRoot, pki.rootDer].map(fingerprint) };
  const found = [distinctImages(false), distinctImages(true)];
  const images = found.flatMap((each) => each.images);
  const wrong: unknown[] = [];
  const states = new Set<string>();
  for (let at = 0; at < images.length; at += BATCH) {
    const batch = images.slice(at, at + BATCH);
    const reported = await boot(batch);
    for (const { deviceId, state, version, isComplete } of batch) {
      const expected = version === 2 || isComplete ? renewed : old;
      const roots = reported.get(deviceId);
      states.add(`${state} -> ${expected.version}`);
      if (JSON.stringify(sorted(roots)) !== JSON.stringify(sorted(expected))) wrong.push({ deviceId, state, roots, expected });
    }
  }
  expect(wrong).toEqual([]);
  expect([...states].some((state) => state.endsWith('1')) && [...states].some((state) => state.endsWith('2'))).toBe(true);
  const cuts = found.reduce((sum, each) => sum + each.cuts, 0);
  process.stderr.write(`power cuts: ${cuts}; boards booted from ${images.length} distinct flash states: ${[...states].join('; ')}\n`);
  recordEvidence('root-power-cut-boots', images.length);
}, 600_000);

function sorted(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value;
}
