import { expect, test } from '@jest/globals';
import { keepAliveWaitMs } from '../../host-sim/hub/limits.ts';
import { generateKeyPair } from '../../host-sim/hub/access/symmetric-key.ts';
import { HubBench, publish } from './hub-peer.ts';

const TELEMETRY = 'devices/dev1/messages/events/';
const HOUR_MS = 3_600_000;

test.each([
  [1, 1_500],
  [60, 90_000],
  [1_177, 1_765_500],
  [1_178, 1_767_000],
  [1_179, 1_767_000],
  [65_535, 1_767_000],
  [0, 1_767_000],
])('waits for a keep-alive of %i s %i ms', (keepAliveSeconds, waitMs) => {
  expect(keepAliveWaitMs(keepAliveSeconds)).toBe(waitMs);
});

test('[MQTT-3.1.2-24] closes one and a half keep-alives after the last packet, whatever packet that was', async () => {
  const bench = new HubBench();
  const peer = await bench.connect({ deviceId: 'dev1' }, { keepalive: 10 });
  for (const packet of [{ cmd: 'pingreq' } as const, publish(TELEMETRY, 'x')]) {
    await bench.advance(14_999);
    await peer.send(packet);
  }
  await bench.advance(14_999);
  expect(peer.isClosed).toBe(false);
  await bench.advance(1);
  expect(peer.isClosed).toBe(true);
  expect(bench.eventsOf('disconnected')).toMatchObject([{ reason: 'keep-alive-elapsed' }]);
});

test('a client that pings in time stays for hours with one timer in the clock', async () => {
  const bench = new HubBench();
  const peer = await bench.connect({ deviceId: 'dev1' }, { keepalive: 60, password: bench.connectPacket({ deviceId: 'dev1' }, 24 * 3_600).password });
  const timersBefore = bench.clock.timersSet;
  for (let minute = 0; minute < 300; minute++) {
    await bench.advance(60_000);
    await peer.send({ cmd: 'pingreq' });
  }
  expect(peer.isClosed).toBe(false);
  expect(bench.clock.timersSet - timersBefore).toBeLessThanOrEqual(300);
});

test.each([
  ['five minutes by default', undefined, 300_000],
  ['none', 0, 0],
  ['ten seconds', 10_000, 10_000],
])('keeps a connection beyond its token for the grace time: %s', async (_, graceMs, expectedMs) => {
  const bench = new HubBench(graceMs === undefined ? {} : { graceMs });
  const peer = await bench.connect({ deviceId: 'dev1' }, { keepalive: 0 });
  let sent = 0;
  const send = (): Promise<void> => peer.send(publish(TELEMETRY, 'x', { qos: 1, messageId: ++sent }));
  const quarterMs = (HOUR_MS + expectedMs) / 4;
  for (const pauseMs of [quarterMs, quarterMs, quarterMs, quarterMs - 1]) {
    await bench.advance(pauseMs);
    await send();
  }
  expect(bench.eventsOf('messageReceived')).toHaveLength(4);
  await bench.advance(1);
  expect(peer.isEnded).toBe(true);
  expect(bench.eventsOf('expired')).toMatchObject([{ deviceId: 'dev1', graceMs: expectedMs }]);
  expect(bench.eventsOf('disconnected')).toMatchObject([{ reason: 'token-expired' }]);
});

test('a renewed token moves the end; the evicted connection takes its timers with it', async () => {
  const bench = new HubBench({ graceMs: 0 });
  await bench.connect({ deviceId: 'dev1' }, { keepalive: 0 });
  await bench.advance(HOUR_MS / 2);
  const newer = await bench.connect({ deviceId: 'dev1' }, { keepalive: 0 });
  await bench.advance(20 * 60_000);
  await newer.send({ cmd: 'pingreq' });
  await bench.advance(HOUR_MS / 2 - 20 * 60_000);
  expect(newer.isClosed).toBe(false);
  expect(bench.eventsOf('expired')).toEqual([]);
});

test('disabling a device closes it at once and refuses it until it is enabled again', async () => {
  const bench = new HubBench();
  bench.registry.add({ deviceId: 'dev1', moduleId: 'm1' });
  const device = await bench.connect();
  const module = await bench.connect({ deviceId: 'dev1', moduleId: 'm1' });
  bench.registry.setEnabled('dev1', false);
  expect([device.isEnded, module.isEnded]).toEqual([true, true]);
  expect(bench.eventsOf('disconnected').map(({ reason }) => reason)).toEqual(['identity-disabled', 'identity-disabled']);
  await expect(bench.connect()).rejects.toThrow('identity-disabled');
  bench.registry.setEnabled('dev1', true);
  await bench.connect();
});

test('removing a device closes it and forgets its session', async () => {
  const bench = new HubBench();
  const { keys } = bench.registry.find({ deviceId: 'dev1' })!;
  const peer = await bench.connect();
  bench.registry.remove({ deviceId: 'dev1' });
  expect(peer.isEnded).toBe(true);
  await expect(bench.connect()).rejects.toThrow('identity-unknown');
  bench.registry.add({ deviceId: 'dev1' }, { keys });
  await bench.connect();
  expect(bench.eventsOf('connected').at(-1)).toMatchObject({ sessionPresent: false });
});

test('new keys refuse the next CONNECT and leave the connection of now alone', async () => {
  const bench = new HubBench();
  const packet = bench.connectPacket();
  const { keys } = bench.registry.find({ deviceId: 'dev1' })!;
  const peer = await bench.connect();
  bench.registry.setKeys({ deviceId: 'dev1' }, generateKeyPair());
  await bench.open().send(packet);
  expect(bench.eventsOf('refused')).toMatchObject([{ reason: 'signature-wrong' }]);
  await peer.send(publish(TELEMETRY, 'still here', { qos: 1, messageId: 1 }));
  expect(peer.received.at(-1)).toMatchObject({ cmd: 'puback' });
  bench.registry.setKeys({ deviceId: 'dev1' }, keys);
  await bench.open().send(packet);
  expect(bench.eventsOf('connected')).toHaveLength(2);
});

test('a hub clock that is ahead refuses good tokens and ends connections; set right it takes them again', async () => {
  const bench = new HubBench({ graceMs: 0 });
  const peer = await bench.connect();
  bench.hub.setClockOffset(HOUR_MS - 1_000);
  expect(peer.isClosed).toBe(false);
  await expect(bench.connect({ deviceId: 'dev1' }, { password: bench.connectPacket({ deviceId: 'dev1' }, 60).password })).rejects.toThrow('token-expired');
  await bench.advance(1_000);
  expect(bench.eventsOf('disconnected').at(-1)).toMatchObject({ reason: 'token-expired' });
  bench.hub.setClockOffset(0);
  await bench.connect();
  expect(bench.hub.now()).toBe(bench.clock.now());
});

test('an event is stamped by the clock without the fault', async () => {
  const bench = new HubBench();
  bench.hub.setClockOffset(-HOUR_MS);
  await bench.advance(1_234);
  await bench.connect();
  expect(bench.eventsOf('connected')).toMatchObject([{ at: 1_800_000_001_234, monotonicMs: 1_234 }]);
});

test('a dropped connection breaks without a word', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  expect(bench.hub.dropConnection({ deviceId: 'dev1' })).toBe(true);
  expect([peer.stream.destroyed, peer.isEnded]).toEqual([true, false]);
  expect(bench.eventsOf('disconnected')).toMatchObject([{ reason: 'dropped' }]);
  expect(bench.hub.dropConnection({ deviceId: 'dev1' })).toBe(false);
});

test('stalled towards one device the hub is silent to it alone, and afterwards answers what came meanwhile', async () => {
  const bench = new HubBench();
  bench.registry.add({ deviceId: 'dev2' });
  const [stalled, other] = [await bench.connect(), await bench.connect({ deviceId: 'dev2' })];
  bench.hub.stall({ deviceId: 'dev1' }, 'everything');
  await stalled.send(publish(TELEMETRY, 'x', { qos: 1, messageId: 1 }));
  await other.send({ cmd: 'pingreq' });
  await bench.advance(200_000 / 4);
  await other.send({ cmd: 'pingreq' });
  await bench.advance(200_000 / 4);
  expect(stalled.received).toHaveLength(1);
  expect(other.received).toHaveLength(3);
  expect(stalled.isClosed).toBe(false);
  bench.hub.resume({ deviceId: 'dev1' });
  await bench.advance(0);
  expect(stalled.received.at(-1)).toMatchObject({ cmd: 'puback', messageId: 1 });
});

test('with CONNECTs held the connection of now goes on, and the held one is decided when it is let go', async () => {
  const bench = new HubBench();
  const older = await bench.connect();
  bench.hub.stall({ deviceId: 'dev1' }, 'connects');
  const newer = bench.open();
  await newer.send(bench.connectPacket(), publish(`${TELEMETRY}%24.mid=pipelined`, 'x', { qos: 1, messageId: 3 }));
  await older.send(publish(`${TELEMETRY}%24.mid=old`, 'x', { qos: 1, messageId: 2 }));
  expect(newer.received).toEqual([]);
  expect(older.received.at(-1)).toMatchObject({ cmd: 'puback', messageId: 2 });
  expect(bench.eventsOf('evicted')).toEqual([]);

  bench.hub.resume({ deviceId: 'dev1' });
  await bench.advance(0);
  expect(older.isEnded).toBe(true);
  expect(newer.received).toMatchObject([{ cmd: 'connack', returnCode: 0 }, { cmd: 'puback', messageId: 3 }]);
  expect(bench.eventsOf('messageReceived').map(({ mid }) => mid)).toEqual(['old', 'pipelined']);
});

test('a held CONNECT still has to be answered within the time for a CONNECT', async () => {
  const bench = new HubBench();
  bench.hub.stall({ deviceId: 'dev1' }, 'connects');
  const peer = bench.open();
  await peer.send(bench.connectPacket());
  await bench.advance(30_000);
  expect(peer.isEnded).toBe(true);
  bench.hub.resume({ deviceId: 'dev1' });
  expect(bench.eventsOf('connectReceived')).toEqual([]);
});

test('a peer that does not close its side is destroyed after the linger time', async () => {
  const bench = new HubBench();
  const peer = bench.open();
  // A peer whose side stays open for ever.
  peer.stream.allowHalfOpen = true;
  await peer.send({ cmd: 'pingreq' });
  expect([peer.isEnded, peer.stream.destroyed]).toEqual([true, false]);
  await bench.advance(1_999);
  expect(peer.stream.destroyed).toBe(false);
  await bench.advance(1);
  expect(peer.stream.destroyed).toBe(true);
});

test('close ends every connection and leaves no timer behind', async () => {
  const bench = new HubBench();
  const peers = [bench.open(), await bench.connect()];
  await bench.hub.close();
  await bench.advance(0);
  expect(peers.map((peer) => peer.stream.destroyed)).toEqual([true, true]);
  expect(bench.clock.nextDueMs()).toBe(Infinity);
});
