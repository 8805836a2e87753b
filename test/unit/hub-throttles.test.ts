import { expect, test } from '@jest/globals';
import type { IPublishPacket } from 'mqtt-packet';
import { METHOD_METER_BYTES, limitsOfS1 } from '../../host-sim/hub/throttles/limits.ts';
import { Throttles } from '../../host-sim/hub/throttles/throttles.ts';
import { TokenBucket } from '../../host-sim/hub/throttles/token-bucket.ts';
import { VirtualClock } from '../../host-sim/time/virtual-clock.ts';
import { HubBench, publish, settle, START_MS } from './hub-peer.ts';

const TELEMETRY = 'devices/dev1/messages/events/';

/** A hub whose rates a test can count on its fingers. */
function open(limits: ConstructorParameters<typeof Throttles>[1]): HubBench {
  const clock = new VirtualClock(START_MS);
  return new HubBench({ throttles: new Throttles(clock, limits) }, clock);
}

test('a bucket gives its burst at once, then its rate, and never more than its burst after a rest', () => {
  const bucket = new TokenBucket(2, 3, 0);
  expect([0, 0, 0, 0].map((nowMs) => bucket.take(1, nowMs))).toEqual([0, 0, 0, 500]);
  expect(bucket.take(1, 499)).toBe(1);
  expect(bucket.take(1, 500)).toBe(0);
  expect([60_000, 60_000, 60_000, 60_000].map((nowMs) => bucket.take(1, nowMs))).toEqual([0, 0, 0, 500]);
});

test('what is larger than a bucket passes when it is full, and is paid for afterwards', () => {
  const bucket = new TokenBucket(10, 10, 0);
  expect(bucket.take(30, 0)).toBe(0);
  expect(bucket.take(1, 0)).toBe(2_100);
  expect(bucket.take(1, 2_100)).toBe(0);
});

test.each([
  ['connect', 1, 100],
  ['connect', 9, 108],
  ['d2c-send', 2, 100],
  ['c2d-send', 1, 100 / 60],
  ['twin-read', 3, 100],
  ['twin-update', 3, 50],
  ['method', 2, 2 * 160 * 1024],
  ['registry', 1, 100 / 60],
  ['query', 3, 1],
] as const)('S1 lets %s of %i units go %p times a second', (operation, units, perSecond) => {
  expect(limitsOfS1(units)[operation].perSecond).toBeCloseTo(perSecond);
});

test('a method is metered in 4 KB, and a refusal says when to come again', () => {
  const throttles = new Throttles(new VirtualClock(START_MS), { method: { perSecond: METHOD_METER_BYTES, burst: 2 * METHOD_METER_BYTES } });
  throttles.takeMethod(0);
  throttles.takeMethod(METHOD_METER_BYTES);
  expect(() => throttles.takeMethod(1)).toThrow(expect.objectContaining({ status: 429, code: 429_001, reason: 'ThrottlingException', retryAfterMs: 1_000 }));
  throttles.take('query');
});

test('a twin request above the rate is answered 429 in the form of IoT Hub', async () => {
  const bench = open({ 'twin-read': { perSecond: 1, burst: 1 }, 'twin-update': { perSecond: 1, burst: 1 } });
  const peer = await bench.connect();
  await peer.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$iothub/twin/res/#', qos: 0 }] });
  const ask = [publish('$iothub/twin/GET/?$rid=1', ''), publish('$iothub/twin/PATCH/properties/reported/?$rid=2', '{"a":1}')];
  await peer.send(...ask, ...ask);
  const answers = peer.received.filter((packet): packet is IPublishPacket => packet.cmd === 'publish');
  expect(answers.map(({ topic }) => topic)).toEqual([
    '$iothub/twin/res/200/?$rid=1', '$iothub/twin/res/204/?$rid=2&$version=2', '$iothub/twin/res/429/?$rid=1', '$iothub/twin/res/429/?$rid=2',
  ]);
  expect(JSON.parse(answers[3]!.payload.toString())).toMatchObject({ errorCode: 429_001 });
  expect(bench.hub.twins.read({ deviceId: 'dev1' }).reportedVersion).toBe(2);
  await bench.advance(1_000);
  await peer.send(...ask);
  expect(peer.received.at(-1)).toMatchObject({ topic: '$iothub/twin/res/204/?$rid=2&$version=3' });
});

test('telemetry above the rate waits its turn: acknowledged at the rate, in order, nothing lost', async () => {
  const bench = open({ 'd2c-send': { perSecond: 10, burst: 5 } });
  const peer = await bench.connect();
  await peer.send(...Array.from({ length: 20 }, (_, index) => publish(`${TELEMETRY}%24.mid=m${index}`, 'x', { qos: 1, messageId: index + 1 })));
  const acknowledged = (): number[] => peer.received.flatMap((packet) => (packet.cmd === 'puback' ? [packet.messageId as number] : []));
  expect(acknowledged()).toEqual([1, 2, 3, 4, 5]);
  await bench.advance(500);
  expect(acknowledged()).toHaveLength(10);
  await bench.advance(1_000);
  expect(acknowledged()).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  expect(bench.eventsOf('messageReceived').map(({ mid }) => mid)).toEqual(Array.from({ length: 20 }, (_, index) => `m${index}`));
  await peer.send({ cmd: 'pingreq' });
  expect(peer.received.at(-1)).toMatchObject({ cmd: 'pingresp' });
});

test('a message that would wait more than 10 seconds closes its connection as throttled', async () => {
  const bench = open({ 'd2c-send': { perSecond: 0.05, burst: 1 } });
  const peer = await bench.connect();
  await peer.send(publish(TELEMETRY, 'a'), publish(TELEMETRY, 'b'));
  expect(peer.isEnded).toBe(true);
  expect(bench.eventsOf('messageReceived')).toHaveLength(1);
  expect(bench.eventsOf('disconnected')).toMatchObject([{ reason: 'throttled', detail: '429001 ThrottlingException' }]);
});

test('a delayed connection that ends, is stalled, or is resumed meanwhile does what each of them says', async () => {
  const bench = open({ 'd2c-send': { perSecond: 1, burst: 1 } });
  const peer = await bench.connect();
  await peer.send(publish(`${TELEMETRY}%24.mid=a`, ''), publish(`${TELEMETRY}%24.mid=b`, ''));
  bench.hub.stall({ deviceId: 'dev1' }, 'everything');
  await bench.advance(2_000);
  expect(bench.eventsOf('messageReceived')).toHaveLength(1);
  bench.hub.resume({ deviceId: 'dev1' });
  await settle();
  expect(bench.eventsOf('messageReceived').map(({ mid }) => mid)).toEqual(['a', 'b']);
  await peer.send(publish(`${TELEMETRY}%24.mid=c`, ''));
  bench.hub.resume({ deviceId: 'dev1' });
  expect(bench.eventsOf('messageReceived')).toHaveLength(2);
  await peer.end();
  await bench.advance(5_000);
  expect(bench.eventsOf('disconnected')).toHaveLength(1);
});

test('a CONNECT above the rate is answered 3, the code to come again later, and verified not at all', async () => {
  const bench = open({ connect: { perSecond: 1, burst: 1 } });
  await bench.connect();
  const peer = bench.open();
  await peer.send(bench.connectPacket());
  expect(peer.received).toMatchObject([{ cmd: 'connack', returnCode: 3 }]);
  expect(peer.isEnded).toBe(true);
  expect(bench.eventsOf('refused')).toEqual([]);
  expect(bench.eventsOf('evicted')).toEqual([]);
  await bench.advance(1_000);
  await bench.connect();
});
