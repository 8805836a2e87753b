import { afterEach, beforeAll, expect, test } from '@jest/globals';

import { answerNtp } from '../../host-sim/hub/time-servers/ntp-server.ts';
import { HUB_NAME } from '../fakes/agent-board-device.ts';
import { MqttPeer } from '../fakes/agent-board-peer.ts';
import { createTestPki } from '../fakes/agent-board-pki.ts';
import { AgentBoard, buildAgent, type AgentPrograms } from '../fakes/agent-board.ts';
import { recordEvidence } from '../evidence.ts';

/** How often each cause refuses. */
const REFUSALS = 1000;
/** What is made once (caches of names, the first session) is made by then. */
const WARM_UP = 20;
/** Longer than the run: nothing but the refusals happens. */
const INTERVAL_MS = 2 ** 31 - 1;
/** What differs from one moment to another. One slot of 16 bytes lost in each refusal would be 15 KB. */
const MOMENT_BYTES = 256;
const LIMIT_MS = 30 * 24 * 3600 * 1000;
const HUB_ADDRESS = '192.0.2.1';
const NTP_ADDRESS = '192.0.2.2';

let programs: AgentPrograms;
let board: AgentBoard;
let causesHeld = 0;

beforeAll(async () => {
  programs = await buildAgent();
}, 300_000);

afterEach(() => board.remove());

const CAUSES = [
  { name: 'a certificate of another root', event: 'open-failed', members: { code: 'ERR_TLS_UNTRUSTED_ISSUER' }, isOfTls: true },
  { name: 'CONNACK 5', event: 'refused', members: { returnCode: 5 }, isOfTls: false },
];

test.each(CAUSES)('a thousand connections refused by $name leave both heaps where they were, and the next good one is taken', async ({ event, members, isOfTls }) => {
  const [right, other] = [await createTestPki(), await createTestPki()];
  board = new AgentBoard({
    roots: [right.root.certificateDer],
    keys: [new Uint8Array(32).fill(3), new Uint8Array(32).fill(4)],
    settings: { interval: INTERVAL_MS, slots: '0,1', ntp0: NTP_ADDRESS, ntp1: NTP_ADDRESS },
  });
  const hub = new MqttPeer(right, board.clock);
  const refusing = isOfTls ? new MqttPeer(other, board.clock) : hub;
  if (!isOfTls) hub.script = { onConnect: (connection) => connection.send({ cmd: 'connack', returnCode: 5, sessionPresent: false }) };
  board.names.set(HUB_NAME, HUB_ADDRESS);
  board.tcp.set(`${HUB_ADDRESS}:8883`, refusing.accept);
  board.udp.set(`${NTP_ADDRESS}:123`, (query) => answerNtp(query, board.clock));
  board.start(programs);

  let refusals = 0;
  board.onLine = (line) => {
    if (line.event === event && Object.entries(members).every(([key, value]) => line[key] === value)) refusals++;
  };
  await board.until(`${WARM_UP} refusals`, () => refusals >= WARM_UP, LIMIT_MS);
  const early = await board.report();
  await board.until(`${REFUSALS} refusals`, () => refusals >= REFUSALS, LIMIT_MS);
  const late = await board.report();
  const { cHeapBytes, reservedBytes, keys, aliases } = early;
  expect(late).toMatchObject({ cHeapBytes, reservedBytes, keys, aliases });
  // A report collects garbage first: what is left to the collector shows in the peak.
  expect(late.cHeapPeakBytes).toBeLessThanOrEqual(early.cHeapPeakBytes!);
  expect(late.heapBytes - early.heapBytes).toBeLessThanOrEqual(MOMENT_BYTES);

  hub.script = {};
  board.tcp.set(`${HUB_ADDRESS}:8883`, hub.accept);
  await board.untilEvent('connected', {}, LIMIT_MS);
  await board.until('the message', () => hub.acknowledged.size === 1);
  expect(await board.stop()).toMatchObject({ code: 0 });
  causesHeld++;
  if (causesHeld === CAUSES.length) recordEvidence('refused-connections', REFUSALS);
});
