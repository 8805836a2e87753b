import { createHash, randomBytes } from 'node:crypto';

import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';

import type { DevelopmentPki } from '../../certs/development-pki.ts';
import { BundleServer } from '../../host-sim/roots/bundle-server.ts';
import { HUB_NAME, SERVER_NAMES } from '../../host-sim/simulation/hub-side.ts';
import { buildAgent, type AgentPrograms } from '../fakes/agent-board.ts';
import type { DeviceSettings } from '../fakes/agent-board-device.ts';
import { openHubBoard, type HubBoard } from '../fakes/agent-board-hub.ts';
import { createTestPki } from '../fakes/agent-board-pki.ts';
import { makeBundle, makeUpdateKey, pointsOf, revoked, trusted, type BundleMembers, type UpdateKey } from '../fakes/root-bundles.ts';

const BUNDLE_HOST = 'roots.test';
const BUNDLE_ADDRESS = '192.0.2.9';
const DAY_MS = 24 * 3600 * 1000;
const RECOVERY = { recovery: BUNDLE_HOST, rfails: 3, rover: 5000, rpause: 2000 } as const;

let programs: AgentPrograms;
let keys: UpdateKey[];
/** A chain under another root, and one that the hub never has. */
let other: DevelopmentPki;
let stranger: DevelopmentPki;
let open: HubBoard | undefined;

beforeAll(async () => {
  programs = await buildAgent('32-bit');
  keys = await Promise.all(Array.from({ length: 6 }, makeUpdateKey));
  [other, stranger] = [await createTestPki(SERVER_NAMES), await createTestPki(SERVER_NAMES)];
}, 300_000);

afterEach(() => open?.board.remove());

/** A hub with a device whose image has the hub's root and three update keys, of which two must sign. */
async function start(settings: DeviceSettings = {}): Promise<HubBoard> {
  open = await openHubBoard({ key: randomBytes(32), updateKeys: pointsOf(keys.slice(0, 3)), settings: { interval: 500, rneed: 2, ...settings } });
  open.board.names.set(BUNDLE_HOST, BUNDLE_ADDRESS);
  open.board.start(programs);
  return open;
}

function bundle(roots: readonly object[], members: Partial<BundleMembers> = {}, signers = keys.slice(0, 2)): Promise<Uint8Array> {
  return makeBundle({
    version: 2, roots, keys: keys.slice(0, 3), threshold: 2,
    issuedAt: '2026-12-01T00:00:00Z', expires: '2028-01-01T00:00:00Z', audience: { hubs: [HUB_NAME], idScopes: [], devices: '*' },
    ...members,
  }, signers);
}

/** Serves bundles by version on the virtual network; tells what was asked for. */
function serve({ board }: HubBoard, bundles: Readonly<Record<number, Uint8Array>>): string[] {
  const asked: string[] = [];
  const server = new BundleServer((version) => bundles[version], (path, status) => asked.push(`${status} ${path}`));
  board.tcp.set(`${BUNDLE_ADDRESS}:80`, (socket) => server.accept(socket));
  return asked;
}

describe('an attacker on the path with the CA of a root that a later bundle revokes, and that bundle withheld', () => {
  test('gets no TLS session out of an expired link: the device trusts nobody until the link behind it comes', async () => {
    const run = await start(RECOVERY);
    const { board, pki, hubEvents } = run;
    const revokes = (der: Uint8Array): object => revoked(createHash('sha256').update(der).digest());
    const bundles: Record<number, Uint8Array> = {
      2: await bundle([trusted(other.root.certificateDer), revokes(pki.root.certificateDer)], { expires: '2026-12-02T00:00:00Z' }),
      3: Buffer.from('what is no bundle, and makes the expired one look like an inner link'),
    };
    const last = await bundle([trusted(stranger.root.certificateDer), revokes(other.root.certificateDer)], { version: 3 });
    serve(run, bundles);
    // Everything that the device reaches is the attacker's.
    run.showChain(other);
    await board.untilEvent('roots-committed', { version: 2, phase: 'inner' });
    await board.runFor(6 * 3_600_000);
    expect(hubEvents.filter(({ event }) => event === 'connectionOpened')).toEqual([]);
    expect(board.events('connected')).toEqual([]);
    bundles[3] = last;
    run.showChain(stranger);
    await board.untilEvent('roots-passed', { version: 3 }, DAY_MS);
    await board.until('connected', () => board.events('connected').length > 0);
  });
});
