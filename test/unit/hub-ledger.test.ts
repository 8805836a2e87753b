import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { HubEvent, HubEventBody } from '../../host-sim/hub/events.ts';
import { Ledger, type LedgerCounts } from '../../host-sim/hub/ledger.ts';
import { SeenIds } from '../../host-sim/hub/seen-ids.ts';
import { HubBench, publish } from './hub-peer.ts';

const ZERO: LedgerCounts = { received: 0, duplicated: 0, connects: 0, renewals: 0, refused: 0, maxGapMs: 0, oldClosedBeforeNew: 0 };

type Step = readonly [atMs: number, body: HubEventBody];

const connectReceived = (connection: number, token: string, clientId = 'dev1'): HubEventBody => ({ event: 'connectReceived', connection, clientId, cleanSession: false, keepAliveSeconds: 60, token });
const connected = (connection: number, token: string, deviceId = 'dev1'): HubEventBody => ({ event: 'connected', connection, deviceId, token, expirySeconds: 1, key: 'primary', sessionPresent: false });
const refused = (connection: number): HubEventBody => ({ event: 'refused', connection, clientId: 'dev1', reason: 'token-expired', code: 401_003, detail: '' });
const disconnected = (connection: number, deviceId = 'dev1'): HubEventBody => ({ event: 'disconnected', connection, deviceId, reason: 'evicted' });
const message = (connection: number, mid: string | undefined, more: { deviceId?: string; moduleId?: string; dup?: boolean; will?: boolean } = {}): HubEventBody => ({
  event: 'messageReceived', connection, deviceId: 'dev1', ...(mid === undefined ? {} : { mid }), qos: 1, dup: false, will: false, bytes: 1,
  properties: {}, systemProperties: {}, payload: new Uint8Array(1), ...more,
});
const connect = (at: number, connection: number, token: string, deviceId = 'dev1'): Step[] => [[at, connectReceived(connection, token, deviceId)], [at, connected(connection, token, deviceId)]];

function count(steps: readonly Step[]): LedgerCounts {
  const ledger = new Ledger();
  // Wall time jumps about: only the monotonic one counts.
  for (const [monotonicMs, body] of steps) ledger.observe({ ...body, monotonicMs, at: 1_800_000_000_000 - monotonicMs * 7 } as HubEvent);
  return ledger.counts();
}

test.each<[what: string, steps: readonly Step[], counts: Partial<LedgerCounts>]>([
  ['nothing', [], {}],
  ['one device that connects and sends', [...connect(0, 1, 'a'), [10, message(1, 'm1')], [25, message(1, 'm2')]], { connects: 1, received: 2, maxGapMs: 15 }],
  ['a repeated message', [...connect(0, 1, 'a'), [1, message(1, 'm1')], [2, message(1, 'm1', { dup: true })]], { connects: 1, received: 1, duplicated: 1 }],
  ['a repeated message over another connection', [...connect(0, 1, 'a'), [1, message(1, 'm1')], ...connect(2, 2, 'a'), [3, message(2, 'm1')]], { connects: 2, received: 1, duplicated: 1 }],
  ['the same id from two devices, and from a module', [[1, message(1, 'm1')], [2, message(2, 'm1', { deviceId: 'dev2' })], [3, message(3, 'm1', { moduleId: 'x' })]], { received: 3 }],
  ['messages without id', [[1, message(1, undefined)], [5, message(1, undefined)]], { received: 2, maxGapMs: 4 }],
  ['a will', [[1, message(1, 'm1', { will: true })]], {}],
  ['the longest gap is of one device, between new messages', [
    [0, message(1, 'm1')], [100, message(2, 'm1', { deviceId: 'dev2' })], [150, message(1, 'm1')], [170, message(1, 'm2')], [190, message(2, 'm2', { deviceId: 'dev2' })],
  ], { received: 4, duplicated: 1, maxGapMs: 170 }],
  ['the time before the first and after the last message is no gap', [...connect(0, 1, 'a'), [5_000, message(1, 'm1')], [9_000, disconnected(1)]], { connects: 1, received: 1 }],
  ['make before break', [...connect(0, 1, 'a'), [10, connectReceived(2, 'b')], [10, disconnected(1)], [10, connected(2, 'b')]], { connects: 2, renewals: 1 }],
  ['break before make', [...connect(0, 1, 'a'), [9, disconnected(1)], ...connect(10, 2, 'b')], { connects: 2, renewals: 1, oldClosedBeforeNew: 1 }],
  ['the old connection closing between CONNECT and verdict', [...connect(0, 1, 'a'), [10, connectReceived(2, 'b')], [11, disconnected(1)], [12, connected(2, 'b')]], { connects: 2, renewals: 1 }],
  ['the same token again after a cut', [...connect(0, 1, 'a'), [9, disconnected(1)], ...connect(10, 2, 'a')], { connects: 2 }],
  ['a token that was used before', [...connect(0, 1, 'a'), ...connect(1, 2, 'b'), ...connect(2, 3, 'a')], { connects: 3, renewals: 1 }],
  ['a refused renewal between', [...connect(0, 1, 'a'), [5, connectReceived(2, 'x')], [5, refused(2)], [5, disconnected(2)], [10, connectReceived(3, 'b')], [10, connected(3, 'b')]], { connects: 2, renewals: 1, refused: 1 }],
  ['two devices with one renewal each', [
    ...connect(0, 1, 'a'), ...connect(0, 2, 'A', 'dev2'), ...connect(5, 3, 'b'), ...connect(6, 4, 'B', 'dev2'),
  ], { connects: 4, renewals: 2 }],
  ["another device's open connection does not count for this one", [...connect(0, 1, 'a'), ...connect(0, 2, 'A', 'dev2'), [1, disconnected(1)], ...connect(5, 3, 'b')], { connects: 3, renewals: 1, oldClosedBeforeNew: 1 }],
])('counts %s', (_, steps, counts) => {
  expect(count(steps)).toEqual({ ...ZERO, ...counts });
});

test('counts a real hub: two renewals with the old connection open, one after it had closed', async () => {
  const bench = new HubBench();
  const ledger = new Ledger();
  bench.hub.onEvent((event) => ledger.observe(event));
  const topic = 'devices/dev1/messages/events/%24.mid=';
  for (const round of [1, 2, 3]) {
    await bench.advance(1_000);
    const peer = await bench.connect();
    await peer.send(publish(`${topic}${round}`, 'x', { qos: 1, messageId: round }));
  }
  bench.hub.dropConnection({ deviceId: 'dev1' });
  await bench.advance(1_000);
  const last = await bench.connect();
  await last.send(publish(`${topic}3`, 'x', { qos: 1, messageId: 3, dup: true }));
  await bench.open().send({ ...bench.connectPacket(), password: Buffer.from('no token') });
  expect(ledger.counts()).toEqual({ received: 3, duplicated: 1, connects: 4, renewals: 3, refused: 1, maxGapMs: 1_000, oldClosedBeforeNew: 1 });
});

const id = fc.oneof(
  fc.integer({ min: 0, max: 40 }).map(String),
  fc.integer({ min: 0, max: 40 }).map((number) => `m${number}`),
  fc.constantFrom('', 'm', 'm01', '01', '00', '999999999999999', '9999999999999999', 'x\n1', '-1', '1.5', 'ä7'),
);

test('SeenIds tells new from seen as a Set does, in any order', () => {
  fc.assert(
    fc.property(fc.array(id, { maxLength: 200 }), (ids) => {
      const seen = new SeenIds();
      const model = new Set<string>();
      for (const each of ids) {
        expect(seen.add(each)).toBe(!model.has(each));
        model.add(each);
      }
    }),
    { seed: 1 },
  );
});
