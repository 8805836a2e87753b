import { createHmac } from 'node:crypto';
import { expect, test } from '@jest/globals';
import type { Packet } from 'mqtt-packet';
import { HUB_NAME, HubBench, publish, settle, START_MS, type Peer } from './hub-peer.ts';

const DEVICE = { deviceId: 'dev1' };
const RESOURCE = `${HUB_NAME}/devices/dev1`;
const EXPIRY_SECONDS = START_MS / 1000 + 3_600;

/** A client whose token covers `path` below the device and no more. */
async function connect(bench: HubBench, path: string): Promise<Peer> {
  const sr = encodeURIComponent(`${RESOURCE}${path}`);
  const signature = createHmac('sha256', bench.registry.find(DEVICE)!.keys.primary).update(`${sr}\n${EXPIRY_SECONDS}`).digest('base64');
  const password = Buffer.from(`SharedAccessSignature sr=${sr}&sig=${encodeURIComponent(signature)}&se=${EXPIRY_SECONDS}`);
  return bench.connect(DEVICE, { password });
}

const FILTERS = {
  'messages/devicebound': ['devices/dev1/messages/devicebound/#'],
  twin: ['$iothub/twin/res/#', '$iothub/twin/PATCH/properties/desired/#'],
  'methods/devicebound': ['$iothub/methods/POST/#'],
} as const;

const PUBLISHES: Readonly<Record<string, Packet>> = {
  'messages/events': publish('devices/dev1/messages/events/', 'x'),
  twin: publish('$iothub/twin/GET/?$rid=1', ''),
  'methods/devicebound': publish('$iothub/methods/res/200/?$rid=1', ''),
};

const ENDPOINTS = ['messages/events', 'messages/devicebound', 'twin', 'methods/devicebound'] as const;

test.each([
  ['', ENDPOINTS],
  ['/messages', ['messages/events', 'messages/devicebound']],
  ['/messages/events', ['messages/events']],
  ['/messages/devicebound', ['messages/devicebound']],
  ['/twin', ['twin']],
  ['/methods/devicebound', ['methods/devicebound']],
] as const)('a token for devices/dev1%s may use %j and nothing else', async (path, covered) => {
  for (const endpoint of ENDPOINTS) {
    const mayUse = (covered as readonly string[]).includes(endpoint);
    const bench = new HubBench();
    const peer = await connect(bench, path);
    const filters: readonly string[] = endpoint === 'messages/events' ? [] : FILTERS[endpoint];
    if (filters.length > 0) {
      await peer.send({ cmd: 'subscribe', messageId: 1, subscriptions: filters.map((topic) => ({ topic, qos: 0 as const })) });
      expect(peer.received.at(-1)).toMatchObject({ cmd: 'suback', granted: filters.map(() => (mayUse ? 0 : 128)) });
    }
    const sent = PUBLISHES[endpoint];
    if (sent === undefined) continue;
    await peer.send(sent);
    expect(peer.isEnded).toBe(!mayUse);
    if (!mayUse) expect(bench.eventsOf('disconnected')).toMatchObject([{ reason: 'endpoint-not-covered' }]);
  }
});

test('what a wider token subscribed to is not delivered to a narrower one of the same session', async () => {
  const bench = new HubBench();
  const wide = await connect(bench, '');
  await wide.send({ cmd: 'subscribe', messageId: 1, subscriptions: Object.values(FILTERS).flat().map((topic) => ({ topic, qos: 1 as const })) });
  await wide.end();
  bench.hub.messages.enqueue(DEVICE, { properties: {}, payload: Buffer.from('x') });
  const narrow = await connect(bench, '/messages/events');
  expect(narrow.received).toMatchObject([{ cmd: 'connack', sessionPresent: true }]);
  bench.hub.twins.patch(DEVICE, { properties: { desired: { a: 1 } } });
  bench.hub.messages.enqueue(DEVICE, { properties: {}, payload: Buffer.from('y') });
  await expect(bench.hub.methods.invoke(DEVICE, { methodName: 'a' })).rejects.toMatchObject({ code: 404_103 });
  await settle();
  expect(narrow.received).toHaveLength(1);
  expect((await connect(bench, '')).received).toHaveLength(3);
});
