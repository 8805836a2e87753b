import { createHmac } from 'node:crypto';

import { afterEach, beforeAll, expect, test } from '@jest/globals';

import { Dps } from '../../host-sim/dps/dps.ts';
import type { DpsEvent } from '../../host-sim/dps/dps-events.ts';
import { createHub, type Hub } from '../../host-sim/hub/hub.ts';
import { createTlsServer } from '../../host-sim/hub/listen.ts';
import { DEFAULT_LIMITS } from '../../host-sim/hub/limits.ts';
import { Registry } from '../../host-sim/hub/registry/registry.ts';
import { answerNtp } from '../../host-sim/hub/time-servers/ntp-server.ts';
import { DEVICE_ID, type DeviceSettings } from '../fakes/agent-board-device.ts';
import { createTestPki } from '../fakes/agent-board-pki.ts';
import { AgentBoard, buildAgent, type AgentPrograms } from '../fakes/agent-board.ts';
import { recordEvidence } from '../evidence.ts';

const ID_SCOPE = '0ne0000C0DE';
const DPS_HOST = 'global.azure-devices-provisioning.net';
const [FIRST_HUB, SECOND_HUB, FOREIGN_HUB] = ['first.azure-devices.net', 'second.azure-devices.net', 'foreign.azure-devices.net'];
const NTP = '192.0.2.9';
const GROUP_KEY = Uint8Array.from({ length: 64 }, (_, index) => 255 - index);
const DEVICE_KEY = createHmac('sha256', GROUP_KEY).update(DEVICE_ID).digest();
/** A message every 500 ms; tokens of a minute. */
const SETTINGS: DeviceSettings = { interval: 500, ttl: 60, 'dps-scope': ID_SCOPE, 'dps-id': DEVICE_ID, ntp0: NTP, ntp1: NTP };
const DAY_MS = 24 * 3600 * 1000;

let programs: AgentPrograms;
let board: AgentBoard;
let passed = 0;

interface World {
  readonly dps: Dps;
  readonly hubs: Readonly<Record<string, Hub>>;
  readonly told: readonly DpsEvent[];
  /** Numbers of the messages that any hub has taken. */
  readonly received: Set<number>;
}

beforeAll(async () => {
  programs = await buildAgent('32-bit');
}, 300_000);

afterEach(() => board.remove());

/** A board that knows a service and its key, and three hubs; to the third it is not bound. */
async function openWorld({ key = DEVICE_KEY, settings = {} }: { readonly key?: Uint8Array; readonly settings?: DeviceSettings } = {}): Promise<World> {
  const names = [FIRST_HUB!, SECOND_HUB!, FOREIGN_HUB!];
  const pki = await createTestPki([...names, DPS_HOST]);
  board = new AgentBoard({
    roots: [pki.root.certificateDer],
    keys: [key],
    delayMs: 20,
    settings: { ...SETTINGS, ...settings },
    prefixes: [`${ID_SCOPE}/registrations/${DEVICE_ID}`, ...names.slice(0, 2).map((name) => `${name}/devices/${DEVICE_ID}`)],
  });
  const { clock } = board;
  const tls = { certificateChain: pki.serverChainPem, privateKey: pki.server.privateKeyPem };
  const received = new Set<number>();
  const serve = (name: string, address: string, accept: Parameters<typeof createTlsServer>[2]['accept']): void => {
    const server = createTlsServer(tls, DEFAULT_LIMITS, { accept, failed: () => {} });
    board.names.set(name, address);
    board.tcp.set(`${address}:8883`, (socket) => void server.emit('connection', socket));
  };
  const hubs = Object.fromEntries(names.map((hubName, index) => {
    const hub = createHub({ hubName, clock, registry: new Registry({ now: () => clock.now() }), graceMs: 0 });
    hub.onEvent((event) => {
      if (event.event === 'messageReceived') received.add((JSON.parse(Buffer.from(event.payload).toString()) as { n: number }).n);
    });
    serve(hubName, `192.0.2.${index + 1}`, (stream, peer) => hub.accept(stream, peer));
    return [hubName, hub];
  }));
  const told: DpsEvent[] = [];
  const dps = new Dps({ idScope: ID_SCOPE, clock, hubs: Object.values(hubs), emit: (event) => told.push(event) });
  serve(DPS_HOST, '192.0.2.8', (stream) => dps.accept(stream));
  board.udp.set(`${NTP}:123`, (query) => answerNtp(query, clock));
  dps.enrolments.set({ id: 'fleet', type: 'group', keys: { primary: GROUP_KEY, secondary: GROUP_KEY } });
  return { dps, hubs, told, received };
}

const moveTo = (dps: Dps, hubName: string): void => dps.enrolments.set({ id: 'fleet', type: 'group', keys: { primary: GROUP_KEY, secondary: GROUP_KEY }, hubName });

/** Every message that the application gave up to now has reached a hub. */
async function expectNothingLost({ received }: World): Promise<void> {
  await board.stop();
  const { sent, acked } = board.lines.findLast(({ event }) => event === 'done') as unknown as { readonly sent: number; readonly acked: number };
  expect(acked).toBe(sent);
  expect([...received].sort((a, b) => a - b)).toEqual(Array.from({ length: sent }, (_, index) => index + 1));
}

test('a board registers itself, goes online at the hub that it is assigned, and goes straight there after a restart', async () => {
  const world = await openWorld();
  board.start(programs);
  expect(await board.untilEvent('registering')).toMatchObject({ host: DPS_HOST, port: 8883 });
  expect(await board.untilEvent('registered')).toMatchObject({ hub: FIRST_HUB, moved: true, saved: true });
  await board.untilEvent('connected');
  await board.runFor(10_000);
  const first = await board.report();
  await expectNothingLost(world);
  expect(world.told.map(({ event }) => event)).toEqual(['dpsRegistering', 'dpsAssigned']);

  board.lines.length = 0;
  board.start(programs);
  await board.untilEvent('connected');
  await board.runFor(10_000);
  expect(board.events('registering')).toEqual([]);
  // What registered is gone: a board that never had to holds as much, but for the name of its hub.
  const second = await board.report();
  expect(first.heapBytes - second.heapBytes).toBeLessThanOrEqual(512);
  expect(first.cHeapBytes).toBe(second.cHeapBytes);
  passed += 1;
});

test('a board whose hub refuses it for good is moved to the hub that the service names, and every message it had queued arrives', async () => {
  const world = await openWorld();
  board.start(programs);
  await board.untilEvent('connected');
  await board.runFor(3000);
  moveTo(world.dps, SECOND_HUB!);
  world.hubs[FIRST_HUB!]!.registry.remove({ deviceId: DEVICE_ID });
  await board.untilEvent('refused', { returnCode: 5 });
  expect(await board.untilEvent('registered')).toMatchObject({ hub: SECOND_HUB, moved: true });
  await board.untilEvent('connected');
  await board.runFor(3000);
  // Not before the quick tries were used up.
  expect(board.events('refused').length).toBe(2);
  await expectNothingLost(world);
  passed += 1;
});

test('a hub that cannot be reached is asked for again at the service after ten failures in a row, and not before', async () => {
  const world = await openWorld({ settings: { interval: 10_000 } });
  board.start(programs);
  await board.untilEvent('connected');
  moveTo(world.dps, SECOND_HUB!);
  board.tcp.delete('192.0.2.1:8883');
  board.link.cut();
  expect(await board.untilEvent('registered', {}, DAY_MS)).toMatchObject({ hub: SECOND_HUB });
  // The lost connection is the first failure.
  expect(board.events('open-failed').length).toBe(9);
  await board.untilEvent('connected');
  await expectNothingLost(world);
  passed += 1;
});

test('no network: the board asks the service again with back-off, and is online when there is one', async () => {
  const world = await openWorld();
  const door = board.tcp.get('192.0.2.8:8883')!;
  board.tcp.delete('192.0.2.8:8883');
  board.start(programs);
  await board.runFor(600_000);
  const tries = board.events('registering').length;
  expect(tries).toBeGreaterThan(8);
  expect(tries).toBeLessThan(40);
  expect(board.events('registration-failed').every(({ code }) => code === 'ERR_TCP')).toBe(true);
  board.tcp.set('192.0.2.8:8883', door);
  await board.untilEvent('connected', {}, 300_000);
  expect(world.told.length).toBe(2);
  passed += 1;
});

test.each<{ what: string; key?: Uint8Array; break: (world: World) => void; mend: (world: World) => void; failure: object }>([
  { what: 'with a key that no enrolment has', break: ({ dps }) => void dps.enrolments.delete('group', 'fleet'), mend: ({ dps }) => moveTo(dps, FIRST_HUB!), failure: { code: 'ERR_DPS_UNAUTHORIZED', serviceCode: 401_002 } },
  { what: 'with a disabled enrolment', break: ({ dps }) => dps.enrolments.set({ id: DEVICE_ID, type: 'individual', keys: { primary: DEVICE_KEY, secondary: DEVICE_KEY }, enabled: false }), mend: ({ dps }) => void dps.enrolments.delete('individual', DEVICE_ID), failure: { code: 'ERR_DPS_DISABLED', serviceCode: 403_201 } },
  { what: 'to a hub that is not linked', break: ({ dps }) => moveTo(dps, 'nobody.azure-devices.net'), mend: ({ dps }) => moveTo(dps, FIRST_HUB!), failure: { code: 'ERR_DPS_FAILED', serviceCode: 404_204 } },
  { what: 'to a hub that its key may not sign for', break: ({ dps }) => moveTo(dps, FOREIGN_HUB!), mend: ({ dps }) => moveTo(dps, SECOND_HUB!), failure: { code: 'ERR_DPS_HUB' } },
])('a board $what says so, asks seldom, and goes online once that is put right', async ({ break: breakIt, mend, failure }) => {
  const world = await openWorld();
  breakIt(world);
  board.start(programs);
  expect(await board.untilEvent('registration-failed')).toMatchObject(failure);
  await board.runFor(3600_000);
  const tries = board.events('registering').length;
  expect(tries).toBeGreaterThanOrEqual(5);
  expect(tries).toBeLessThanOrEqual(14);
  expect(Object.values(world.hubs).flatMap((hub) => hub.identities())).toEqual([]);
  mend(world);
  await board.untilEvent('connected', {}, 1800_000);
  passed += 1;
});

test('power that goes between the answer of the service and its note costs one more question, and nothing else', async () => {
  const world = await openWorld();
  board.start(programs);
  await board.until('the assignment', () => world.told.some(({ event }) => event === 'dpsAssigned'));
  // The service knows, the board has not asked again yet.
  expect(board.events('registered')).toEqual([]);
  process.kill(board.pid, 'SIGKILL');
  await board.until('the end', () => !board.isRunning).catch(() => {});
  board.start(programs);
  await board.untilEvent('connected');
  expect(world.told.map(({ event }) => event)).toEqual(['dpsRegistering', 'dpsAssigned', 'dpsRegistering', 'dpsAssigned']);
  passed += 1;
  recordEvidence('board-dps', passed);
});
