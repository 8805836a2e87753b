import { afterEach, beforeAll, expect, test } from '@jest/globals';

import { openHubBoard } from '../fakes/agent-board-hub.ts';
import { buildAgent, type AgentBoard, type AgentPrograms } from '../fakes/agent-board.ts';
import { recordEvidence } from '../evidence.ts';

const KEY = Uint8Array.from({ length: 32 }, (_, index) => index + 100);
const RENEWALS = 1000;
const WARM_UP_RENEWALS = 50;
const HOURS_5_MS = 5 * 3600 * 1000;
/** Budget of docs/architecture.md for the connected agent, 32 bits, a message a second. */
const MAX_HEAP_BYTES = 65_536;
/** What differs from one moment to another: a few slots of 16 bytes. One slot lost in each renewal would be 15 KB. */
const MOMENT_BYTES = 128;

let programs: AgentPrograms;
let board: AgentBoard;

beforeAll(async () => {
  programs = await buildAgent('32-bit');
}, 300_000);

afterEach(() => board.remove());

test('after a thousand renewals the heaps are as after the first fifty, and nothing was lost, duplicated or closed too early', async () => {
  const world = await openHubBoard({ key: KEY, settings: { ttl: 20, interval: 1000 } });
  board = world.board;
  let renewals = 0;
  board.onLine = ({ event }) => void (renewals += Number(event === 'renewed'));
  board.start(programs);
  await board.until(`${WARM_UP_RENEWALS} renewals`, () => renewals >= WARM_UP_RENEWALS, HOURS_5_MS);
  await board.runFor(1000);
  const early = await board.report();
  await board.until(`${RENEWALS} renewals`, () => renewals >= RENEWALS, HOURS_5_MS);
  await board.runFor(1000);
  const late = await board.report();
  console.info(`agent on the 32-bit board after ${RENEWALS} renewals: ${late.heapBytes} bytes of XS heap in use, ${late.reservedBytes} reserved, C heap ${String(late.cHeapBytes)}`);
  const { cHeapBytes, reservedBytes, keys, aliases } = early;
  expect(late).toMatchObject({ cHeapBytes, reservedBytes, keys, aliases });
  // A report collects garbage first: what is left to the collector shows in the peak.
  expect(late.cHeapPeakBytes).toBeLessThanOrEqual(early.cHeapPeakBytes!);
  expect(late.heapBytes - early.heapBytes).toBeLessThanOrEqual(MOMENT_BYTES);
  expect(reservedBytes).toBeLessThanOrEqual(MAX_HEAP_BYTES);
  expect(aliases).toBe(0);

  expect(await board.stop()).toMatchObject({ code: 0 });
  const done = board.events('done')[0]!;
  expect(done).toMatchObject({ dropped: 0, acked: done['sent'] });
  expect(world.ledger.counts()).toMatchObject({ received: done['sent'], duplicated: 0, oldClosedBeforeNew: 0, refused: 0, renewals, connects: renewals + 1 });
  recordEvidence('renewals-virtual', renewals);
}, 600_000);
