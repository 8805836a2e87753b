import { createHash, randomBytes } from 'node:crypto';

import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';

import type { DevelopmentPki } from '../../certs/development-pki.ts';
import { PART_BYTES } from '../../firmware/agent/roots/root-limits.ts';
import type { JsonObject } from '../../host-sim/hub/twins/json.ts';
import { BundleServer } from '../../host-sim/roots/bundle-server.ts';
import { HUB_NAME, SERVER_NAMES } from '../../host-sim/simulation/hub-side.ts';
import { buildAgent, type AgentPrograms } from '../fakes/agent-board.ts';
import { DEVICE_ID, type DeviceSettings } from '../fakes/agent-board-device.ts';
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

function offer({ hub }: HubBoard, desired: JsonObject): void {
  hub.twins.patch({ deviceId: DEVICE_ID }, { properties: { desired } });
}

function url(version: number): JsonObject {
  return { roots: { version, url: `http://${BUNDLE_HOST}/fleet/${version}.json` } };
}

function reportedRoots({ hub }: HubBoard): unknown {
  return hub.twins.read({ deviceId: DEVICE_ID }).reported.roots;
}

function digest(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex');
}

function partsOf(bytes: Uint8Array, version = 2): JsonObject[] {
  const parts = Math.ceil(bytes.length / PART_BYTES);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return Array.from({ length: parts }, (_, index) => ({ version, sha256, parts, index, part: Buffer.from(bytes.subarray(index * PART_BYTES, (index + 1) * PART_BYTES)).toString('base64url') }));
}

describe('a bundle offered by URL', () => {
  test('is fetched, tried beside the connection that works, and kept; the owner reads it in the twin', async () => {
    const run = await start();
    const { board, pki } = run;
    const asked = serve(run, { 2: await bundle([trusted(pki.root.certificateDer), trusted(other.root.certificateDer)]) });
    await board.untilEvent('connected');
    offer(run, url(2));
    await board.untilEvent('roots-passed', { version: 2 });
    await board.runFor(2000);
    expect(asked).toEqual(['200 /fleet/2.json']);
    expect(reportedRoots(run)).toEqual({ version: 2, state: 'committed', fingerprints: [digest(pki.root.certificateDer), digest(other.root.certificateDer)] });
    expect(board.events('disconnected')).toEqual([]);
    expect(board.events('connected')).toHaveLength(1);
  });

  test('reaches the hub under its new root afterwards, also after a restart', async () => {
    const run = await start({ ttl: 60 });
    const { board, pki } = run;
    serve(run, { 2: await bundle([trusted(pki.root.certificateDer), trusted(other.root.certificateDer)]) });
    await board.untilEvent('connected');
    offer(run, url(2));
    await board.untilEvent('roots-passed', { version: 2 });
    run.showChain(other);
    await board.untilEvent('renewed');
    await board.stop();
    board.start(programs);
    await board.untilEvent('connected');
    expect(board.events('open-failed')).toEqual([]);
  });

  test('comes link by link for a device that missed two of them, over two changes of keys', async () => {
    const run = await start();
    const { board, pki } = run;
    const roots = [trusted(pki.root.certificateDer), trusted(other.root.certificateDer)];
    const asked = serve(run, {
      2: await bundle([trusted(stranger.root.certificateDer)], { keys: keys.slice(2, 5), expires: '2026-12-02T00:00:00Z' }, [...keys.slice(0, 2), ...keys.slice(2, 4)]),
      3: await bundle([trusted(stranger.root.certificateDer)], { version: 3, keys: keys.slice(3, 6) }, keys.slice(2, 6)),
      4: await bundle(roots, { version: 4, keys: keys.slice(3, 6) }, keys.slice(4, 6)),
    });
    await board.untilEvent('connected');
    offer(run, url(4));
    await board.untilEvent('roots-passed', { version: 4 });
    expect(asked).toEqual(['200 /fleet/2.json', '200 /fleet/3.json', '200 /fleet/4.json']);
    expect(board.events('roots-committed').map(({ version, phase }) => [version, phase])).toEqual([[2, 'inner'], [3, 'inner'], [4, 'trial']]);
    expect(board.events('disconnected')).toEqual([]);
  });
});

describe('a bundle in parts', () => {
  test('comes by desired properties, in any order', async () => {
    const run = await start();
    const { board, pki } = run;
    const parts = partsOf(await bundle([trusted(pki.root.certificateDer), trusted(other.root.certificateDer)], { keys }, keys.slice(0, 4)));
    expect(parts.length).toBeGreaterThan(1);
    await board.untilEvent('connected');
    for (const [index, part] of [...parts.entries()].reverse()) offer(run, { [`rootsPart${index}`]: part });
    await board.untilEvent('roots-passed', { version: 2 });
  });

  test('comes by a direct method, one part a call, and the device says which it has', async () => {
    const run = await start();
    const { board, pki, hub } = run;
    const parts = partsOf(await bundle([trusted(pki.root.certificateDer), trusted(other.root.certificateDer)]));
    await board.untilEvent('connected');
    await board.runFor(1000);
    const answers: unknown[] = [];
    for (const payload of parts) {
      void hub.methods.invoke({ deviceId: DEVICE_ID }, { methodName: 'updateRoots', payload, responseTimeoutSeconds: 30, connectTimeoutSeconds: 0 }).then((answer) => answers.push(answer));
      await board.runFor(1000);
    }
    expect(answers.map((answer) => (answer as { status: number; payload: { have: number[] } }).payload.have)).toEqual([...parts.keys()].map((index) => (index === parts.length - 1 ? [] : [...parts.keys()].slice(0, index + 1))));
    await board.until('passed', () => board.events('roots-passed').length > 0);
  });
});

describe('roots that do not reach the hub', () => {
  test('are given up after three tries without the loss of a message, and the next version is taken', async () => {
    const run = await start();
    const { board, pki } = run;
    serve(run, {
      2: await bundle([trusted(stranger.root.certificateDer)]),
      3: await bundle([trusted(pki.root.certificateDer), trusted(other.root.certificateDer)], { version: 3 }),
    });
    await board.untilEvent('connected');
    offer(run, url(2));
    await board.untilEvent('roots-rolled-back', { version: 2 });
    await board.runFor(2000);
    expect(reportedRoots(run)).toMatchObject({ version: 2, state: 'rolledBack', fingerprints: [digest(pki.root.certificateDer)] });
    offer(run, url(3));
    await board.untilEvent('roots-passed', { version: 3 });
    await board.stop();
    expect(board.events('disconnected').filter(({ code }) => code !== 'STOPPED')).toEqual([]);
    expect(run.ledger.counts()).toMatchObject({ duplicated: 0 });
  });

  test('are tried again hours later', async () => {
    const run = await start({ interval: 60_000 });
    const { board } = run;
    serve(run, { 2: await bundle([trusted(stranger.root.certificateDer)]) });
    await board.untilEvent('connected');
    offer(run, url(2));
    const { atMs } = await board.untilEvent('roots-rolled-back', { version: 2 });
    const again = await board.untilEvent('roots-rolled-back', { version: 2 }, DAY_MS);
    expect(again.atMs - atMs).toBeGreaterThan(6 * 3_600_000);
    expect(again.atMs - atMs).toBeLessThan(13 * 3_600_000);
  });
});

describe('a hub that changed its root while the device was away', () => {
  test('is reached again by the next bundle from a plain HTTP server', async () => {
    const run = await start(RECOVERY);
    const { board, pki } = run;
    const asked = serve(run, { 2: await bundle([trusted(pki.root.certificateDer), trusted(other.root.certificateDer)]) });
    run.showChain(other);
    await board.untilEvent('connected');
    expect(asked).toEqual(['200 /2.json', '404 /3.json']);
    expect(board.events('open-failed').every(({ code }) => code === 'ERR_TLS_UNTRUSTED_ISSUER')).toBe(true);
  });

  test('is reached over an expired link that another follows', async () => {
    const run = await start(RECOVERY);
    const { board, pki } = run;
    const asked = serve(run, {
      2: await bundle([trusted(pki.root.certificateDer)], { expires: '2026-12-02T00:00:00Z' }),
      3: await bundle([trusted(other.root.certificateDer)], { version: 3 }),
    });
    run.showChain(other);
    await board.untilEvent('connected');
    expect(asked).toEqual(['200 /2.json', '200 /3.json', '200 /2.json', '200 /3.json', '404 /4.json']);
  });

  test('is not looked for elsewhere when it shows another name, as a captive portal does, or a certificate that has expired', async () => {
    const run = await start(RECOVERY);
    const { board } = run;
    const asked = serve(run, { 2: await bundle([trusted(other.root.certificateDer)]) });
    run.showChain(await createTestPki(['portal.test']));
    await board.runFor(3_600_000);
    expect(asked).toEqual([]);
    expect(new Set(board.events('open-failed').map(({ code }) => code))).toEqual(new Set(['ERR_TLS_HOSTNAME']));
  });
});

describe('an attacker on the path who holds a revoked CA', () => {
  test('never gets a TLS session after the bundle was verified, whatever it lets fail', async () => {
    const run = await start({ ...RECOVERY, ttl: 120 });
    const { board, pki, hubEvents } = run;
    serve(run, { 2: await bundle([trusted(other.root.certificateDer), revoked(createHash('sha256').update(pki.root.certificateDer).digest())]) });
    await board.untilEvent('connected');
    // From now on everything that the device reaches is the attacker's, under the CA that was stolen.
    offer(run, url(2));
    await board.untilEvent('roots-committed', { version: 2 });
    const from = board.lines.length;
    const sessionsBefore = hubEvents.filter(({ event }) => event === 'connectionOpened').length;
    await board.runFor(DAY_MS / 4);
    expect(hubEvents.filter(({ event }) => event === 'connectionOpened')).toHaveLength(sessionsBefore);
    expect(board.lines.slice(from).filter(({ event }) => event === 'connected' || event === 'renewed')).toEqual([]);
    expect(board.events('open-failed').length).toBeGreaterThan(100);
    expect(board.events('roots-rolled-back')).toEqual([]);
    run.showChain(other);
    await board.untilEvent('connected');
    await board.runFor(2000);
    expect(reportedRoots(run)).toMatchObject({ version: 2, state: 'committed', fingerprints: [digest(other.root.certificateDer)] });
  }, 240_000);
});

describe('a trial', () => {
  test('goes on over three days without a network, and ends with the new set', async () => {
    const run = await start({ ttl: 3600, interval: 60_000 });
    const { board } = run;
    serve(run, { 2: await bundle([trusted(other.root.certificateDer)]) });
    await board.untilEvent('connected');
    offer(run, url(2));
    await board.untilEvent('roots-committed', { version: 2 });
    const doors = new Map(board.tcp);
    board.tcp.clear();
    board.link.cut();
    await board.runFor(3 * DAY_MS);
    expect(board.events('roots-rolled-back')).toEqual([]);
    for (const [endpoint, accept] of doors) board.tcp.set(endpoint, accept);
    run.showChain(other);
    const from = board.lines.length;
    await board.until('connected', () => board.lines.slice(from).some(({ event }) => event === 'connected'));
    expect(board.lines.slice(from).some(({ event }) => event === 'roots-passed')).toBe(true);
  }, 240_000);

  test('is passed by a hub that answers CONNECT with 5', async () => {
    const run = await start({ ttl: 60 });
    const { board, pki, hub } = run;
    serve(run, { 2: await bundle([trusted(other.root.certificateDer), trusted(pki.root.certificateDer)]) });
    await board.untilEvent('connected');
    hub.registry.setEnabled(DEVICE_ID, false);
    await board.untilEvent('refused');
    expect(board.events('roots-rolled-back')).toEqual([]);
  });
});
