import { expect, test } from '@jest/globals';
import type { IPublishPacket } from 'mqtt-packet';
import type { OutgoingCloudMessage } from '../../host-sim/hub/messages/cloud-message.ts';
import { createHub } from '../../host-sim/hub/hub.ts';
import { PresenceStore } from '../../host-sim/hub/mqtt/presence-store.ts';
import { Session } from '../../host-sim/hub/mqtt/session.ts';
import { SessionStore } from '../../host-sim/hub/mqtt/session-store.ts';
import type { Durable } from '../../host-sim/hub/state/durable.ts';
import { HUB_NAME, HubBench, Peer, settle, START_MS } from './hub-peer.ts';

const DEVICE = { deviceId: 'dev1' };
const FILTER = 'devices/dev1/messages/devicebound/#';
const WINDOW = 16;

function subscribe(qos: 0 | 1 | 2, filter = FILTER): { cmd: 'subscribe'; messageId: number; subscriptions: { topic: string; qos: 0 | 1 | 2 }[] } {
  return { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: filter, qos }] };
}

const puback = (messageId: number): { cmd: 'puback'; messageId: number } => ({ cmd: 'puback', messageId });

function enqueue(bench: HubBench, messageId: string, more: Partial<OutgoingCloudMessage> = {}): void {
  bench.hub.messages.enqueue(DEVICE, { messageId, properties: {}, payload: Buffer.from(messageId), ...more });
}

interface Seen {
  readonly topic: string;
  readonly body: string;
  readonly qos: number;
  readonly dup: boolean;
  readonly id: number | undefined;
}

function seen(peer: Peer): Seen[] {
  return peer.received
    .filter((packet): packet is IPublishPacket => packet.cmd === 'publish')
    .map(({ topic, payload, qos, dup, messageId }) => ({ topic, body: payload.toString(), qos, dup, id: messageId }));
}

test('a message waits until the device subscribes, and is gone when it is acknowledged', async () => {
  const bench = new HubBench();
  enqueue(bench, 'early');
  const peer = await bench.connect();
  expect(seen(peer)).toEqual([]);
  await peer.send(subscribe(1));
  expect(peer.received.map(({ cmd }) => cmd)).toEqual(['connack', 'suback', 'publish']);
  expect(seen(peer)).toEqual([
    { topic: 'devices/dev1/messages/devicebound/%24.mid=early&%24.to=%2Fdevices%2Fdev1%2Fmessages%2Fdevicebound', body: 'early', qos: 1, dup: false, id: 1 },
  ]);
  expect(bench.hub.messages.count(DEVICE)).toBe(1);
  await peer.send(puback(1));
  expect(bench.hub.messages.count(DEVICE)).toBe(0);
  expect(bench.eventsOf('cloudMessageSent')).toMatchObject([{ connection: 1, messageId: 'early', sequenceNumber: 1, qos: 1, dup: false }]);
  expect(bench.eventsOf('cloudMessage').map(({ change }) => change)).toEqual(['queued', 'Success']);
});

// The order is that of topics recorded from the service, such as azure-iot-sdk-java's `%24.mid=…&%24.exp=0&%24.to=…&%24.cid=…&iothub-ack=full&property1=value1`.
test('writes system properties, iothub-ack and application properties as IoT Hub does', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send(subscribe(1));
  enqueue(bench, 'm/1', {
    correlationId: 'c 2', userId: 'ü', contentType: 'application/json', contentEncoding: 'utf-8', ack: 'full', expiryMs: START_MS + 60_000,
    properties: { 'room & floor': 'ä=1/+#', empty: '', ['__proto__']: 'data' },
  });
  await settle();
  expect(seen(peer)[0]?.topic).toBe(
    'devices/dev1/messages/devicebound/%24.mid=m%2F1&%24.exp=2027-01-15T08%3A01%3A00.000Z&%24.to=%2Fdevices%2Fdev1%2Fmessages%2Fdevicebound'
    + '&%24.cid=c%202&%24.uid=%C3%BC&%24.ct=application%2Fjson&%24.ce=utf-8&iothub-ack=full&room%20%26%20floor=%C3%A4%3D1%2F%2B%23&empty=&__proto__=data',
  );
});

test('a message without anything has its address in the topic, and an empty or binary body arrives as it is', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send(subscribe(1));
  bench.hub.messages.enqueue(DEVICE, { properties: {}, payload: Buffer.alloc(0) });
  bench.hub.messages.enqueue(DEVICE, { properties: {}, payload: Buffer.from('00ff80', 'hex') });
  await settle();
  const bodies = peer.received.filter((packet): packet is IPublishPacket => packet.cmd === 'publish').map(({ topic, payload }) => [topic, Buffer.from(payload).toString('hex')]);
  const topic = 'devices/dev1/messages/devicebound/%24.to=%2Fdevices%2Fdev1%2Fmessages%2Fdevicebound';
  expect(bodies).toEqual([[topic, ''], [topic, '00ff80']]);
});

test('with QoS 0 a message goes without a packet identifier and is complete when it is sent; QoS 2 becomes 1', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send(subscribe(0));
  enqueue(bench, 'once');
  await settle();
  expect(seen(peer)).toMatchObject([{ body: 'once', qos: 0, dup: false, id: undefined }]);
  expect(bench.hub.messages.count(DEVICE)).toBe(0);
  await peer.send(subscribe(2));
  enqueue(bench, 'twice');
  await settle();
  expect(seen(peer)[1]).toMatchObject({ body: 'twice', qos: 1 });
});

test('[MQTT-4.4.0-1] unacknowledged messages come again with DUP and their packet identifiers when the session goes on, before newer ones', async () => {
  const bench = new HubBench();
  const first = await bench.connect();
  await first.send(subscribe(1));
  for (const name of ['a', 'b', 'c']) enqueue(bench, name);
  await settle();
  await first.send(puback(2));
  await first.end();
  enqueue(bench, 'd');
  const second = await bench.connect();
  expect(second.received[0]).toMatchObject({ cmd: 'connack', sessionPresent: true });
  expect(seen(second).map(({ body, dup, id }) => [body, dup, id])).toEqual([['a', true, 1], ['c', true, 3], ['d', false, 4]]);
  await second.send(puback(1), puback(3), puback(4));
  expect(bench.hub.messages.count(DEVICE)).toBe(0);
});

test('an eviction by a renewed connection moves the unacknowledged messages to it', async () => {
  const bench = new HubBench();
  const first = await bench.connect();
  await first.send(subscribe(1));
  enqueue(bench, 'a');
  await settle();
  const second = await bench.connect();
  expect(seen(second)).toMatchObject([{ body: 'a', dup: true, id: 1 }]);
  // Too late: the lock is the newer connection's.
  await first.send(puback(1));
  expect(bench.hub.messages.count(DEVICE)).toBe(1);
  await second.send(puback(1));
  expect(bench.hub.messages.count(DEVICE)).toBe(0);
});

test('a clean session forgets what was under way: the message comes anew, without DUP, once it has subscribed', async () => {
  const bench = new HubBench();
  const first = await bench.connect();
  await first.send(subscribe(1));
  enqueue(bench, 'a');
  await settle();
  await first.end();
  const second = await bench.connect(DEVICE, { clean: true });
  expect(seen(second)).toEqual([]);
  await second.send(subscribe(1));
  expect(seen(second)).toMatchObject([{ body: 'a', dup: false, id: 1 }]);
});

test(`at most ${WINDOW} messages await their PUBACK; each one lets the next go, in the order of the queue`, async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send(subscribe(1));
  const names = Array.from({ length: 40 }, (_, index) => `m${index}`);
  for (const name of names) enqueue(bench, name);
  await settle();
  expect(seen(peer)).toHaveLength(WINDOW);
  for (let index = 0; index < names.length; index++) {
    const { id } = seen(peer)[index]!;
    await peer.send(puback(id!));
  }
  expect(seen(peer).map(({ body }) => body)).toEqual(names);
  expect(bench.hub.messages.count(DEVICE)).toBe(0);
});

test('a PUBACK for nothing is let pass, also for a message that was purged meanwhile', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send(puback(7), subscribe(1));
  enqueue(bench, 'a');
  await settle();
  bench.hub.messages.purge(DEVICE);
  await peer.send(puback(1), puback(1));
  enqueue(bench, 'b');
  await settle();
  expect(seen(peer).map(({ body }) => body)).toEqual(['a', 'b']);
  expect(bench.eventsOf('disconnected')).toEqual([]);
});

test('[MQTT-2.3.1-1] packet identifiers come round after 65,535 and never meet one in use or one that may come again', () => {
  const session = new Session(DEVICE);
  session.hold({ sequenceNumber: 1, lockToken: 'former' });
  session.suspend();
  session.hold({ sequenceNumber: 2, lockToken: 'held' });
  const given = Array.from({ length: 65_535 }, (_, index) => {
    const { packetId } = session.hold({ sequenceNumber: 10 + index, lockToken: '' });
    session.unacknowledged.delete(packetId);
    return packetId;
  });
  expect([given[0], given[65_532], given[65_533], given[65_534]]).toEqual([3, 65_535, 3, 4]);
  expect(session.hold({ sequenceNumber: 1, lockToken: 'again' })).toEqual({ packetId: 1, isResent: true });
});

test('a message whose properties fit no topic is rejected, and those behind it go on', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send(subscribe(1));
  enqueue(bench, 'wide', { ack: 'full', properties: { wide: '/'.repeat(30_000) } });
  enqueue(bench, 'next');
  await settle();
  expect(seen(peer).map(({ body }) => body)).toEqual(['next']);
  expect(bench.eventsOf('cloudMessage').map(({ messageId, change }) => `${messageId} ${change}`)).toEqual(['wide queued', 'wide Rejected', 'next queued']);
});

test('after UNSUBSCRIBE messages wait; a disabled device gets them when it is back', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send(subscribe(1), { cmd: 'unsubscribe', messageId: 2, unsubscriptions: [FILTER] });
  enqueue(bench, 'later');
  await settle();
  expect(seen(peer)).toEqual([]);
  await peer.send(subscribe(1));
  expect(seen(peer)).toHaveLength(1);
  bench.registry.setEnabled('dev1', false);
  bench.registry.setEnabled('dev1', true);
  expect(seen(await bench.connect())).toMatchObject([{ body: 'later', dup: true }]);
});

test('a client that does not read is not sent more than it can hold, and gets the rest when it reads', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send(subscribe(0));
  peer.isBlocked = true;
  for (let index = 0; index < 20; index++) enqueue(bench, `m${index}`, { payload: Buffer.alloc(60_000) });
  await settle();
  expect(bench.eventsOf('disconnected')).toEqual([]);
  expect(bench.hub.messages.count(DEVICE)).toBeGreaterThan(14);
  peer.unblock();
  for (let turn = 0; turn < 10; turn++) await settle();
  expect(seen(peer)).toHaveLength(20);
  expect(bench.hub.messages.count(DEVICE)).toBe(0);
});

test('an id that MQTT cannot filter has no cloud-to-device messages over MQTT', async () => {
  const bench = new HubBench();
  bench.registry.add({ deviceId: 'a+b' });
  const peer = await bench.connect({ deviceId: 'a+b' });
  await peer.send(subscribe(1, 'devices/a+b/messages/devicebound/#'));
  bench.hub.messages.enqueue({ deviceId: 'a+b' }, { properties: {}, payload: Buffer.from('x') });
  await settle();
  expect(peer.received.at(-1)).toMatchObject({ cmd: 'suback', granted: [128] });
});

test('five subscriptions are granted, a sixth is refused until one is given up', () => {
  const session = new Session({ deviceId: 'd', moduleId: 'm' });
  const filters = ['$iothub/methods/POST/#', '$iothub/twin/res/#', '$iothub/twin/PATCH/properties/desired/#', 'devices/d/modules/m/#', 'devices/d/modules/m/inputs/#', 'devices/d/modules/m/messages/devicebound/#'];
  expect(filters.map((filter) => session.subscribe(filter, 1))).toEqual([1, 1, 1, 1, 1, 128]);
  expect(session.subscribe(filters[4]!, 0)).toBe(0);
  session.unsubscribe(filters[0]!);
  expect(session.subscribe(filters[5]!, 2)).toBe(1);
});

test('stalled, a device gets nothing, and everything when that is over', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send(subscribe(1));
  bench.hub.stall(DEVICE, 'everything');
  enqueue(bench, 'a');
  bench.hub.twins.patch(DEVICE, { properties: { desired: { a: 1 } } });
  await settle();
  expect(seen(peer)).toEqual([]);
  bench.hub.resume(DEVICE);
  await settle();
  expect(seen(peer).map(({ body }) => body)).toEqual(['a']);
});

test("sessions of clean session 0 and what is known of connections survive the hub's end", async () => {
  const bench = new HubBench();
  const journal = new Map<string, unknown>();
  for (const durable of bench.hub.durables) {
    durable.onRecord((key, value) => (value === undefined ? journal.delete(key) : journal.set(key, JSON.parse(JSON.stringify(value)))));
  }
  bench.registry.add({ deviceId: 'clean' });
  await (await bench.connect()).send(subscribe(1), subscribe(0, '$iothub/methods/POST/#'));
  await (await bench.connect({ deviceId: 'clean' }, { clean: true })).send(subscribe(1, 'devices/clean/messages/devicebound/#'));
  await bench.advance(5_000);
  const ofPrefix = ({ prefix }: Pick<Durable, 'prefix'>): [string, unknown][] => [...journal].filter(([key]) => key.startsWith(`${prefix}/`));
  expect(ofPrefix({ prefix: 'session' })).toEqual([['session/dev1', { [FILTER]: 1, '$iothub/methods/POST/#': 0 }]]);

  await bench.hub.close();
  const events = bench.events;
  const again = createHub({
    hubName: HUB_NAME, clock: bench.clock, registry: bench.registry, onEvent: (event) => events.push(event),
    sessions: new SessionStore(ofPrefix({ prefix: 'session' })), presences: new PresenceStore(ofPrefix({ prefix: 'presence' })),
  });
  expect(again.presence(DEVICE)).toMatchObject({ connected: false, lastActivityMs: START_MS });
  expect(again.presence({ deviceId: 'nobody' })).toEqual({ connected: false });
  again.messages.enqueue(DEVICE, { messageId: 'kept', properties: {}, payload: Buffer.from('x') });
  const peer = new Peer();
  again.accept(peer.stream, 'test');
  await peer.send(bench.connectPacket());
  expect(peer.received[0]).toMatchObject({ cmd: 'connack', sessionPresent: true });
  expect(seen(peer)).toHaveLength(1);
});

test('presence tells who is connected since when, its last sign of life and its model', async () => {
  const bench = new HubBench();
  const peer = await bench.connect(DEVICE, { username: `${HUB_NAME}/dev1/?api-version=2021-04-12&model-id=${encodeURIComponent('dtmi:com:example:Thermostat;1')}&DeviceClientType=x` });
  await bench.advance(10_000);
  await peer.send({ cmd: 'pingreq' });
  await bench.advance(5_000);
  const modelId = 'dtmi:com:example:Thermostat;1';
  expect(bench.hub.presence(DEVICE)).toEqual({ connected: true, changedMs: START_MS, connectedSinceMs: START_MS, lastActivityMs: START_MS + 10_000, modelId });
  expect(bench.eventsOf('connected')).toMatchObject([{ modelId }]);
  await peer.send({ cmd: 'disconnect' });
  expect(bench.hub.presence(DEVICE)).toEqual({ connected: false, changedMs: START_MS + 15_000, lastActivityMs: START_MS + 15_000, modelId });
});
