import { afterAll, beforeAll, expect, test } from '@jest/globals';

import type { BoardReport } from '../../host-sim/board/board.ts';
import type { TimedLine } from '../fakes/agent-board.ts';
import { recordEvidence } from '../evidence.ts';
import { Arena, RECOVERY_LIMIT_MS } from './mqtt/arena.ts';
import { PACKET_CASES, type Stage } from './mqtt/packet-cases.ts';

/** How long a connection must hold to have survived: several messages are acknowledged in it. */
const WATCH_MS = 2000;

/** Small, so that the heap is the agent's and not that of the messages which wait while it is offline. */
const QUEUE = 16;

let arena: Arena;
let before: BoardReport;
let met = 0;

beforeAll(async () => {
  arena = await Arena.open({ interval: 500, queue: QUEUE });
  // A resumed TLS session, as all later ones, takes less memory than the first.
  arena.turn({});
  await arena.board.untilEvent('connected');
  await arena.board.runFor(10_000);
  before = await arena.board.report();
}, 300_000);

afterAll(() => arena.board.remove());

/** Comes online with `digits` and stays; gives the lines since then. */
async function live(stage: Stage, digits: string): Promise<readonly TimedLine[]> {
  arena.turn(arena.scriptOf(stage, digits));
  const connected = await arena.board.untilEvent('connected', {}, RECOVERY_LIMIT_MS);
  const acknowledged = arena.peer.acknowledged.size;
  await arena.board.runFor(WATCH_MS);
  expect(arena.peer.acknowledged.size).toBeGreaterThan(acknowledged);
  return arena.board.lines.slice(arena.board.lines.indexOf(connected) + 1).filter(({ event }) => event !== 'telemetry');
}

const expected = (says: Readonly<Record<string, unknown>> | undefined): unknown[] => (says === undefined ? [] : [expect.objectContaining(says)]);

test.each(PACKET_CASES)('[$rule] $name is met as told, its good twin is accepted, and nothing is lost', async ({ stage, good, bad, says, survives, goodSays, acknowledges }) => {
  expect(await live(stage, good)).toEqual(expected(goodSays));
  if (acknowledges !== undefined) expect(arena.peer.pubacks.pop()).toBe(acknowledges);
  if (survives) {
    expect(await live(stage, bad)).toEqual(expected(says));
    if (acknowledges !== undefined) expect(arena.peer.pubacks.pop()).toBe(acknowledges);
  } else {
    const before = arena.board.lines.length;
    arena.turn(arena.scriptOf(stage, bad));
    await arena.board.until('the loss', () => arena.board.lines.length > before);
    const { event, ...members } = says!;
    await arena.board.untilEvent(String(event), members);
  }
  await arena.recover();
  met++;
});

test('after all of them the board runs, its heaps are where they were, and every message has arrived', async () => {
  await arena.board.runFor(60_000);
  const after = await arena.board.report();
  const { cHeapBytes, heapBytes, reservedBytes, keys, aliases } = before;
  expect(after).toMatchObject({ cHeapBytes, heapBytes, reservedBytes, keys, aliases });
  // A report collects garbage first: what is left to the collector shows in the peak.
  expect(after.cHeapPeakBytes).toBeLessThanOrEqual(before.cHeapPeakBytes!);
  expect(await arena.board.stop()).toMatchObject({ code: 0 });
  const done = arena.board.events('done')[0]!;
  expect(done['acked']).toBe(done['sent']);
  expect(arena.peer.acknowledged.size).toBe(done['sent']);
  expect(met).toBe(PACKET_CASES.length);
  recordEvidence('mqtt-hostile-cases', PACKET_CASES.length);
});
