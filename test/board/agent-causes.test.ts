import { randomBytes } from 'node:crypto';

import { afterEach, beforeAll, expect, test } from '@jest/globals';

import { VIRTUAL_START_MS } from '../../host-sim/simulation/world.ts';
import type { HubEvent } from '../../host-sim/hub/events.ts';
import { DEVICE_ID } from '../fakes/agent-board-device.ts';
import { openHubBoard, type HubBoard } from '../fakes/agent-board-hub.ts';
import { buildAgent, type AgentPrograms } from '../fakes/agent-board.ts';
import { recordEvidence } from '../evidence.ts';

/** Why the hub refuses, and that the agent says it right: a wrong clock and a wrong key look the same in MQTT (CONNACK 5). */

const KEY = new Uint8Array(32).fill(0x11);
const SECOND_KEY = new Uint8Array(32).fill(0x22);
const DEVICE = { deviceId: DEVICE_ID };
const LIFE_MS = 20_000;
const DAY_MS = 24 * 3600 * 1000;
/** So that one thing comes after the other. */
const DELAY_MS = 10;
const MAX_CONNECTS_IN_15_S = 3;

let programs: AgentPrograms;
let world: HubBoard;
let causesHeld = 0;

beforeAll(async () => {
  programs = await buildAgent();
}, 300_000);

afterEach(() => world.board.remove());

const momentsOf = (name: HubEvent['event']): number[] => world.hubEvents.filter(({ event }) => event === name).map(({ monotonicMs }) => monotonicMs);

/** No more CONNECTs than allowed in any 15 s that begin with a refusal. */
function expectRestraint(): void {
  const connects = momentsOf('connectReceived');
  const refusals = momentsOf('refused');
  expect(refusals.length).toBeGreaterThan(0);
  for (const first of refusals) expect(connects.filter((moment) => moment >= first && moment < first + 15_000).length).toBeLessThanOrEqual(MAX_CONNECTS_IN_15_S);
}

async function expectAllReceived(): Promise<void> {
  expect(await world.board.stop()).toMatchObject({ code: 0 });
  const done = world.board.events('done')[0]!;
  expect(done['acked']).toBe(done['sent']);
  expect(world.ledger.counts()).toMatchObject({ received: done['sent'] });
  causesHeld++;
}

test('a hub that has a new primary key is answered with the secondary one, without a loss and without going offline', async () => {
  world = await openHubBoard({ key: KEY, delayMs: DELAY_MS, keys: [KEY, SECOND_KEY], settings: { ttl: LIFE_MS / 1000, interval: 500, slots: '0,1' } });
  const { board, hub } = world;
  hub.registry.setKeys(DEVICE, { primary: KEY, secondary: SECOND_KEY });
  board.start(programs);
  await board.untilEvent('renewed');
  hub.registry.setKeys(DEVICE, { primary: randomBytes(32), secondary: SECOND_KEY });
  await board.untilEvent('refused', { online: true });
  await board.untilEvent('credential-refused', { keyIndex: 0, clockChecked: true });
  await board.untilEvent('renewed');
  expect(world.hubEvents.findLast(({ event }) => event === 'connected')).toMatchObject({ key: 'secondary' });
  expect(board.events('disconnected')).toEqual([]);
  expectRestraint();
  await expectAllReceived();
});

test('a wrong key is reported as a refused credential, with the old connection in use until its token ends, and a slow probe after it', async () => {
  world = await openHubBoard({ key: KEY, delayMs: DELAY_MS, settings: { ttl: LIFE_MS / 1000, interval: 500, queue: 1024 } });
  const { board, hub } = world;
  board.start(programs);
  await board.untilEvent('renewed');
  const from = board.clock.monotonicMs();
  hub.registry.setKeys(DEVICE, { primary: randomBytes(32), secondary: randomBytes(32) });
  await board.untilEvent('credential-refused', { clockChecked: true });
  const ended = await board.untilEvent('disconnected', { code: 'ERR_TOKEN_ENDED' });
  // Telemetry went on: the hub has a message for every half second up to the end of the token.
  expect(momentsOf('messageReceived').filter((moment) => moment >= from).length).toBeGreaterThanOrEqual(Math.floor((ended.atMs - from) / 500) - 2);
  await board.runFor(60_000);
  expectRestraint();
  hub.registry.setKeys(DEVICE, { primary: KEY, secondary: KEY });
  await board.untilEvent('connected');
  expect(board.events('clock-wrong')).toEqual([]);
  await expectAllReceived();
});

test('a board whose clock is days behind while NTP is silent is refused, learns the time, says that the clock was wrong, and is taken', async () => {
  const offMs = 10 * DAY_MS;
  world = await openHubBoard({ key: KEY, delayMs: DELAY_MS, settings: { ttl: 3600, interval: 500 }, deviceClockMs: VIRTUAL_START_MS - offMs, notBefore: new Date(VIRTUAL_START_MS - 2 * offMs) });
  const { board } = world;
  const [ntp, date] = [new Map(board.udp), board.tcp.get('192.0.2.1:443')!];
  board.udp.clear();
  board.tcp.delete('192.0.2.1:443');
  board.start(programs);
  await board.untilEvent('clock', { level: 'network' });
  for (const [endpoint, answer] of ntp) board.udp.set(endpoint, answer);
  await board.untilEvent('refused', { returnCode: 5 });
  const wrong = await board.untilEvent('clock-wrong');
  expect(Math.abs(Number(wrong['offMs']) - offMs)).toBeLessThan(2000);
  await board.untilEvent('connected');
  board.tcp.set('192.0.2.1:443', date);
  expect(board.events('credential-refused')).toEqual([]);
  expectRestraint();
  await expectAllReceived();
});

test('without anybody who knows the time a refusal is reported as one that the clock may explain', async () => {
  world = await openHubBoard({ key: KEY, delayMs: DELAY_MS, settings: { ttl: 3600, interval: 500, queue: 1024 } });
  const { board, hub } = world;
  board.udp.clear();
  board.tcp.delete('192.0.2.1:443');
  hub.registry.setKeys(DEVICE, { primary: randomBytes(32), secondary: randomBytes(32) });
  board.start(programs);
  await board.untilEvent('credential-refused', { clockChecked: false });
  await board.runFor(60_000);
  expectRestraint();
  hub.registry.setKeys(DEVICE, { primary: KEY, secondary: KEY });
  await board.untilEvent('connected');
  await expectAllReceived();
});

test('a board of 1970 comes online by NTP, and saves no floor before HTTPS has confirmed the time', async () => {
  world = await openHubBoard({ key: KEY, delayMs: DELAY_MS, settings: { ttl: LIFE_MS / 1000, interval: 500 }, deviceClockMs: 0 });
  const { board } = world;
  board.start(programs);
  await board.untilEvent('clock', { level: 'confirmed' });
  await board.untilEvent('renewed');
  expect(board.events('clock').map(({ level }) => level)).toEqual(['unset', 'network', 'confirmed']);
  expect(board.events('refused')).toEqual([]);
  await expectAllReceived();
  expect(causesHeld).toBe(5);
  recordEvidence('renewal-scenarios', causesHeld);
});
