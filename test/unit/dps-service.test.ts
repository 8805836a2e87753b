import { createHmac } from 'node:crypto';
import { expect, test } from '@jest/globals';
import type { IPublishPacket, Packet } from 'mqtt-packet';
import { Dps } from '../../host-sim/dps/dps.ts';
import type { DpsEvent } from '../../host-sim/dps/dps-events.ts';
import { Registry } from '../../host-sim/hub/registry/registry.ts';
import { VirtualClock } from '../../host-sim/time/virtual-clock.ts';
import { advance, Peer, publish, START_MS } from './hub-peer.ts';

const SCOPE = '0ne0000C0DE';
const KEY = Buffer.alloc(32, 7);
const REGISTER = '$dps/registrations/PUT/iotdps-register/?$rid=';
const BODY = JSON.stringify({ registrationId: 'dev1' });
const SUBSCRIBE: Packet = { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$dps/registrations/res/#', qos: 1 }] };

interface TokenParts {
  readonly sr?: string;
  readonly key?: Buffer;
  readonly se?: number;
  readonly skn?: string | null;
}

/** Not the simulator's code and not the agent's: written out once more. */
function tokenOf({ sr = `${SCOPE}%2fregistrations%2fdev1`, key = KEY, se = START_MS / 1000 + 60, skn = 'registration' }: TokenParts = {}): string {
  const signature = createHmac('sha256', key).update(`${sr}\n${se}`).digest('base64');
  return `SharedAccessSignature sr=${sr}&sig=${encodeURIComponent(signature)}&se=${se}${skn === null ? '' : `&skn=${skn}`}`;
}

class DpsBench {
  readonly clock = new VirtualClock(START_MS);
  readonly registry = new Registry();
  readonly events: DpsEvent[] = [];
  readonly dps = new Dps({ idScope: SCOPE, clock: this.clock, hubs: [{ hubName: 'myhub.azure-devices.net', registry: this.registry }], emit: (event) => void this.events.push(event) });

  constructor() {
    for (const id of ['dev1', 'dev2']) this.dps.enrolments.set({ id, type: 'individual', keys: { primary: KEY, secondary: KEY } });
  }

  async connect(password = tokenOf(), registrationId = 'dev1', username = `${SCOPE}/registrations/${registrationId}/api-version=2019-03-31&ClientVersion=x`): Promise<Peer> {
    const peer = new Peer();
    this.dps.accept(peer.stream);
    await peer.send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 60, clientId: registrationId, username, password: Buffer.from(password) });
    return peer;
  }

  advance(byMs: number): Promise<void> {
    return advance(this.clock, byMs);
  }
}

const answersOf = (peer: Peer): { readonly topic: string; readonly body: Readonly<Record<string, unknown>> }[] =>
  peer.received.filter((packet): packet is IPublishPacket => packet.cmd === 'publish').map(({ topic, payload }) => ({ topic, body: JSON.parse(payload.toString()) as Record<string, unknown> }));

test.each<[string, TokenParts]>([
  ['without skn', { skn: null }],
  ['with another skn', { skn: 'device' }],
  ['of another registration', { sr: `${SCOPE}%2fregistrations%2fdev2` }],
  ['of all registrations', { sr: `${SCOPE}%2fregistrations` }],
  ['of a part of the id', { sr: `${SCOPE}%2fregistrations%2fdev` }],
  ['of another scope', { sr: '0ne0000BEEF%2fregistrations%2fdev1' }],
  ['with another key', { key: Buffer.alloc(32, 8) }],
  ['that has ended', { se: START_MS / 1000 }],
])('a token %s registers nothing, and the device hears no reason', async (_, parts) => {
  const bench = new DpsBench();
  const peer = await bench.connect(tokenOf(parts));
  await peer.send(SUBSCRIBE, publish(`${REGISTER}1`, BODY));
  expect(answersOf(peer)).toEqual([{ topic: '$dps/registrations/res/401/?$rid=1', body: expect.objectContaining({ errorCode: 401_002, message: 'Unauthorized' }) }]);
  expect(bench.registry.deviceCount).toBe(0);
  // A question about an operation opens nothing either.
  await peer.send(publish('$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId=x', ''));
  expect(answersOf(peer)[1]!.topic).toContain('/401/');
});

test('a token that ends on its connection registers no more', async () => {
  const bench = new DpsBench();
  const peer = await bench.connect();
  await bench.advance(60_000);
  await peer.send(SUBSCRIBE, publish(`${REGISTER}1`, BODY));
  expect(answersOf(peer)[0]!.topic).toContain('/401/');
});

test('an operation is told to its own registration only, and a second registration takes its place', async () => {
  const bench = new DpsBench();
  const [one, two] = [await bench.connect(), await bench.connect(tokenOf({ sr: `${SCOPE}%2fregistrations%2fdev2` }), 'dev2')];
  await one!.send(SUBSCRIBE, publish(`${REGISTER}1`, BODY));
  const { operationId } = answersOf(one!)[0]!.body;
  expect(answersOf(one!)[0]).toMatchObject({ topic: '$dps/registrations/res/202/?$rid=1&retry-after=3', body: { status: 'assigning' } });
  const ask = publish(`$dps/registrations/GET/iotdps-get-operationstatus/?$rid=9&operationId=${String(operationId)}`, '');
  await two!.send(SUBSCRIBE, ask);
  expect(answersOf(two!)[0]!.topic).toContain('/404/');
  await bench.advance(2000);
  await one!.send(ask);
  expect(answersOf(one!)[1]).toMatchObject({ topic: '$dps/registrations/res/200/?$rid=9', body: { status: 'assigned', registrationState: { assignedHub: 'myhub.azure-devices.net', deviceId: 'dev1' } } });
  await one!.send(publish(`${REGISTER}3`, BODY), ask);
  expect(answersOf(one!)[3]!.topic).toContain('/404/');
});

test('a device that is disabled in its hub stays so when it registers again', async () => {
  const bench = new DpsBench();
  bench.registry.add({ deviceId: 'dev1' }, { enabled: false });
  const peer = await bench.connect();
  await peer.send(SUBSCRIBE, publish(`${REGISTER}1`, BODY));
  await bench.advance(2000);
  expect(bench.events.at(-1)).toMatchObject({ event: 'dpsAssigned' });
  expect(bench.registry.find({ deviceId: 'dev1' })).toMatchObject({ enabled: false });
});

test.each<[string, Packet]>([
  ['a topic of its own', publish('devices/dev1/messages/events/', '')],
  ['a request without its id', publish('$dps/registrations/PUT/iotdps-register/', BODY)],
  ['QoS 2', publish(`${REGISTER}1`, BODY, { qos: 2, messageId: 3 })],
  ['more than 96 KB', publish(`${REGISTER}1`, Buffer.alloc(98 * 1024))],
  ['a second CONNECT', { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 60, clientId: 'dev1' }],
])('a device that sends %s is disconnected', async (_, packet) => {
  const peer = await new DpsBench().connect();
  await peer.send(SUBSCRIBE, packet);
  expect([peer.isClosed, answersOf(peer)]).toEqual([true, []]);
});

test.each([
  ['of another registration', '{"registrationId":"dev2"}'], ['without one', '{}'], ['that is no JSON', '{'], ['that is no object', 'null'],
])('a body %s is answered with 400', async (_, body) => {
  const bench = new DpsBench();
  const peer = await bench.connect();
  await peer.send(SUBSCRIBE, publish(`${REGISTER}1`, body));
  expect(answersOf(peer)[0]!.topic).toBe('$dps/registrations/res/400/?$rid=1');
});

test('only answers can be subscribed to; a user name that does not fit, and an id that is none, are refused at once; silence ends a connection', async () => {
  const bench = new DpsBench();
  const peer = await bench.connect();
  await peer.send({ cmd: 'subscribe', messageId: 5, subscriptions: [{ topic: '#', qos: 1 }] });
  expect(peer.received[1]).toMatchObject({ cmd: 'suback', granted: [128] });
  for (const [id, name, code] of [['dev1', `${SCOPE}/registrations/dev2/api-version=2019-03-31`, 5], ['dev1', `${SCOPE}/registrations/dev1`, 5], ['de v1', `${SCOPE}/registrations/de v1/api-version=2019-03-31`, 2]] as const) {
    const refused = await bench.connect(tokenOf(), id, name);
    expect([refused.received[0], refused.isClosed]).toEqual([expect.objectContaining({ cmd: 'connack', returnCode: code }), true]);
  }
  await bench.advance(90_000);
  expect(peer.isClosed).toBe(true);
});
