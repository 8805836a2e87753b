import { expect, test } from '@jest/globals';
import { generate, type Packet } from 'mqtt-packet';
import { HubBench, publish, type Peer } from './hub-peer.ts';

const TELEMETRY = 'devices/dev1/messages/events/';

const answers = (peer: Peer): string => Buffer.concat(peer.bytes).subarray(4).toString('hex');

test('[MQTT-3.3.4-1] acknowledges QoS 1 with the same packet id, and QoS 0 not at all', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send(publish(TELEMETRY, 'a'), publish(TELEMETRY, 'b', { qos: 1, messageId: 1 }), publish(TELEMETRY, 'c', { qos: 1, messageId: 65_535 }));
  expect(answers(peer)).toBe('400200014002ffff');
  expect(bench.eventsOf('messageReceived').map(({ qos, payload, bytes }) => [qos, Buffer.from(payload).toString(), bytes])).toEqual([[0, 'a', 1], [1, 'b', 1], [1, 'c', 1]]);
});

test('acknowledges a repeated message again and tells of it with DUP: at least once', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  const topic = `${TELEMETRY}%24.mid=m1`;
  await peer.send(publish(topic, 'x', { qos: 1, messageId: 5 }), publish(topic, 'x', { qos: 1, messageId: 5, dup: true }));
  expect(answers(peer)).toBe('4002000540020005');
  expect(bench.eventsOf('messageReceived').map(({ mid, dup }) => [mid, dup])).toEqual([['m1', false], ['m1', true]]);
});

test('takes an empty payload', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send(publish(TELEMETRY, '', { qos: 1, messageId: 2 }));
  expect(answers(peer)).toBe('40020002');
  expect(bench.eventsOf('messageReceived')).toMatchObject([{ bytes: 0 }]);
});

test.each<[what: string, bag: string, system: object, properties: object]>([
  ['no properties', '', {}, {}],
  ['a system and an application property', '%24.mid=m1&room=a', { '$.mid': 'm1' }, { room: 'a' }],
  ['system names that are not encoded', '$.mid=m1&$.ct=application%2Fjson&$.ce=utf-8&$.cid=c&$.to=t&$.uid=u', { '$.mid': 'm1', '$.ct': 'application/json', '$.ce': 'utf-8', '$.cid': 'c', '$.to': 't', '$.uid': 'u' }, {}],
  ['names and values with every kind of character', 'a%26b%3Dc=%C3%A4%2F%2B%25%20', {}, { 'a&b=c': 'ä/+% ' }],
  ['a value with an equals sign', 'a=b=c', {}, { a: 'b=c' }],
  ['an empty value, and none', 'a=&b', {}, { a: '', b: '' }],
  ['names that objects inherit', '__proto__=1&constructor=2', {}, { ['__proto__']: '1', constructor: '2' }],
  ['a slash at the end, as the SDKs write for modules', 'a=1/', {}, { a: '1' }],
])('reads the properties of a message: %s', async (_, bag, system, properties) => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send(publish(TELEMETRY + bag, 'x'));
  const [message] = bench.eventsOf('messageReceived');
  expect(Object.entries(message!.systemProperties)).toEqual(Object.entries(system));
  expect(Object.entries(message!.properties)).toEqual(Object.entries(properties));
});

test('the topic may end without its last slash', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send(publish('devices/dev1/messages/events', 'x'));
  expect(bench.eventsOf('messageReceived')).toHaveLength(1);
});

test('turns RETAIN into the property mqtt-retain', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send(publish(`${TELEMETRY}a=1`, 'x', { retain: true }));
  expect(bench.eventsOf('messageReceived')).toMatchObject([{ properties: { a: '1', 'mqtt-retain': 'true' } }]);
});

test.each<[what: string, packet: Packet, reason: string]>([
  ['QoS 2', publish(TELEMETRY, 'x', { qos: 2, messageId: 1 }), 'qos-2'],
  ["another device's telemetry", publish('devices/dev2/messages/events/', 'x', { qos: 1, messageId: 1 }), 'topic-not-allowed'],
  ['a device whose id begins with this one', publish('devices/dev12/messages/events/', 'x'), 'topic-not-allowed'],
  ["a module's telemetry", publish('devices/dev1/modules/m/messages/events/', 'x'), 'topic-not-allowed'],
  ['a topic that begins like its own', publish('devices/dev1/messages/eventsx', 'x'), 'topic-not-allowed'],
  ['a part of its own topic', publish('devices/dev1/messages', 'x'), 'topic-not-allowed'],
  ['its own topic with a slash before', publish(`/${TELEMETRY}`, 'x'), 'topic-not-allowed'],
  ['its own topic in upper case', publish(TELEMETRY.toUpperCase(), 'x'), 'topic-not-allowed'],
  ['the cloud-to-device topic', publish('devices/dev1/messages/devicebound/', 'x'), 'topic-not-allowed'],
  ['a topic of its own choice', publish('hello', 'x'), 'topic-not-allowed'],
  ['an unknown $iothub topic', publish('$iothub/clients/dev1', 'x'), 'topic-not-allowed'],
  ['[MQTT-3.3.2-2] a wildcard behind its own topic', publish(`${TELEMETRY}#`, 'x'), 'topic-not-allowed'],
  ['[MQTT-3.3.2-2] a plus sign that is not encoded', publish(`${TELEMETRY}a=1+1`, 'x'), 'topic-not-allowed'],
  ['[MQTT-1.5.3-2] NUL in its topic', publish(`${TELEMETRY}a=\0`, 'x'), 'topic-not-allowed'],
  ['a broken escape in its properties', publish(`${TELEMETRY}a=%2`, 'x'), 'properties-malformed'],
  ['a property without a name', publish(`${TELEMETRY}=1`, 'x'), 'properties-malformed'],
  ['an ampersand too many in its properties', publish(`${TELEMETRY}a=1&&b=2`, 'x'), 'properties-malformed'],
  ['escapes that are no UTF-8', publish(`${TELEMETRY}a=%ff`, 'x'), 'properties-malformed'],
])('closes without a PUBACK on a PUBLISH with %s', async (_, packet, reason) => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send(packet, publish(TELEMETRY, 'must not arrive'));
  expect(answers(peer)).toBe('');
  expect(peer.isEnded).toBe(true);
  expect(bench.eventsOf('disconnected')).toMatchObject([{ reason, deviceId: 'dev1' }]);
  expect(bench.eventsOf('messageReceived')).toEqual([]);
});

test('[MQTT-1.5.3-1] closes on a topic that is no UTF-8', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  const bytes = generate(publish(`${TELEMETRY}a=?`, 'x'));
  bytes[bytes.indexOf('?')] = 0xff;
  await peer.send(bytes);
  expect(bench.eventsOf('disconnected')).toMatchObject([{ reason: 'topic-not-allowed' }]);
});

const LIMIT_BYTES = 256 * 1024;

test('takes 256 KB of body and properties and closes on one byte more', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  // Counted: application name and value, system value.
  const topic = `${TELEMETRY}%24.mid=m1&ab=c`;
  await peer.send(publish(topic, Buffer.alloc(LIMIT_BYTES - 5), { qos: 1, messageId: 1 }));
  expect(answers(peer)).toBe('40020001');
  expect(bench.eventsOf('messageReceived')).toMatchObject([{ bytes: LIMIT_BYTES }]);
  await peer.send(publish(topic, Buffer.alloc(LIMIT_BYTES - 4), { qos: 1, messageId: 2 }));
  expect(bench.eventsOf('disconnected')).toMatchObject([{ reason: 'message-too-large' }]);
});

test('closes on the header of a packet that is too large for any message, before its body comes', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send(Buffer.from('30ffffff7f', 'hex'));
  expect(bench.eventsOf('disconnected')).toMatchObject([{ reason: 'packet-too-large' }]);
});

test('before CONNECT was accepted the limit is that of a CONNECT', async () => {
  const bench = new HubBench();
  const peer = bench.open();
  // 100,000 bytes: a legal PUBLISH, but no CONNECT of IoT Hub.
  await peer.send(Buffer.from('10a08d06', 'hex'));
  expect(bench.eventsOf('disconnected')).toMatchObject([{ reason: 'packet-too-large' }]);
});

test.each<[filter: string, qos: 0 | 1 | 2, granted: number]>([
  ['devices/dev1/messages/devicebound/#', 1, 1],
  ['devices/dev1/messages/devicebound/#', 0, 0],
  ['devices/dev1/messages/devicebound/#', 2, 1],
  ['$iothub/methods/POST/#', 0, 0],
  ['$iothub/twin/res/#', 0, 0],
  ['$iothub/twin/PATCH/properties/desired/#', 1, 1],
  ['devices/dev2/messages/devicebound/#', 1, 128],
  ['devices/+/messages/devicebound/#', 1, 128],
  ['devices/dev1/modules/m/inputs/#', 1, 128],
  ['#', 0, 128],
  ['$iothub/#', 0, 128],
  ['devices/dev1/messages/events/#', 0, 128],
  ['', 0, 128],
])('[MQTT-3.8.4-5] answers SUBSCRIBE to "%s" with QoS %i by %i', async (topic, qos, granted) => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send({ cmd: 'subscribe', messageId: 10, subscriptions: [{ topic, qos }] });
  expect(answers(peer)).toBe(`9003000a${granted.toString(16).padStart(2, '0')}`);
  expect(bench.eventsOf('subscribed')).toMatchObject([{ filter: topic, grantedQos: granted }]);
});

test('[MQTT-3.9.3-1] answers every filter of a SUBSCRIBE in its order', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send({
    cmd: 'subscribe', messageId: 0x0102,
    subscriptions: [{ topic: '$iothub/twin/res/#', qos: 0 }, { topic: 'nothing', qos: 1 }, { topic: '$iothub/methods/POST/#', qos: 2 }],
  });
  expect(answers(peer)).toBe('90050102008001');
});

test('a module may subscribe to its inputs, and not to those of another', async () => {
  const bench = new HubBench();
  bench.registry.add({ deviceId: 'dev1', moduleId: 'm1' });
  const peer = await bench.connect({ deviceId: 'dev1', moduleId: 'm1' });
  await peer.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'devices/dev1/modules/m1/inputs/#', qos: 1 }, { topic: 'devices/dev1/modules/m2/inputs/#', qos: 1 }] });
  expect(answers(peer)).toBe('900400010180');
  await peer.send(publish('devices/dev1/modules/m1/messages/events/%24.on=out/', 'x'));
  expect(bench.eventsOf('messageReceived')).toMatchObject([{ moduleId: 'm1', systemProperties: { '$.on': 'out' } }]);
});

test.each(['a#b', 'a+b', '#', '+'])('the id %s cannot be subscribed for: MQTT has no such filter', async (deviceId) => {
  const bench = new HubBench();
  bench.registry.add({ deviceId });
  const peer = await bench.connect({ deviceId });
  await peer.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: `devices/${deviceId}/messages/devicebound/#`, qos: 1 }, { topic: '$iothub/methods/POST/#', qos: 0 }] });
  expect(answers(peer)).toBe('900400018000');
});

test('[MQTT-3.10.4-5] answers UNSUBSCRIBE, also where nothing was subscribed', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: ['nothing', '$iothub/twin/res/#'] });
  expect(answers(peer)).toBe('b0020003');
  expect(bench.eventsOf('unsubscribed').map(({ filter }) => filter)).toEqual(['nothing', '$iothub/twin/res/#']);
});

test('[MQTT-3.12.4-1] answers PINGREQ', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send({ cmd: 'pingreq' });
  expect(answers(peer)).toBe('d000');
});

test('[MQTT-3.1.2-4] subscriptions outlive a connection with clean session 0, and [MQTT-3.1.2-6] end with clean session 1', async () => {
  const bench = new HubBench();
  const getTwin = publish('$iothub/twin/GET/?$rid=7', '');
  const ask = async (clean: boolean, ...first: Packet[]): Promise<string> => {
    const peer = await bench.connect({ deviceId: 'dev1' }, { clean });
    await peer.send(...first, getTwin);
    const [, ...rest] = peer.received;
    await peer.send({ cmd: 'disconnect' });
    return rest.map((packet) => (packet.cmd === 'publish' ? packet.topic : packet.cmd)).join(' ');
  };
  const answer = '$iothub/twin/res/200/?$rid=7';
  expect(await ask(false)).toBe('');
  expect(await ask(false, { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$iothub/twin/res/#', qos: 0 }] })).toBe(`suback ${answer}`);
  expect(await ask(false)).toBe(answer);
  expect(await ask(true)).toBe('');
  expect(await ask(false)).toBe('');
});

test('acknowledges a method answer that nobody asked for and goes on', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send(publish('$iothub/methods/res/200/?$rid=1', '{}', { qos: 1, messageId: 4 }));
  expect(answers(peer)).toBe('40020004');
  expect(bench.eventsOf('methodAnswerIgnored')).toMatchObject([{ requestId: '1' }]);
});

test('[MQTT-3.14.4-3] DISCONNECT ends the connection without the will; without it the will is delivered as telemetry', async () => {
  const bench = new HubBench();
  const will = { topic: `${TELEMETRY}%24.mid=w`, payload: 'gone', qos: 1 as const, retain: false };
  const orderly = await bench.connect({ deviceId: 'dev1' }, { will });
  await orderly.send({ cmd: 'disconnect' });
  expect(orderly.isEnded).toBe(true);
  expect(bench.eventsOf('messageReceived')).toEqual([]);
  expect(bench.eventsOf('disconnected')).toMatchObject([{ reason: 'client-disconnected' }]);

  const lost = await bench.connect({ deviceId: 'dev1' }, { will });
  await lost.end();
  expect(bench.eventsOf('messageReceived')).toMatchObject([{ mid: 'w', will: true, properties: { 'iothub-MessageType': 'Will' } }]);
  expect(bench.eventsOf('disconnected')[1]).toMatchObject({ reason: 'connection-lost' });
});

test('a reset tells of the lost connection once', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  peer.stream.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
  await bench.advance(0);
  expect(bench.eventsOf('disconnected')).toMatchObject([{ reason: 'connection-lost', detail: 'ECONNRESET' }]);
  expect(bench.hub.identities()).toEqual([]);
});

test('breaks a client that does not read once its answers exceed the limit', async () => {
  const bench = new HubBench({ limits: { waitingBytes: 1_000 } });
  const peer = await bench.connect();
  peer.isBlocked = true;
  const pings = Buffer.from('c000'.repeat(100), 'hex');
  for (let sent = 0; sent < 20 && !peer.stream.destroyed; sent++) await peer.send(pings);
  expect(peer.stream.destroyed).toBe(true);
  expect(bench.eventsOf('disconnected')).toMatchObject([{ reason: 'client-does-not-read' }]);
  await bench.connect();
});

test('rejects connections above the limit and takes new ones when one has gone', async () => {
  const bench = new HubBench({ limits: { connections: 2 } });
  const first = bench.open();
  bench.open();
  const third = bench.open();
  expect(third.stream.destroyed).toBe(true);
  expect(bench.eventsOf('connectionRejected')).toMatchObject([{ peer: 'test', limit: 2 }]);
  await first.end();
  await bench.connect();
});
