import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createHub, type Hub } from '../../host-sim/hub/hub.ts';
import { openRegistry } from '../../host-sim/hub/open-registry.ts';
import type { Durable } from '../../host-sim/hub/state/durable.ts';
import { StateFile } from '../../host-sim/hub/state/state-file.ts';
import { HUB_NAME, HubBench, publish, START_MS } from './hub-peer.ts';

let folder: string;
let path: string;
const hubs: Hub[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-restart-'));
  path = join(folder, 'hub.state');
});

afterEach(async () => {
  await Promise.all(hubs.splice(0).map((hub) => hub.close()));
  rmSync(folder, { recursive: true, force: true });
});

interface Kept {
  readonly bench: HubBench;
  readonly stores: readonly Durable[];
}

/** A hub on the state file, as `latchkey hub --state` makes it. The one before was killed. */
function start(): Kept {
  rmSync(`${path}.lock`, { force: true });
  const bench = new HubBench();
  const state = new StateFile(path, { clock: bench.clock });
  const registry = openRegistry(state, () => bench.clock.now());
  const hub = createHub({ hubName: HUB_NAME, clock: bench.clock, registry, onEvent: (event) => bench.events.push(event), records: (prefix) => state.recordsOf(prefix) });
  hubs.push(hub, bench.hub);
  const stores = [registry.policies, registry, ...hub.durables];
  state.keep(stores);
  return { bench: Object.assign(bench, { hub, registry }), stores };
}

const recordsOf = ({ stores }: Kept): object => Object.fromEntries(stores.flatMap((store) => [...store.records()]));

const CONFIGURATION = {
  id: 'rate', schemaVersion: '1.0', targetCondition: "tags.site = 'a'", priority: 1, labels: {}, metrics: { queries: {} },
  content: { deviceContent: { 'properties.desired.rate': 5 } },
};

test('a hub that was killed goes on where it was: identities, twins, messages, subscriptions, configurations and who was there last', async () => {
  const first = start();
  const { bench } = first;
  bench.registry.add({ deviceId: 'dev1' });
  bench.registry.add({ deviceId: 'dev1', moduleId: 'm' });
  bench.hub.configurations.create('rate', CONFIGURATION);
  bench.hub.twins.patch({ deviceId: 'dev1' }, { tags: { site: 'a' } });
  await bench.advance(1_000);
  const device = await bench.connect();
  await device.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'devices/dev1/messages/devicebound/#', qos: 1 }] });
  await device.send(publish('$iothub/twin/PATCH/properties/reported/?$rid=1', '{"at":1}'));
  await device.end();
  bench.hub.messages.enqueue({ deviceId: 'dev1' }, { messageId: 'm1', properties: { a: 'b' }, payload: Buffer.from([0, 255]) });
  expect(bench.hub.twins.read({ deviceId: 'dev1' })).toMatchObject({ desired: { rate: 5 }, reported: { at: 1 } });
  const expected = recordsOf(first);

  const second = start();
  expect(recordsOf(second)).toEqual(expected);
  expect(Object.keys(expected).map((key) => key.split('/')[0])).toEqual(expect.arrayContaining(['policy', 'identity', 'twin', 'message', 'session', 'presence', 'configuration']));
  expect(second.bench.hub.presence({ deviceId: 'dev1' })).toMatchObject({ connected: false, lastActivityMs: START_MS + 1_000 });
  const again = await second.bench.connect();
  expect(again.received).toMatchObject([{ cmd: 'connack', sessionPresent: true }, { cmd: 'publish', payload: Buffer.from([0, 255]) }]);
});

test('what is deleted stays deleted, with all that belonged to it', async () => {
  const first = start();
  const { bench } = first;
  bench.registry.add({ deviceId: 'dev1' });
  bench.hub.messages.enqueue({ deviceId: 'dev1' }, { properties: {}, payload: Buffer.from('x') });
  await (await bench.connect()).end();
  bench.registry.remove({ deviceId: 'dev1' });
  const second = start();
  expect(Object.keys(recordsOf(second)).filter((key) => key.includes('dev1'))).toEqual([]);
});
