import { afterAll, beforeAll, expect, test } from '@jest/globals';

import type { PeerScript } from '../fakes/agent-board-peer.ts';
import { recordEvidence } from '../evidence.ts';
import { Arena, RECOVERY_LIMIT_MS } from './mqtt/arena.ts';
import { BEHAVIOUR_CASES } from './mqtt/behaviour-cases.ts';
import { PACKET_CASES } from './mqtt/packet-cases.ts';

/** What the agent says once it has found the server, in this or that state. */
const MEETINGS = ['connected', 'open-failed', 'refused'];
/** Long enough for what comes behind the CONNACK, and for a time-out. */
const MEETING_MS = 12_000;

let arena: Arena;

beforeAll(async () => {
  arena = await Arena.open({ interval: 2000 }, 'asan');
}, 300_000);

afterAll(() => arena.board.remove());

test('a board with AddressSanitizer and UndefinedBehaviorSanitizer meets every bad server of the tables and ends well', async () => {
  const scripts: PeerScript[] = [...PACKET_CASES.map(({ stage, bad }) => arena.scriptOf(stage, bad)), ...BEHAVIOUR_CASES.map(({ bad }) => bad)];
  for (const script of scripts) {
    const from = arena.board.lines.length;
    arena.turn(script);
    await arena.board.until('the meeting', () => arena.board.lines.slice(from).some(({ event }) => MEETINGS.includes(String(event))), RECOVERY_LIMIT_MS);
    await arena.board.runFor(MEETING_MS);
    await arena.recover();
  }
  expect(await arena.board.stop()).toEqual({ code: 0, signal: null, talk: '' });
  const done = arena.board.events('done')[0]!;
  expect(done['acked']).toBe(done['sent']);
  recordEvidence('mqtt-hostile-sanitized', scripts.length);
});
