import { expect, test } from '@jest/globals';
import { createHub, type Hub } from '../../host-sim/hub/hub.ts';
import { MessageQueues } from '../../host-sim/hub/messages/message-queues.ts';
import { PresenceStore } from '../../host-sim/hub/mqtt/presence-store.ts';
import { SessionStore } from '../../host-sim/hub/mqtt/session-store.ts';
import { TwinStore } from '../../host-sim/hub/twins/twin-store.ts';
import { HUB_NAME, HubBench } from './hub-peer.ts';

const DEVICE = { deviceId: 'dev1' };
const MODULE = { deviceId: 'dev1', moduleId: 'mod' };

/** Everything that a journal would hold by now. */
function keep(hub: Hub): Map<string, unknown> {
  const journal = new Map<string, unknown>();
  for (const durable of hub.durables) {
    for (const [key, value] of durable.records()) journal.set(key, JSON.parse(JSON.stringify(value)));
    durable.onRecord((key, value) => (value === undefined ? journal.delete(key) : journal.set(key, JSON.parse(JSON.stringify(value)))));
  }
  return journal;
}

function openFrom(bench: HubBench, journal: ReadonlyMap<string, unknown>): Hub {
  const of = (prefix: string): [string, unknown][] => [...journal].filter(([key]) => key.startsWith(`${prefix}/`));
  const { clock, registry } = bench;
  return createHub({
    hubName: HUB_NAME, clock, registry, twins: new TwinStore(clock, of('twin')), sessions: new SessionStore(of('session')), presences: new PresenceStore(of('presence')),
    messages: new MessageQueues(clock, { findDevice: (deviceId) => (registry.find({ deviceId }) === undefined ? undefined : { generationId: 'g' }) }, {}, of('message')),
  });
}

async function use(bench: HubBench): Promise<void> {
  bench.registry.add(MODULE);
  bench.hub.twins.patch(MODULE, { tags: { of: 'module' } });
  bench.hub.twins.report(DEVICE, { a: 1 });
  bench.hub.messages.enqueue(DEVICE, { messageId: 'm', properties: {}, payload: Buffer.from('x') });
  await (await bench.connect(MODULE)).send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$iothub/twin/res/#', qos: 0 }] });
}

test('a hub that starts with the records of another has its twins, messages, sessions and presences', async () => {
  const bench = new HubBench();
  const journal = keep(bench.hub);
  await use(bench);
  await bench.hub.close();
  const again = openFrom(bench, journal);
  expect(again.twins.read(DEVICE)).toEqual(bench.hub.twins.read(DEVICE));
  expect(again.twins.read(MODULE)).toMatchObject({ tags: { of: 'module' } });
  expect(again.messages.count(DEVICE)).toBe(1);
  expect(again.presence(MODULE)).toEqual(bench.hub.presence(MODULE));
  expect(keep(again)).toEqual(journal);
});

test('what was kept of identities that are gone is forgotten, and a new one of that name starts without it', async () => {
  const bench = new HubBench();
  const journal = keep(bench.hub);
  await use(bench);
  await bench.hub.close();
  // As if the hub had ended right after the registry's record.
  bench.registry.remove(DEVICE);
  const again = openFrom(bench, journal);
  expect([...keep(again).keys()]).toEqual([]);
  bench.registry.add(DEVICE);
  expect([...keep(again).keys()]).toEqual(['twin/dev1']);
  expect(again.messages.count(DEVICE)).toBe(0);
  expect(again.presence(DEVICE)).toEqual({ connected: false });
});

test('an identity that was added without its twin has one when the hub starts', () => {
  const bench = new HubBench();
  const again = openFrom(bench, new Map());
  expect(again.twins.read(DEVICE)).toMatchObject({ version: 2 });
});
