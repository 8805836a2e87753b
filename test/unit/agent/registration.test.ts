import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { IPublishPacket } from 'mqtt-packet';

import { Agent } from '../../../firmware/agent/agent.ts';
import { parseConfig } from '../../../firmware/agent/config.ts';
import type { AgentEvent } from '../../../firmware/agent/events.ts';
import { readDpsAnswer } from '../../../firmware/agent/provisioning/read-dps-answer.ts';
import { textCodec } from '../../../firmware/codecs/text.ts';
import { recordEvidence } from '../../evidence.ts';
import { FakeNetwork } from '../../fakes/fake-network.ts';
import { FakePort } from '../../fakes/fake-port.ts';
import { FakeTime } from '../../fakes/fake-time.ts';
import { ScriptedHub, type HubSession } from '../../fakes/scripted-hub.ts';

const SCOPE = '0ne0000C0DE';
const OPERATION = '5.0000000000000001.c3bb1b9a';

/** How the service answers the n-th request, from 1; the topic says what is asked. */
type Script = (session: HubSession, rid: string, n: number, packet: IPublishPacket) => void;

const answer = (session: HubSession, status: number, rid: string, body: unknown, more = ''): void =>
  session.send({ cmd: 'publish', topic: `$dps/registrations/res/${status}/?$rid=${rid}${more}`, payload: body instanceof Uint8Array ? Buffer.from(body) : typeof body === 'string' ? body : JSON.stringify(body), qos: 0, dup: false, retain: false });
const assigning = (session: HubSession, rid: string, more = '&retry-after=3'): void => answer(session, 202, rid, { operationId: OPERATION, status: 'assigning' }, more);
const assignment = (assignedHub: unknown = 'hub.test', deviceId: unknown = 'dev1'): object => ({ operationId: OPERATION, status: 'assigned', registrationState: { registrationId: 'dev1', assignedHub, deviceId, status: 'assigned', payload: { status: 'failed', assignedHub: 'evil.test' } } });
const good: Script = (session, rid, n) => (n === 1 ? assigning(session, rid) : answer(session, 200, rid, assignment()));

/** An agent that has no hub yet, a service that does as it is told, and the hub. */
class World {
  readonly time = new FakeTime();
  readonly network = new FakeNetwork(this.time);
  readonly port = new FakePort(this.time, this.network);
  readonly dps: ScriptedHub;
  readonly hub: ScriptedHub;
  readonly agent: Agent;
  readonly events: AgentEvent[] = [];
  readonly saved: string[] = [];
  readonly asked: { readonly topic: string; readonly body: string; readonly atMs: number }[] = [];
  script: Script = good;

  constructor(config: Readonly<Record<string, unknown>> = {}) {
    this.network.delayMs = 10;
    for (const [name, address] of [['dps.test', '10.0.0.9'], ['hub.test', '10.0.0.1'], ['evil.test', '10.0.0.6']]) this.network.name(name!, address!);
    this.dps = new ScriptedHub(this.time, this.network, '10.0.0.9', 8883);
    this.hub = new ScriptedHub(this.time, this.network, '10.0.0.1', 8883);
    this.dps.onConnect = (session) => session.accept();
    const counts = new Map<HubSession, number>();
    this.dps.onPublish = (session, packet) => {
      const n = (counts.get(session) ?? 0) + 1;
      counts.set(session, n);
      this.asked.push({ topic: packet.topic, body: packet.payload.toString(), atMs: this.time.nowMs });
      this.script(session, /\$rid=(\d+)/.exec(packet.topic)![1]!, n, packet);
    };
    // As the signer in C: bound to the registration and to the device at one hub.
    this.port.sign = (_slot, resource) => {
      if (resource !== `${SCOPE}%2Fregistrations%2Fdev1` && resource !== 'hub.test%2Fdevices%2Fdev1') throw new Error('ERR_SIGNER_RESOURCE');
      return 'c2lnbmF0dXJl';
    };
    this.agent = new Agent({
      config: parseConfig({ dpsScope: SCOPE, dpsRegistration: 'dev1', dpsHost: 'dps.test', ...config }, 'test'),
      port: this.port,
      assignments: { save: (hub) => void this.saved.push(hub) },
      onEvent: (event) => void this.events.push(event),
    });
    this.port.wake = () => this.agent.wake();
  }

  eventsOf<T extends AgentEvent['type']>(type: T): Extract<AgentEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<AgentEvent, { type: T }> => event.type === type);
  }

  start(limitMs: number, until: () => boolean = () => this.agent.isConnected): this {
    this.agent.start();
    this.time.runUntil(until, limitMs);
    return this;
  }
}

test('a device says who it is as the documents of the service write it, polls as it is told, and connects to its hub', () => {
  const world = new World({ modelId: 'dtmi:com:example:Thermostat;1' });
  world.agent.start();
  expect(world.time.runUntil(() => world.agent.state.status === 'registering', 1000)).toBe(true);
  expect(world.time.runUntil(() => world.agent.isConnected, 60_000)).toBe(true);
  const { clientId, username, password, clean } = world.dps.sessions[0]!.connect!;
  expect({ clientId, username, clean }).toEqual({ clientId: 'dev1', username: `${SCOPE}/registrations/dev1/api-version=2019-03-31&ClientVersion=latchkey%2F0.1.0`, clean: true });
  expect(password!.toString()).toMatch(new RegExp(`^SharedAccessSignature sr=${SCOPE}%2Fregistrations%2Fdev1&sig=c2lnbmF0dXJl&skn=registration&se=\\d{10}$`));
  expect(world.asked.map(({ topic }) => topic)).toEqual(['$dps/registrations/PUT/iotdps-register/?$rid=1', `$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId=${OPERATION}`]);
  expect(JSON.parse(world.asked[0]!.body)).toEqual({ registrationId: 'dev1', payload: { modelId: 'dtmi:com:example:Thermostat;1' } });
  expect(world.dps.sessions[0]!.hasDisconnect).toBe(true);
  expect(world.hub.sessions[0]!.connect!.username).toMatch(/^hub\.test\/dev1\//);
  expect(world.saved).toEqual(['hub.test']);
  expect(world.port.openTlsCount).toBe(1);
});

test('the service is verified with the roots for it, the hub with those for hubs', () => {
  const world = new World();
  const purposes: (string | undefined)[] = [];
  world.port.roots = (purpose?: string) => {
    purposes.push(purpose);
    return [];
  };
  expect(world.start(60_000).agent.isConnected).toBe(true);
  expect(purposes).toEqual(['dps', undefined]);
});

test('a hub that could not be kept serves until the next start', () => {
  const world = new World();
  world.saved.push = () => {
    throw new Error('full');
  };
  expect(world.start(60_000).eventsOf('registered')).toEqual([{ type: 'registered', hub: 'hub.test', moved: true, saved: false }]);
  expect(world.agent.isConnected).toBe(true);
});

const deep = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;
const withBody = (body: unknown): Script => (session, rid) => answer(session, 200, rid, body);
const withHub = (assignedHub: unknown): Script => withBody(assignment(assignedHub));
const withOperation = (operationId: unknown): Script => (session, rid) => answer(session, 202, rid, { operationId, status: 'assigning' });

const HOSTILE: readonly (readonly [what: string, script: Script, code: string])[] = [
  ['to another request', (session) => answer(session, 200, '99', assignment()), 'ERR_DPS_TIMEOUT'],
  ['without a request', (session) => session.send({ cmd: 'publish', topic: '$dps/registrations/res/200/', payload: JSON.stringify(assignment()), qos: 0, dup: false, retain: false }), 'ERR_DPS_TIMEOUT'],
  ['with a status that is no number', (session, rid) => session.send({ cmd: 'publish', topic: `$dps/registrations/res/ok/?$rid=${rid}`, payload: '{}', qos: 0, dup: false, retain: false }), 'ERR_DPS_TIMEOUT'],
  ['that never comes', () => {}, 'ERR_DPS_TIMEOUT'],
  ['"assigning" for ever', (session, rid) => assigning(session, rid), 'ERR_DPS_TIMEOUT'],
  ['429 for ever', (session, rid) => answer(session, 429, rid, {}, '&retry-after=2'), 'ERR_DPS_TIMEOUT'],
  ['of a redirect', (session, rid) => answer(session, 302, rid, assignment()), 'ERR_DPS_ANSWER'],
  ['without a body', withBody(''), 'ERR_DPS_ANSWER'],
  ['that is no JSON', withBody('assigned'), 'ERR_DPS_ANSWER'],
  ['that is cut off', withBody(JSON.stringify(assignment()).slice(0, -1)), 'ERR_DPS_ANSWER'],
  ['that is a list', withBody([assignment()]), 'ERR_DPS_ANSWER'],
  ['of bytes that are no UTF-8', withBody(Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), 'ERR_DPS_ANSWER'],
  ['that is deep', withBody(`{"a":${deep(40)}}`), 'ERR_DPS_ANSWER'],
  ['above what is held', withBody({ ...assignment(), filler: 'x'.repeat(9000) }), 'ERR_DPS_ANSWER'],
  ['of a status nobody knows', withBody({ ...assignment(), status: 'granted' }), 'ERR_DPS_ANSWER'],
  ['of a status that is an object', withBody({ ...assignment(), status: { x: 'assigned' } }), 'ERR_DPS_ANSWER'],
  ['with the hub in another place', withBody({ status: 'assigned', assignedHub: 'hub.test', deviceId: 'dev1' }), 'ERR_DPS_ANSWER'],
  ...['', 'hub test', 'hub.test/devices/other', 'hub.test:8883', 'https://hub.test', 'hub..test', '.hub.test', '-hub.test', 'hub-.test', '10.0.0.6', 'hüb.test', 'hub.test\u0000', 'hub.test\r\nx', 'hub.test%2f', `${'a'.repeat(64)}.test`, `${'a.'.repeat(126)}test`, 5, null, ['hub.test'], { a: 'hub.test' }]
    .map((hub) => [`with the hub ${JSON.stringify(hub).slice(0, 40)}`, withHub(hub), 'ERR_DPS_ANSWER'] as const),
  ['with a hub that the key may not sign for', withHub('evil.test'), 'ERR_DPS_HUB'],
  ['with another device id', withBody(assignment('hub.test', 'dev2')), 'ERR_DPS_DEVICE'],
  ['without a device id', withBody(assignment('hub.test', null)), 'ERR_DPS_DEVICE'],
  ...['', 'a b', 'a&$rid=7', 'a#', 'a/+', 'ä', 'x'.repeat(129), 7, null].map((id) => [`with the operation ${JSON.stringify(id).slice(0, 20)}`, withOperation(id), 'ERR_DPS_ANSWER'] as const),
  ['that closes the connection', (session) => session.drop(), 'ERR_LINK'],
  ['401', (session, rid) => answer(session, 401, rid, { errorCode: 401_002, message: 'Unauthorized' }), 'ERR_DPS_UNAUTHORIZED'],
  ['404', (session, rid) => answer(session, 404, rid, { errorCode: 404_001 }), 'ERR_DPS_REFUSED'],
];

let refused = 0;

test.each(HOSTILE)('an answer %s is not believed, and the device is online once the service answers well', (_, script, code) => {
  const world = new World();
  world.script = script;
  world.start(400_000, () => world.events.some(({ type }) => type === 'registration-failed'));
  expect(world.eventsOf('registration-failed')[0]!.code.startsWith(code)).toBe(true);
  expect([world.saved, world.hub.sessions]).toEqual([[], []]);
  expect(world.port.openTlsCount).toBe(0);
  // No polling above what DPS allows: 5 in 10 s.
  world.asked.forEach(({ atMs }, i) => expect(atMs - (world.asked[i - 5]?.atMs ?? -Infinity)).toBeGreaterThan(4900));
  world.script = good;
  expect(world.time.runUntil(() => world.agent.isConnected, 900_000)).toBe(true);
  refused += 1;
  if (refused === HOSTILE.length) recordEvidence('dps-hostile-answers', refused);
});

test.each([['0', 1000, 1250], ['1', 1000, 1250], ['30', 30_000, 37_500], ['61', 60_000, 75_000], ['999999999999999', 60_000, 75_000], ['9'.repeat(400), 3000, 3750], ['-5', 3000, 3750], ['1e3', 3000, 3750], ['', 3000, 3750]])(
  'retry-after=%s makes the device wait between %i and %i ms', (text, fromMs, toMs) => {
    const world = new World();
    world.script = (session, rid, n) => (n === 1 ? assigning(session, rid, `&retry-after=${text}`) : answer(session, 200, rid, assignment()));
    world.start(200_000);
    const waitMs = world.asked[1]!.atMs - world.asked[0]!.atMs;
    expect(waitMs).toBeGreaterThanOrEqual(fromMs);
    expect(waitMs).toBeLessThanOrEqual(toMs + 50);
  },
);

test('what nobody asked for changes nothing: answers before the question, between two, and in thousands', () => {
  const world = new World();
  world.dps.onConnect = (session) => {
    session.accept();
    answer(session, 200, '1', assignment('evil.test'));
  };
  world.script = (session, rid, n) => {
    for (let i = 0; i < 1000; i++) answer(session, 401, String(1000 + i), {});
    good(session, rid, n, {} as IPublishPacket);
    if (n === 1) answer(session, 200, rid, assignment('evil.test'));
  };
  world.start(60_000);
  expect(world.eventsOf('registration-failed')).toEqual([]);
  expect(world.saved).toEqual(['hub.test']);
});

test('a subscription that is refused, a CONNACK of 3 or 5 and a throttled service are told apart', () => {
  for (const [set, code] of [
    [(world: World) => void (world.dps.onSubscribe = (session, { messageId = 0 }) => session.send({ cmd: 'suback', messageId, granted: [128] })), 'ERR_DPS_ANSWER'],
    [(world: World) => void (world.dps.onConnect = (session) => session.refuse(3)), 'ERR_DPS_UNAVAILABLE'],
    [(world: World) => void (world.dps.onConnect = (session) => session.refuse(5)), 'ERR_DPS_UNAUTHORIZED'],
  ] as const) {
    const world = new World();
    set(world);
    world.start(60_000, () => world.eventsOf('registration-failed').length > 0);
    expect(world.eventsOf('registration-failed')[0]).toMatchObject({ code });
  }
  const world = new World();
  world.script = (session, rid, n) => (n <= 2 ? answer(session, n === 1 ? 429 : 503, rid, '', '&retry-after=5') : good(session, rid, n - 2, {} as IPublishPacket));
  world.start(60_000);
  expect([world.agent.isConnected, world.asked.length]).toEqual([true, 4]);
});

test('an agent that is stopped while it registers closes that connection, and begins anew when it is started', () => {
  const world = new World();
  world.start(60_000, () => world.asked.length === 1);
  world.agent.stop();
  world.time.runUntil(() => false, 10_000);
  expect([world.dps.openCount, world.port.openTlsCount, world.agent.state.status]).toEqual([0, 0, 'stopped']);
  expect(world.start(60_000).agent.isConnected).toBe(true);
});

test('only the members that matter are read of an answer, the last of two with one name, escapes and all', () => {
  const read = (json: string): object | undefined => readDpsAnswer(new TextEncoder().encode(json), textCodec);
  expect(read('{"status":"a","status":"assigned","registrationState":{"assignedHub":"h\\u0075b.test","deviceId":"d\\/1","errorCode":401002}}')).toEqual({ status: 'assigned', assignedHub: 'hub.test', deviceId: 'd/1', errorCode: 401_002 });
  expect(read('{"x":{"assignedHub":"no"},"registrationState":["assignedHub"],"operationId":["a"],"errorCode":"x"}')).toEqual({});
  expect(read('{"registrationState":{"x":{"assignedHub":"no"},"payload":[{"deviceId":"no"}]},"__proto__":{"status":"no"}}')).toEqual({});
  for (const json of ['', 'null', '"status"', '[]', '{', '{"status":"a"}x']) expect(read(json)).toBeUndefined();
});

test('an answer means what it means to JSON.parse, and no bytes at all make the reader throw', () => {
  const encoder = new TextEncoder();
  const value = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.integer(), fc.jsonValue({ maxDepth: 2 }));
  const state = fc.oneof(value, fc.record({ assignedHub: value, deviceId: value, payload: value, status: value }, { requiredKeys: [] }));
  const body = fc.record({ operationId: value, status: value, registrationState: state, other: value }, { requiredKeys: [] });
  const text = (of: unknown): string => (typeof of === 'string' ? of : '');
  fc.assert(fc.property(body, (given) => {
    const json = JSON.stringify(given);
    const { operationId, status, registrationState } = JSON.parse(json) as Record<string, unknown>;
    const { assignedHub, deviceId } = (typeof registrationState === 'object' && registrationState !== null ? registrationState : {}) as Record<string, unknown>;
    const read = readDpsAnswer(encoder.encode(json), textCodec)!;
    expect([text(read.operationId), text(read.status), text(read.assignedHub), text(read.deviceId)]).toEqual([operationId, status, assignedHub, deviceId].map(text));
  }), { numRuns: 300, seed: 1 });
  fc.assert(fc.property(body, fc.nat(), fc.nat(255), (given, at, byte) => {
    const bytes = encoder.encode(JSON.stringify(given));
    bytes[at % bytes.length] = byte;
    readDpsAnswer(bytes, textCodec);
  }), { numRuns: 300, seed: 2 });
});
