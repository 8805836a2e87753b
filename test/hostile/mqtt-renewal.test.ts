import { expect, test } from '@jest/globals';

import type { PeerScript } from '../fakes/agent-board-peer.ts';
import { recordEvidence } from '../evidence.ts';
import { Arena } from './mqtt/arena.ts';

/** A renewal meets a bad peer, while the first connection works: that one is not touched, and the next renewal succeeds. */

const LIFE_SECONDS = 300;
const INTERVAL_MS = 2000;
/** The pause before a CONNECT and behind one that is not answered: one round trip and 200 ms, then 2 s. */
const LONGEST_PAUSE_MS = 2500;

interface RenewalCase {
  readonly name: string;
  readonly bad: PeerScript;
  readonly says: Readonly<Record<string, unknown>>;
}

const answering = (digits: string): PeerScript => ({ onConnect: (connection) => connection.writeHex(digits) });

const CASES: readonly RenewalCase[] = [
  { name: 'a server that is silent on TCP', bad: { onTcp: () => {} }, says: { event: 'open-failed', code: 'ERR_TIMEOUT' } },
  { name: 'a server that breaks TCP', bad: { onTcp: (socket, peer) => void peer.clock.setTimer(1, () => socket.destroy()) }, says: { event: 'open-failed', code: 'ERR_TLS_CLOSED' } },
  { name: 'a server without TLS', bad: { onTcp: (socket) => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n') }, says: { event: 'open-failed', code: 'ERR_TLS_PROTOCOL' } },
  { name: 'a server that ends before CONNECT', bad: { onSecure: ({ socket }) => void socket.end() }, says: { event: 'open-failed', code: 'ERR_LINK_ENDED' } },
  { name: 'a server that ends at CONNECT', bad: { onConnect: ({ socket }) => void socket.end() }, says: { event: 'open-failed', code: 'ERR_LINK_ENDED' } },
  { name: 'a server that never answers CONNECT', bad: { onConnect: () => {} }, says: { event: 'open-failed', code: 'ERR_TIMEOUT' } },
  { name: 'a CONNACK that is malformed', bad: answering('20 02 02 00'), says: { event: 'open-failed', code: 'ERR_PROTOCOL' } },
  { name: 'a PUBACK in place of the CONNACK', bad: answering('40 02 00 01'), says: { event: 'open-failed', code: 'ERR_PROTOCOL' } },
  { name: 'a CONNACK with code 3', bad: answering('20 02 00 03'), says: { event: 'refused', returnCode: 3 } },
  { name: 'a CONNACK with code 5', bad: answering('20 02 00 05'), says: { event: 'refused', returnCode: 5 } },
];

let held = 0;

test.each(CASES)('a renewal that meets $name leaves the first connection in use; each message arrives once, and the next renewal succeeds', async ({ bad, says }) => {
  const arena = await Arena.open({ ttl: LIFE_SECONDS, interval: INTERVAL_MS });
  const { board, peer } = arena;
  try {
    peer.script = bad;
    const { event, ...members } = says;
    const failed = await board.untilEvent(String(event), { ...members, online: true });
    await board.until('the next renewal is under way', () => board.clock.monotonicMs() >= failed.atMs + LONGEST_PAUSE_MS || board.events('renewed').length > 0);
    expect(peer.received.every(({ connection }) => connection === 1)).toBe(true);
    peer.script = {};
    await board.untilEvent('renewed');
    expect(board.events('disconnected')).toEqual([]);
    await board.runFor(2000);
    expect(await board.stop()).toMatchObject({ code: 0 });

    const sent = Number(board.events('done')[0]!['sent']);
    expect(peer.received.map(({ n }) => n)).toEqual(Array.from({ length: sent }, (_, index) => index + 1));
    expect(peer.received.some(({ dup }) => dup)).toBe(false);
    expect(peer.longestGapMs).toBeLessThanOrEqual(INTERVAL_MS + LONGEST_PAUSE_MS);
    held++;
    if (held === CASES.length) recordEvidence('hostile-renewals', held);
  } finally {
    await board.remove();
  }
});
