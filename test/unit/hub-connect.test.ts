import { expect, test } from '@jest/globals';
import { generate, type IConnectPacket } from 'mqtt-packet';
import { HUB_NAME, HubBench, publish, signToken } from './hub-peer.ts';

const CONNACK_ACCEPTED = '20020000';
const CONNACK_SESSION_PRESENT = '20020100';
const CONNACK_REFUSED = '20020005';

const hex = (bytes: readonly Buffer[]): string => Buffer.concat(bytes).toString('hex');

test('[MQTT-3.1.4-4] answers the right token with CONNACK 0, synchronously with the bytes of the CONNECT', async () => {
  const bench = new HubBench();
  const peer = bench.open();
  await peer.send(bench.connectPacket());
  expect(hex(peer.bytes)).toBe(CONNACK_ACCEPTED);
  expect(peer.isClosed).toBe(false);
  expect(bench.events.map(({ event }) => event)).toEqual(['connectionOpened', 'connectReceived', 'connected']);
  expect(bench.eventsOf('connected')).toMatchObject([{ connection: 1, deviceId: 'dev1', key: 'primary', sessionPresent: false, expirySeconds: 1_800_003_600, at: 1_800_000_000_000 }]);
});

test.each<[what: string, userName: string]>([
  ['the long form', `${HUB_NAME}/dev1/?api-version=2021-04-12`],
  ['the long form of the Node SDK', `${HUB_NAME}/dev1/?api-version=2021-04-12&DeviceClientType=node%2F1.18.4%20(node%20v20)`],
  ['the long form with a model id', `${HUB_NAME}/dev1/?api-version=2021-04-12&model-id=dtmi:com:example:Thermostat;1`],
  ['the api version behind other fields', `${HUB_NAME}/dev1/?DeviceClientType=x&api-version=2020-09-30`],
  ['a preview api version', `${HUB_NAME}/dev1/?api-version=2020-05-31-preview`],
  ['the form without a question mark', `${HUB_NAME}/dev1/api-version=2016-11-14`],
  ['the short form', `${HUB_NAME}/dev1`],
  ['the hub name in another case', `MYHUB.AZURE-devices.net/dev1/?api-version=2021-04-12`],
])('accepts the user name in %s', async (_, username) => {
  const bench = new HubBench();
  await bench.connect({ deviceId: 'dev1' }, { username });
  expect(bench.hub.identities()).toEqual([{ deviceId: 'dev1' }]);
});

test('accepts a module by its own key, and its device is somebody else', async () => {
  const bench = new HubBench();
  bench.registry.add({ deviceId: 'dev1', moduleId: 'mod1' });
  await bench.connect({ deviceId: 'dev1' });
  const module = await bench.connect({ deviceId: 'dev1', moduleId: 'mod1' });
  expect(module.isClosed).toBe(false);
  expect(bench.hub.identities()).toEqual([{ deviceId: 'dev1' }, { deviceId: 'dev1', moduleId: 'mod1' }]);
});

const IDS = ["-:.+%_#*?!(),=@$'", 'x'.repeat(128), 'a%41', '100%', 'A'];

test.each(IDS)('accepts the id %s in client id, user name, token and telemetry topic', async (deviceId) => {
  const bench = new HubBench();
  bench.registry.add({ deviceId });
  const peer = await bench.connect({ deviceId });
  await peer.send(publish(`devices/${deviceId}/messages/events/%24.mid=1`, 'x', { qos: 1, messageId: 7 }));
  expect(hex(peer.bytes)).toBe(`${CONNACK_ACCEPTED}40020007`);
  expect(bench.eventsOf('messageReceived')).toMatchObject([{ deviceId, mid: '1' }]);
});

type Change = Partial<IConnectPacket> | ((bench: HubBench) => Partial<IConnectPacket>);

test.each<[what: string, change: Change, reason: string, code: number, answer?: string]>([
  ['a user name of another hub', { username: 'yourhub.azure-devices.net/dev1/?api-version=2021-04-12' }, 'hub-name-wrong', 401_003],
  ['a user name of another device', { username: `${HUB_NAME}/dev2/?api-version=2021-04-12` }, 'user-name-not-matching', 401_003],
  ['a user name of a device whose id begins with this one', { username: `${HUB_NAME}/dev12/?api-version=2021-04-12` }, 'user-name-not-matching', 401_003],
  ['a user name in another case', { username: `${HUB_NAME}/DEV1/?api-version=2021-04-12` }, 'user-name-not-matching', 401_003],
  ['a user name with the hub only', { username: HUB_NAME }, 'user-name-not-matching', 401_003],
  ['a user name without api version', { username: `${HUB_NAME}/dev1/?DeviceClientType=x` }, 'api-version-missing', 400_004],
  ['an api version that is no date', { username: `${HUB_NAME}/dev1/?api-version=latest` }, 'api-version-missing', 400_004],
  ['a slash at the end of the short user name', { username: `${HUB_NAME}/dev1/` }, 'api-version-missing', 400_004],
  ['an empty user name', { username: '' }, 'user-name-missing', 401_003],
  ['an empty password', { password: Buffer.alloc(0) }, 'token-missing', 401_003],
  ['a password that is no token', { password: Buffer.from('secret') }, 'token-malformed', 401_003],
  ['a wrong key', () => ({ password: Buffer.from(signToken({ deviceId: 'dev1' }, { primary: new Uint8Array(32), secondary: new Uint8Array(32) })) }), 'signature-wrong', 401_003],
  ['an expired token', (bench) => ({ password: bench.connectPacket({ deviceId: 'dev1' }, 0).password }), 'token-expired', 401_003],
  ["another device's token", (bench) => ({ password: Buffer.from(signToken({ deviceId: 'dev2' }, bench.registry.find({ deviceId: 'dev1' })!.keys)) }), 'resource-not-covered', 401_003],
  ['a will to another topic', { will: { topic: 'lwt', payload: 'gone' } }, 'will-not-allowed', 400_004],
  ["a will to another device's telemetry", { will: { topic: 'devices/dev2/messages/events/', payload: 'gone' } }, 'will-not-allowed', 400_004],
  ['a will with QoS 2', { will: { topic: 'devices/dev1/messages/events/', payload: 'gone', qos: 2 } }, 'will-not-allowed', 400_004],
  ['[MQTT-3.1.3-8] an empty client id', { clientId: '', clean: true }, 'client-id-malformed', 400_004, '20020002'],
  ['a client id with three parts', { clientId: 'dev1/a/b' }, 'client-id-malformed', 400_004, '20020002'],
  ['a client id with a space', { clientId: 'dev 1' }, 'client-id-malformed', 400_004, '20020002'],
  ['a client id of 129 characters', { clientId: 'x'.repeat(129) }, 'client-id-malformed', 400_004, '20020002'],
])('refuses %s, tells the peer nothing but the return code, and closes', async (_, change, reason, code, answer = CONNACK_REFUSED) => {
  const bench = new HubBench();
  const peer = bench.open();
  const overrides = typeof change === 'function' ? change(bench) : change;
  await peer.send({ ...bench.connectPacket(), ...overrides }, publish('devices/dev1/messages/events/', 'must not arrive'));
  expect(hex(peer.bytes)).toBe(answer);
  expect(peer.isEnded).toBe(true);
  expect(bench.eventsOf('refused')).toMatchObject([{ connection: 1, reason, code }]);
  expect(bench.eventsOf('messageReceived')).toEqual([]);
  expect(bench.hub.identities()).toEqual([]);
});

test('an unknown device, a wrong key and a disabled device look the same to the peer', async () => {
  const bench = new HubBench();
  bench.registry.add({ deviceId: 'off' }, { enabled: false });
  const packets: IConnectPacket[] = [
    bench.connectPacket({ deviceId: 'nobody' }),
    { ...bench.connectPacket(), password: Buffer.from(signToken({ deviceId: 'dev1' }, { primary: new Uint8Array(32).fill(9), secondary: new Uint8Array(32) })) },
    bench.connectPacket({ deviceId: 'off' }),
  ];
  const seen = [];
  for (const packet of packets) {
    const peer = bench.open();
    await peer.send(packet);
    seen.push({ bytes: hex(peer.bytes), writes: peer.bytes.length, isEnded: peer.isEnded });
  }
  expect(seen).toEqual(Array(3).fill({ bytes: CONNACK_REFUSED, writes: 1, isEnded: true }));
  const refused = bench.eventsOf('refused');
  expect(refused.map(({ reason }) => reason)).toEqual(['identity-unknown', 'signature-wrong', 'identity-disabled']);
  const shape = (event: object): string[] => Object.keys(event).sort();
  expect(refused.map(shape)).toEqual(Array(3).fill(shape(refused[0]!)));
});

test('[MQTT-3.1.2-2] answers another protocol level with CONNACK 1 and closes', async () => {
  for (const protocolVersion of [3, 5] as const) {
    const bench = new HubBench();
    const peer = bench.open();
    await peer.send({ ...bench.connectPacket(), protocolVersion, protocolId: protocolVersion === 3 ? 'MQIsdp' : 'MQTT' });
    expect(hex(peer.bytes)).toBe('20020001');
    expect(peer.isEnded).toBe(true);
  }
  const bench = new HubBench();
  const peer = bench.open();
  const bytes = generate(bench.connectPacket());
  // The protocol level stands behind "MQTT".
  bytes[bytes.indexOf('MQTT') + 4] = 6;
  await peer.send(bytes);
  expect(hex(peer.bytes)).toBe('20020001');
});

test('[MQTT-3.1.2-22] closes on a password without a user name', async () => {
  const bench = new HubBench();
  const peer = bench.open();
  const bytes = Buffer.from('101600044d5154540440003c000464657631000474657374', 'hex');
  await peer.send(bytes);
  expect(hex(peer.bytes)).toBe('');
  expect(bench.eventsOf('disconnected')).toMatchObject([{ reason: 'packet-malformed' }]);
});

test('[MQTT-3.1.0-1] closes when the first packet is no CONNECT', async () => {
  const bench = new HubBench();
  const peer = bench.open();
  await peer.send({ cmd: 'pingreq' });
  expect(hex(peer.bytes)).toBe('');
  expect(bench.eventsOf('disconnected')).toMatchObject([{ reason: 'first-packet-not-connect' }]);
});

test('[MQTT-3.1.0-2] closes on a second CONNECT', async () => {
  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send(bench.connectPacket());
  expect(peer.isEnded).toBe(true);
  expect(bench.eventsOf('disconnected')).toMatchObject([{ reason: 'second-connect', deviceId: 'dev1' }]);
  expect(bench.eventsOf('connected')).toHaveLength(1);
});

test('closes a connection that sends no CONNECT in time, and one that sends half of it', async () => {
  const bench = new HubBench();
  const silent = bench.open();
  const half = bench.open();
  await half.send(generate(bench.connectPacket()).subarray(0, 40));
  await bench.advance(29_999);
  expect([silent.isClosed, half.isClosed]).toEqual([false, false]);
  await bench.advance(1);
  expect([silent.isClosed, half.isClosed]).toEqual([true, true]);
  expect(bench.eventsOf('disconnected').map(({ reason }) => reason)).toEqual(['connect-timeout', 'connect-timeout']);
});

test('answers a CONNECT that comes byte by byte', async () => {
  const bench = new HubBench();
  const peer = bench.open();
  for (const byte of generate(bench.connectPacket())) await peer.send(Uint8Array.of(byte));
  expect(hex(peer.bytes)).toBe(CONNACK_ACCEPTED);
});

test('[MQTT-3.1.4-5] handles packets that came in the same chunk as the CONNECT, and answers all in one write', async () => {
  const bench = new HubBench();
  const peer = bench.open();
  await peer.send(
    bench.connectPacket(),
    publish('devices/dev1/messages/events/%24.mid=a', '1', { qos: 1, messageId: 1 }),
    publish('devices/dev1/messages/events/%24.mid=b', '2', { qos: 1, messageId: 2 }),
    { cmd: 'pingreq' },
  );
  expect(peer.bytes.map((bytes) => bytes.toString('hex'))).toEqual([`${CONNACK_ACCEPTED}40020001${'40020002'}d000`]);
  expect(bench.eventsOf('messageReceived').map(({ mid }) => mid)).toEqual(['a', 'b']);
});

test('[MQTT-3.2.2-2] session present is 1 only after clean session 0 before', async () => {
  const bench = new HubBench();
  const answers = [];
  for (const clean of [false, false, true, false]) {
    const peer = await bench.connect({ deviceId: 'dev1' }, { clean });
    answers.push(hex(peer.bytes));
    await peer.send({ cmd: 'disconnect' });
  }
  expect(answers).toEqual([CONNACK_ACCEPTED, CONNACK_SESSION_PRESENT, CONNACK_ACCEPTED, CONNACK_ACCEPTED]);
});

test('evicts the older connection only after the new token verified, and before the CONNACK leaves', async () => {
  const bench = new HubBench();
  const older = await bench.connect();
  const refused = bench.open();
  await refused.send({ ...bench.connectPacket(), password: Buffer.from('SharedAccessSignature sr=x&sig=y&se=1') });
  expect(older.isClosed).toBe(false);

  const newer = await bench.connect();
  expect(older.isEnded).toBe(true);
  expect(newer.isClosed).toBe(false);
  expect(bench.events.slice(-4).map(({ event }) => event)).toEqual(['connectReceived', 'evicted', 'disconnected', 'connected']);
  expect(bench.eventsOf('evicted')).toMatchObject([{ connection: 1, by: 3, code: 400_027, deviceId: 'dev1' }]);
  expect(bench.hub.identities()).toEqual([{ deviceId: 'dev1' }]);

  await older.send(publish('devices/dev1/messages/events/', 'too late', { qos: 1, messageId: 9 }));
  expect(bench.eventsOf('messageReceived')).toEqual([]);
});

test('answers what the older connection had sent before the newer CONNECT came', async () => {
  const bench = new HubBench();
  const older = await bench.connect();
  await older.send(publish('devices/dev1/messages/events/%24.mid=last', 'x', { qos: 1, messageId: 5 }));
  await bench.connect();
  expect(hex(older.bytes)).toBe(`${CONNACK_ACCEPTED}40020005`);
});

test('no event holds the token, its signature or a key', async () => {
  const bench = new HubBench();
  const packet = bench.connectPacket();
  const peer = bench.open();
  await peer.send(packet);
  await bench.open().send({ ...packet, clientId: 'dev2' });
  const token = packet.password.toString();
  const signature = decodeURIComponent(/sig=([^&]+)/.exec(token)![1]!);
  const log = JSON.stringify(bench.events);
  expect(log).toContain('"event":"connected"');
  for (const secret of [token, signature, encodeURIComponent(signature), Buffer.from(bench.registry.find({ deviceId: 'dev1' })!.keys.primary).toString('base64')]) {
    expect(log).not.toContain(secret);
  }
});
