import { afterAll, beforeAll, expect, test } from '@jest/globals';

import type { PeerConnection, PeerScript } from '../fakes/agent-board-peer.ts';
import { recordEvidence } from '../evidence.ts';
import { Arena, RECOVERY_LIMIT_MS } from './mqtt/arena.ts';
import { cloudMessage } from './mqtt/bytes.ts';

const SWALLOW: PeerScript = { onPublish: () => {} };

let arena: Arena;

beforeAll(async () => {
  arena = await Arena.open({ interval: 500, queue: 16 });
}, 300_000);

afterAll(() => arena.board.remove());

const LIES = [
  { name: 'a server that kept the session', isFresh: false, claims: true },
  { name: 'a server that kept the session and denies it', isFresh: false, claims: false },
  { name: 'a fresh server', isFresh: true, claims: false },
  { name: 'a fresh server that claims a session', isFresh: true, claims: true },
];

test.each(LIES)('$name is sent again what is not acknowledged, with the same id and DUP', async ({ isFresh, claims }) => {
  arena.peer.script = SWALLOW;
  await arena.board.runFor(1800);
  const old = arena.peer;
  const unacknowledged = old.received.filter(({ n }) => !old.acknowledged.has(n));
  expect(unacknowledged.length).toBeGreaterThanOrEqual(3);
  if (isFresh) arena.replacePeer();
  const { peer } = arena;
  const count = peer.received.length;
  arena.turn({ onConnect: (connection) => connection.send({ cmd: 'connack', returnCode: 0, sessionPresent: claims }) });
  await arena.board.untilEvent('connected', { sessionPresent: claims }, RECOVERY_LIMIT_MS);
  await arena.board.runFor(2000);
  expect(peer.received.slice(count, count + unacknowledged.length)).toEqual(
    unacknowledged.map(({ n, packetId }) => expect.objectContaining({ n, packetId, dup: true, connection: peer.connections.length })),
  );
  expect(peer.received.slice(count).every(({ n }) => peer.acknowledged.has(n))).toBe(true);
});

test('CONNACK, PUBACK and PUBLISH are understood however they are split', async () => {
  await arena.recover();
  const { peer } = arena;
  const streamLength = 4 + 4 + cloudMessage(4, 1).replaceAll(' ', '').length / 2;
  let splits = 0;
  for (let splitAt = 1; splitAt < streamLength; splitAt++) {
    peer.script = SWALLOW;
    await arena.board.runFor(600);
    const last = peer.received.at(-1)!;
    expect(peer.acknowledged.has(last.n)).toBe(false);
    const write = (connection: PeerConnection): void => {
      const stream = `20020100 4002${hex(last.packetId)} ${cloudMessage(4, splitAt)}`.replaceAll(' ', '');
      peer.acknowledged.add(last.n);
      connection.writeHex(stream.slice(0, 2 * splitAt));
      connection.hold(5);
      connection.writeHex(stream.slice(2 * splitAt));
    };
    const lineCount = arena.board.lines.length;
    arena.turn({ onConnect: write });
    await arena.board.until(`the answer to the message behind split ${splitAt}`, () => peer.pubacks.at(-1) === splitAt, RECOVERY_LIMIT_MS);
    const events = arena.board.lines.slice(lineCount).map(({ event }) => event).filter((event) => event !== 'telemetry');
    expect(events.slice(-2)).toEqual(['connected', 'message']);
    expect(events.filter((event) => event === 'disconnected')).toHaveLength(1);
    splits++;
  }
  expect(peer.pubacks).toEqual(Array.from({ length: streamLength - 1 }, (_, index) => index + 1));
  recordEvidence('mqtt-stream-splits', splits);
});

test('after all of them the board has everything acknowledged that it sent', async () => {
  await arena.board.runFor(2000);
  expect(await arena.board.stop()).toMatchObject({ code: 0 });
  const done = arena.board.events('done')[0]!;
  expect(done['acked']).toBe(done['sent']);
});

const hex = (packetId: number): string => packetId.toString(16).padStart(4, '0');
