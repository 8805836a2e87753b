import { afterEach, beforeAll, expect, test } from '@jest/globals';

import type { HubEvent } from '../../host-sim/hub/events.ts';
import type { DeviceSettings } from '../fakes/agent-board-device.ts';
import { openHubBoard } from '../fakes/agent-board-hub.ts';
import { buildAgent, type AgentBoard, type AgentPrograms } from '../fakes/agent-board.ts';
import { recordEvidence } from '../evidence.ts';

const KEY = Uint8Array.from({ length: 32 }, (_, index) => 200 - index);
const SECOND_MS = 1000;
const HOUR_MS = 3600 * SECOND_MS;
const DAY_MS = 24 * HOUR_MS;
/** Of a token's life: docs/architecture.md, decision 6. */
const RENEW_FROM = 0.65;
const RENEW_TO = 0.8;
/** No timer of the chip waits longer, nor do its ticks count further without a wrap. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

interface LifeCase {
  readonly name: string;
  readonly lifeMs: number;
  readonly delayMs: number;
  readonly renewals: number;
  /** Between the messages that reached the hub, 10 ms interval. */
  readonly maxGapMs?: number;
  readonly settings: DeviceSettings;
}

/** More waits while the board comes online than the usual queue holds. */
const FAST: DeviceSettings = { interval: 10, queue: 512 };

const LIVES: readonly LifeCase[] = [
  { name: '5 s, no delay', lifeMs: 5 * SECOND_MS, delayMs: 0, renewals: 4, maxGapMs: 60, settings: { ...FAST } },
  { name: '5 s, no delay, pipelined', lifeMs: 5 * SECOND_MS, delayMs: 0, renewals: 4, maxGapMs: 60, settings: { ...FAST, pipeline: 1 } },
  { name: '5 s, 50 ms, pipelined', lifeMs: 5 * SECOND_MS, delayMs: 50, renewals: 4, maxGapMs: 260, settings: { ...FAST, pipeline: 1 } },
  { name: '5 s, 150 ms', lifeMs: 5 * SECOND_MS, delayMs: 150, renewals: 4, maxGapMs: 670, settings: { ...FAST } },
  { name: '20 s, no delay', lifeMs: 20 * SECOND_MS, delayMs: 0, renewals: 2, maxGapMs: 60, settings: { ...FAST } },
  { name: '20 s, 150 ms, pipelined', lifeMs: 20 * SECOND_MS, delayMs: 150, renewals: 2, maxGapMs: 670, settings: { ...FAST, pipeline: 1 } },
  { name: '1 h', lifeMs: HOUR_MS, delayMs: 50, renewals: 5, settings: { interval: 60 * SECOND_MS } },
  { name: '1 day', lifeMs: DAY_MS, delayMs: 150, renewals: 3, settings: { interval: 600 * SECOND_MS } },
  { name: '60 days, longer than a timer of the chip', lifeMs: 60 * DAY_MS, delayMs: 50, renewals: 1, settings: { interval: 6 * HOUR_MS, keepalive: 1177 } },
];

let programs: AgentPrograms;
let board: AgentBoard;
let livesHeld = 0;

beforeAll(async () => {
  programs = await buildAgent();
}, 300_000);

afterEach(() => board.remove());

const connectsOf = (events: readonly HubEvent[]): Extract<HubEvent, { event: 'connected' }>[] => events.filter((event) => event.event === 'connected');

test.each(LIVES)('a token of $name is renewed at 65 to 80 % of its life; nothing is lost, duplicated or late', async ({ lifeMs, delayMs, renewals, maxGapMs, settings }) => {
  const { board: opened, ledger, hubEvents } = await openHubBoard({ key: KEY, delayMs, settings: { ...settings, ttl: lifeMs / 1000 } });
  board = opened;
  board.start(programs);
  await board.until(`${renewals} renewals`, () => board.events('renewed').length >= renewals, (renewals + 1) * lifeMs);
  await board.runFor(2 * delayMs + 1000);
  expect(await board.stop()).toMatchObject({ code: 0 });

  const done = board.events('done')[0]!;
  expect(done).toMatchObject({ dropped: 0, acked: done['sent'] });
  const counts = ledger.counts();
  expect(counts).toMatchObject({ received: done['sent'], duplicated: 0, oldClosedBeforeNew: 0, refused: 0, renewals, connects: renewals + 1 });
  if (maxGapMs !== undefined) expect(counts.maxGapMs).toBeLessThanOrEqual(maxGapMs);
  const connects = connectsOf(hubEvents);
  for (const [index, { at }] of connects.slice(1).entries()) {
    const signedAtMs = connects[index]!.expirySeconds * 1000 - lifeMs;
    // The expiry is in whole seconds, and the CONNECT needs its time to leave and to arrive.
    expect(at - signedAtMs).toBeGreaterThanOrEqual(RENEW_FROM * lifeMs - 1000);
    expect(at - signedAtMs).toBeLessThanOrEqual(RENEW_TO * lifeMs + 1000 + 4 * delayMs);
  }
  if (lifeMs > LONGEST_TIMER_MS) expect(board.clock.monotonicMs()).toBeGreaterThan(LONGEST_TIMER_MS);
  livesHeld++;
  if (livesHeld === LIVES.length) recordEvidence('renewal-lives', livesHeld);
});
