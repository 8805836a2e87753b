import { expect, test } from '@jest/globals';
import type { IPublishPacket } from 'mqtt-packet';
import type { Identity } from '../../host-sim/hub/identity.ts';
import { HubBench, publish, settle, type Peer } from './hub-peer.ts';

const DEVICE = { deviceId: 'dev1' };
const ANSWERS = '$iothub/twin/res/#';
const DESIRED = '$iothub/twin/PATCH/properties/desired/#';
const REPORT = '$iothub/twin/PATCH/properties/reported/?$rid=';

async function connect(bench: HubBench, filters: readonly string[], identity: Identity = DEVICE): Promise<Peer> {
  const peer = await bench.connect(identity);
  if (filters.length > 0) await peer.send({ cmd: 'subscribe', messageId: 1, subscriptions: filters.map((topic) => ({ topic, qos: 1 as const })) });
  peer.received.length = 0;
  return peer;
}

/** What came by PUBLISH: topic and JSON, or text where it is none. */
function publishes(peer: Peer): [topic: string, body: unknown][] {
  return peer.received
    .filter((packet): packet is IPublishPacket => packet.cmd === 'publish')
    .map(({ topic, payload, qos, retain, dup }) => {
      expect({ qos, retain, dup }).toEqual({ qos: 0, retain: false, dup: false });
      const text = payload.toString();
      return [topic, text === '' ? '' : (JSON.parse(text) as unknown)];
    });
}

test('GET is answered 200 with desired and reported properties and their versions, nothing else', async () => {
  const bench = new HubBench();
  const peer = await connect(bench, [ANSWERS]);
  bench.hub.twins.patch(DEVICE, { tags: { hidden: 1 }, properties: { desired: { interval: 5 } } });
  await peer.send(publish('$iothub/twin/GET/?$rid=1', ''));
  expect(publishes(peer)).toEqual([['$iothub/twin/res/200/?$rid=1', { desired: { interval: 5, $version: 2 }, reported: { $version: 1 } }]]);
  expect(bench.eventsOf('twinRead')).toMatchObject([{ connection: 1, deviceId: 'dev1' }]);
});

test('PATCH is answered 204 with the new version and an empty payload; QoS 1 has its PUBACK first', async () => {
  const bench = new HubBench();
  const peer = await connect(bench, [ANSWERS]);
  await peer.send(publish(`${REPORT}a`, '{"x":{"y":1},"z":null}', { qos: 1, messageId: 9 }), publish(`${REPORT}b`, '{"x":{"w":2}}'));
  expect(peer.received[0]).toMatchObject({ cmd: 'puback', messageId: 9 });
  expect(publishes(peer)).toEqual([['$iothub/twin/res/204/?$rid=a&$version=2', ''], ['$iothub/twin/res/204/?$rid=b&$version=3', '']]);
  expect(bench.hub.twins.read(DEVICE)).toMatchObject({ reported: { x: { y: 1, w: 2 } }, reportedVersion: 3 });
  expect(bench.eventsOf('twinChanged')).toMatchObject([{ part: 'reported', version: 2, deviceId: 'dev1' }, { version: 3 }]);
});

test.each([
  ['7'],
  ['0b9d6c1e-98b0-4ee9-94a4-5fbd2a6a7a11'],
  ['%24%2F'],
  ['a=b'],
])('gives the request id %s back as it came', async (requestId) => {
  const bench = new HubBench();
  const peer = await connect(bench, [ANSWERS]);
  await peer.send(publish(`$iothub/twin/GET/?$rid=${requestId}`, ''), publish(`$iothub/twin/GET/?x=1&$rid=${requestId}&y`, ''));
  expect(publishes(peer).map(([topic]) => topic)).toEqual([`$iothub/twin/res/200/?$rid=${requestId}`, `$iothub/twin/res/200/?$rid=${requestId}`]);
});

test.each<[string, string | Buffer, number, number, string]>([
  ['no JSON', '{"a":', 400, 400_004, 'The body is no JSON.'],
  ['nothing', '', 400, 400_004, 'The body is no JSON.'],
  ['bytes that are no UTF-8', Buffer.from('7b2261ff223a317d', 'hex'), 400, 400_004, 'The body is no JSON.'],
  ['an array', '[1]', 400, 400_004, 'reported must be a JSON object.'],
  ['a bad name', '{"a b":1}', 400, 400_004, "Property or Tag name has invalid characters. Error in Property/Tag a b. Must not contain Control Characters, '.', '$', '#', or ' '."],
  ['$version', '{"$version":1}', 400, 400_004, "Property or Tag name has invalid characters. Error in Property/Tag $version. Must not contain Control Characters, '.', '$', '#', or ' '."],
  ['200,000 brackets', '['.repeat(200_000), 400, 400_004, 'The body is no JSON.'],
  ['too much', JSON.stringify(Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`k${index}`, 'x'.repeat(4_000)]))), 413, 413_001, 'The reported of the twin would take 36018 bytes; at most 32768 are allowed.'],
])('answers a PATCH of %s in the form of IoT Hub and changes nothing', async (_what, payload, status, code, message) => {
  const bench = new HubBench();
  const peer = await connect(bench, [ANSWERS]);
  await peer.send(publish(`${REPORT}5`, payload));
  expect(publishes(peer)).toEqual([
    [`$iothub/twin/res/${status}/?$rid=5`, { errorCode: code, message, trackingId: expect.any(String), timestampUtc: '2027-01-15T08:00:00.000Z' }],
  ]);
  expect(bench.eventsOf('twinRefused')).toMatchObject([{ request: 'twin-reported', status, code, detail: message }]);
  expect(bench.hub.twins.read(DEVICE).reportedVersion).toBe(1);
  await peer.send({ cmd: 'pingreq' });
  expect(peer.received.at(-1)).toMatchObject({ cmd: 'pingresp' });
});

test('a request without an id is answered 400', async () => {
  const bench = new HubBench();
  const peer = await connect(bench, [ANSWERS]);
  await peer.send(publish('$iothub/twin/GET/?', ''));
  expect(publishes(peer)).toMatchObject([['$iothub/twin/res/400/?$rid=', { errorCode: 400_004 }]]);
});

test.each([[1_024, false], [1_025, true], [65_500, true]])('a request id of %i characters closes the connection: %s', async (length, closes) => {
  const bench = new HubBench();
  const peer = await connect(bench, [ANSWERS]);
  await peer.send(publish(`$iothub/twin/GET/?$rid=${'r'.repeat(length)}`, ''));
  expect(peer.isEnded).toBe(closes);
  expect(publishes(peer)).toHaveLength(closes ? 0 : 1);
});

test('a device that has not subscribed to answers is not answered; its report counts', async () => {
  const bench = new HubBench();
  const peer = await connect(bench, []);
  await peer.send(publish(`${REPORT}1`, '{"a":1}'), publish('$iothub/twin/GET/?$rid=2', ''));
  expect(peer.received).toEqual([]);
  expect(bench.hub.twins.read(DEVICE).reported).toEqual({ a: 1 });
});

test('a subscriber hears of changes of its desired properties at once: a patch with its nulls, a replacement as a whole', async () => {
  const bench = new HubBench();
  const peer = await connect(bench, [DESIRED]);
  bench.hub.twins.patch(DEVICE, { tags: { t: 1 }, properties: { desired: { a: { b: 1, c: null }, d: null } } });
  bench.hub.twins.patch(DEVICE, { tags: { t: 2 } });
  bench.hub.twins.replace(DEVICE, { properties: { desired: { e: [1, 2] } } });
  bench.hub.twins.patch(DEVICE, { properties: { desired: {} } });
  await settle();
  expect(publishes(peer)).toEqual([
    ['$iothub/twin/PATCH/properties/desired/?$version=2', { a: { b: 1, c: null }, d: null, $version: 2 }],
    ['$iothub/twin/PATCH/properties/desired/?$version=3', { e: [1, 2], $version: 3 }],
    ['$iothub/twin/PATCH/properties/desired/?$version=4', { $version: 4 }],
  ]);
  expect(bench.eventsOf('desiredSent').map(({ version }) => version)).toEqual([2, 3, 4]);
});

test('changes of meanwhile do not wait for a device, its kept session or not; its subscription is there when it is back', async () => {
  const bench = new HubBench();
  const first = await connect(bench, [DESIRED]);
  await first.end();
  bench.hub.twins.patch(DEVICE, { properties: { desired: { missed: 1 } } });
  const second = await connect(bench, []);
  expect(second.received).toEqual([]);
  bench.hub.twins.patch(DEVICE, { properties: { desired: { seen: 1 } } });
  await settle();
  expect(publishes(second)).toEqual([['$iothub/twin/PATCH/properties/desired/?$version=3', { seen: 1, $version: 3 }]]);
});

test("a module's twin is its own: neither its device nor another module hears or reads it", async () => {
  const bench = new HubBench();
  const module = { deviceId: 'dev1', moduleId: 'mod' };
  bench.registry.add(module);
  bench.registry.add({ deviceId: 'dev1', moduleId: 'other' });
  const peers = [await connect(bench, [ANSWERS, DESIRED]), await connect(bench, [ANSWERS, DESIRED], { ...module, moduleId: 'other' })];
  const peer = await connect(bench, [ANSWERS, DESIRED], module);
  bench.hub.twins.patch(module, { properties: { desired: { a: 1 } } });
  await peer.send(publish('$iothub/twin/GET/?$rid=1', ''), publish(`${REPORT}2`, '{"r":1}'));
  expect(publishes(peer).map(([topic]) => topic)).toEqual([
    '$iothub/twin/PATCH/properties/desired/?$version=2', '$iothub/twin/res/200/?$rid=1', '$iothub/twin/res/204/?$rid=2&$version=2',
  ]);
  expect(peers.map((other) => other.received)).toEqual([[], []]);
  expect(bench.hub.twins.read(DEVICE)).toMatchObject({ reported: {}, desired: {} });
});

test('the twin of a removed device is gone, and a device of that name starts anew', async () => {
  const bench = new HubBench();
  bench.hub.twins.patch(DEVICE, { tags: { old: 1 } });
  bench.registry.remove(DEVICE);
  expect(() => bench.hub.twins.read(DEVICE)).toThrow(expect.objectContaining({ code: 404_001 }));
  bench.registry.add(DEVICE);
  expect(bench.hub.twins.read(DEVICE)).toMatchObject({ tags: {}, version: 2 });
});

test('answers of any legal twin arrive whole, however many are asked for at once, while the client reads', async () => {
  const bench = new HubBench();
  const peer = await connect(bench, [ANSWERS]);
  const full = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`k${index}`, '\\"'.repeat(2_000)]));
  bench.hub.twins.patch(DEVICE, { properties: { desired: full } });
  bench.hub.twins.report(DEVICE, full);
  await peer.send(...Array.from({ length: 50 }, (_, index) => publish(`$iothub/twin/GET/?$rid=${index}`, '')));
  const answers = publishes(peer);
  expect(answers).toHaveLength(50);
  expect(answers[49]).toEqual(['$iothub/twin/res/200/?$rid=49', { desired: { ...full, $version: 2 }, reported: { ...full, $version: 2 } }]);
});

test('a client that asks for its twin and does not read is broken, with little kept for it', async () => {
  const bench = new HubBench();
  const peer = await connect(bench, [ANSWERS]);
  bench.hub.twins.report(DEVICE, Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`k${index}`, 'x'.repeat(4_000)])));
  peer.isBlocked = true;
  const askedAtOnce = Array.from({ length: 200 }, (_, index) => publish(`$iothub/twin/GET/?$rid=${index}`, ''));
  await peer.send(...askedAtOnce);
  expect(bench.eventsOf('disconnected')).toMatchObject([{ reason: 'client-does-not-read' }]);
  expect(bench.eventsOf('twinRead').length).toBeLessThan(20);
});
