import { afterEach, beforeAll, expect, test } from '@jest/globals';

import type { BoardReport } from '../../host-sim/board/board.ts';
import { openHubBoard } from '../fakes/agent-board-hub.ts';
import { buildAgent, type AgentBoard, type AgentPrograms } from '../fakes/agent-board.ts';
import { seededRandom } from '../../host-sim/time/seeded-random.ts';
import { recordEvidence } from '../evidence.ts';

const KEY = new Uint8Array(32).fill(0x33);
const SEEDS = [21, 22];
const CUTS = 30;
const INTERVAL_MS = 200;
/** Of an interval: the message that began it is acknowledged, the next one not yet there. */
const QUIET_PHASE = 0.75;
const WITHIN_MS = 20_000;
const SILENCE_MS = 40_000;
const SILENCES = 5;
const DAY_MS = 24 * 3600 * 1000;
const MOMENT_BYTES = 128;

let programs: AgentPrograms;
let board: AgentBoard;
let cutsHeld = 0;

beforeAll(async () => {
  programs = await buildAgent();
}, 300_000);

afterEach(() => board.remove());

test.each(SEEDS)('thirty cuts of the link and five long silences, at random, lose nothing and grow no heap (seed %d)', async (seed) => {
  // A hub with grace: a device that is offline when its token ends does not count as expired there.
  const world = await openHubBoard({ key: KEY, seed, delayMs: 25, graceMs: 300_000, settings: { ttl: 20, interval: INTERVAL_MS, queue: 64 } });
  board = world.board;
  const random = seededRandom(seed);
  board.start(programs);
  const before = await quietReport();

  for (let cut = 0; cut < CUTS; ) {
    await board.runFor(WITHIN_MS * random());
    if (board.link.connectionCount > 0) cut += Number(board.link.cut() > 0);
  }
  for (let silence = 0; silence < SILENCES; silence++) {
    await board.runFor(WITHIN_MS * random());
    board.link.pause();
    await board.runFor(SILENCE_MS * random());
    board.link.resume();
  }

  const after = await quietReport();
  const { cHeapBytes, keys, aliases } = before;
  expect(after).toMatchObject({ cHeapBytes, keys, aliases });
  expect(after.heapBytes - before.heapBytes).toBeLessThanOrEqual(MOMENT_BYTES);
  expect(await board.stop()).toMatchObject({ code: 0 });
  const done = board.events('done')[0]!;
  expect(done['acked']).toBe(done['sent']);
  expect(world.ledger.counts().received).toBe(done['sent']);
  cutsHeld += CUTS;
  if (cutsHeld === SEEDS.length * CUTS) recordEvidence('link-cuts', cutsHeld);
});

/** Between two renewals, and between two messages. */
async function quietReport(): Promise<BoardReport> {
  await board.untilEvent('renewed', {}, DAY_MS);
  await board.untilEvent('renewed', {}, DAY_MS);
  const intervals = Math.ceil((board.clock.monotonicMs() + 1000) / INTERVAL_MS);
  await board.runFor((intervals + QUIET_PHASE) * INTERVAL_MS - board.clock.monotonicMs());
  return board.report();
}
