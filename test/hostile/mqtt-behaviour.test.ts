import { afterAll, beforeAll, expect, test } from '@jest/globals';

import type { BoardReport } from '../../host-sim/board/board.ts';
import type { PeerScript } from '../fakes/agent-board-peer.ts';
import type { TimedLine } from '../fakes/agent-board.ts';
import { recordEvidence } from '../evidence.ts';
import { Arena, RECOVERY_LIMIT_MS } from './mqtt/arena.ts';
import { BEHAVIOUR_CASES } from './mqtt/behaviour-cases.ts';

const WATCH_MS = 2000;
const QUEUE = 16;

let shared: Arena;
let before: BoardReport;
let met = 0;

beforeAll(async () => {
  shared = await Arena.open({ interval: 500, queue: QUEUE });
  // A resumed TLS session, as all later ones, takes less memory than the first.
  shared.turn({});
  await shared.board.untilEvent('connected');
  await shared.board.runFor(10_000);
  before = await shared.board.report();
}, 300_000);

afterAll(() => shared.board.remove());

/** Comes online with the script and stays; gives what the agent says since then, messages excepted. */
async function live(arena: Arena, script: PeerScript, watchMs: number): Promise<readonly TimedLine[]> {
  arena.turn(script);
  const connected = await arena.board.untilEvent('connected', {}, RECOVERY_LIMIT_MS);
  const acknowledged = arena.peer.acknowledged.size;
  await arena.board.runFor(watchMs);
  expect(arena.peer.acknowledged.size).toBeGreaterThan(acknowledged);
  return arena.board.lines.slice(arena.board.lines.indexOf(connected) + 1).filter(({ event }) => !['telemetry', 'message', 'oversize', 'ignored'].includes(String(event)));
}

test.each(BEHAVIOUR_CASES)('$name: met as told, the good twin is accepted, and nothing is lost', async ({ good, bad, says, settings, watchMs = WATCH_MS }) => {
  const arena = settings === undefined ? shared : await Arena.open(settings);
  try {
    expect(await live(arena, good, watchMs)).toEqual([]);
    if (says === undefined) {
      expect(await live(arena, bad, watchMs)).toEqual([]);
    } else {
      const { event, ...members } = says;
      const lineCount = arena.board.lines.length;
      arena.turn(bad);
      await arena.board.until('the loss', () => arena.board.lines.length > lineCount);
      await arena.board.untilEvent(String(event), members);
    }
    await arena.recover();
    expect(arena.board.isRunning).toBe(true);
    met++;
  } finally {
    if (arena !== shared) await arena.board.remove();
  }
});

test('after all of them the board runs, its heaps are where they were, and every message has arrived', async () => {
  await shared.board.runFor(60_000);
  const after = await shared.board.report();
  const { cHeapBytes, heapBytes, reservedBytes, keys, aliases } = before;
  expect(after).toMatchObject({ cHeapBytes, heapBytes, reservedBytes, keys, aliases });
  // A report collects garbage first: what is left to the collector shows in the peak.
  expect(after.cHeapPeakBytes).toBeLessThanOrEqual(before.cHeapPeakBytes!);
  expect(await shared.board.stop()).toMatchObject({ code: 0 });
  const done = shared.board.events('done')[0]!;
  expect(done['acked']).toBe(done['sent']);
  expect(shared.peer.acknowledged.size).toBe(done['sent']);
  expect(met).toBe(BEHAVIOUR_CASES.length);
  recordEvidence('mqtt-hostile-behaviours', BEHAVIOUR_CASES.length);
});
