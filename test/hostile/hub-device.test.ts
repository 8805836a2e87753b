import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { generate, type Packet } from 'mqtt-packet';
import { recordEvidence } from '../evidence.ts';
import { HubBench, settle } from '../unit/hub-peer.ts';

const CONVERSATIONS = 400;
const DEVICE = { deviceId: 'dev1' };

const fragment = fc.constantFrom(
  '$iothub', 'twin', 'GET', 'PATCH', 'properties', 'reported', 'desired', 'methods', 'POST', 'res', '200', '-1', '99999999999', '?$rid=1', '?$rid=', '?', '', '#', '+', '%', '%2', '%ff', '\u0000', '\ud800', '😀',
  'devices', 'dev1', 'dev2', 'messages', 'events', 'devicebound', 'modules', '$.mid=x', '$.mid', '=', '&', 'a=b&a=c', '__proto__=1', '?$rid=1&$rid=2&$version=x', 'r'.repeat(2_000),
);
const anyTopic = fc.oneof(
  { weight: 3, arbitrary: fc.array(fragment, { minLength: 1, maxLength: 7 }).map((parts) => parts.join('/')) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }) },
  { weight: 2, arbitrary: fc.constantFrom('$iothub/twin/GET/?$rid=1', '$iothub/twin/PATCH/properties/reported/?$rid=1', '$iothub/methods/res/200/?$rid=1', 'devices/dev1/messages/events/a=b') },
);
const anyPayload = fc.oneof(
  fc.json({ maxDepth: 13 }).map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom('', '{', '{"a":{"b":null}}', '[]', 'null', '{"__proto__":{"x":1}}', '{"a.b":1}', `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`, `{"a":"${'x'.repeat(5_000)}"}`, '1e999', '{"a":1e999}').map((text) => Buffer.from(text)),
);
const anyFilter = fc.oneof(anyTopic, fc.constantFrom('$iothub/twin/res/#', '$iothub/methods/POST/#', '$iothub/twin/PATCH/properties/desired/#', 'devices/dev1/messages/devicebound/#'));
const packetId = fc.integer({ min: 1, max: 65_535 });
const anyPacket: fc.Arbitrary<Packet> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ topic: anyTopic, payload: anyPayload, qos: fc.constantFrom(0 as const, 1 as const), messageId: packetId }).map((fields): Packet => ({ cmd: 'publish', dup: false, retain: false, ...fields })) },
  { weight: 3, arbitrary: fc.record({ topic: anyFilter, qos: fc.constantFrom(0 as const, 1 as const, 2 as const), messageId: packetId }).map(({ topic, qos, messageId }): Packet => ({ cmd: 'subscribe', messageId, subscriptions: [{ topic, qos }] })) },
  { weight: 1, arbitrary: fc.record({ topic: anyFilter, messageId: packetId }).map(({ topic, messageId }): Packet => ({ cmd: 'unsubscribe', messageId, unsubscriptions: [topic] })) },
  { weight: 2, arbitrary: packetId.map((messageId): Packet => ({ cmd: 'puback', messageId })) },
  { weight: 1, arbitrary: fc.constant<Packet>({ cmd: 'pingreq' }) },
);
/** What a codec of our own would refuse to write, as bytes: the same packets with one byte changed. */
const anyBytes = fc.tuple(fc.array(anyPacket, { maxLength: 12 }), fc.option(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { freq: 3 })).map(([packets, change]) => {
  const bytes = Buffer.concat(packets.flatMap((packet) => encode(packet) ?? []));
  if (change !== null && bytes.length > 0) bytes[change[0] % bytes.length] = change[1];
  return bytes;
});

function encode(packet: Packet): Buffer | undefined {
  try {
    return generate(packet);
  } catch {
    return undefined;
  }
}

/** What the service side does meanwhile. */
const anyService = fc.constantFrom<(bench: HubBench) => void>(
  (bench) => void bench.hub.twins.patch(DEVICE, { tags: { a: 1 }, properties: { desired: { a: { b: null }, c: [1] } } }),
  (bench) => void bench.hub.twins.replace(DEVICE, { properties: { desired: {} } }),
  (bench) => void (bench.hub.messages.count(DEVICE) < 50 && bench.hub.messages.enqueue(DEVICE, { messageId: 'm', properties: { p: '/#+' }, payload: Buffer.from([0, 255]) })),
  (bench) => void bench.hub.methods.invoke(DEVICE, { methodName: 'a/#', payload: {} }).catch(() => {}),
  (bench) => void bench.hub.messages.purge(DEVICE),
  () => {},
);

test(`${CONVERSATIONS} conversations of anything with a connected hub end in no exception, and the device can come back`, async () => {
  let count = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(anyBytes, anyService), { minLength: 1, maxLength: 6 }), async (steps) => {
      const bench = new HubBench();
      const peer = await bench.connect();
      for (const [bytes, serve] of steps) {
        serve(bench);
        if (!peer.isClosed) await peer.send(bytes);
      }
      const ends = bench.eventsOf('disconnected');
      expect(ends).toHaveLength(peer.isClosed ? 1 : 0);
      expect(ends.filter(({ reason }) => reason === 'hub-fault')).toEqual([]);
      const again = await bench.connect();
      expect(again.isClosed).toBe(false);
      // Whatever it reported is a legal twin, in the form in which it is kept.
      expect(JSON.parse(JSON.stringify(bench.hub.twins.read(DEVICE)))).toMatchObject({ tags: expect.any(Object), reported: expect.any(Object) });
      await bench.hub.close();
      await settle();
      count += 1;
    }),
    { numRuns: CONVERSATIONS, seed: 3 },
  );
  expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  recordEvidence('hub-device-conversations', count);
});
