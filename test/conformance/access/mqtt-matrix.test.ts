import { afterAll, afterEach, expect, test } from '@jest/globals';
import type { DeniedSharedAccess } from '../../../host-sim/hub/access/authorize.ts';
import type { DeviceEndpoint } from '../../../host-sim/hub/access/device-endpoints.ts';
import { PERMISSIONS } from '../../../host-sim/hub/access/sas.ts';
import type { Identity } from '../../../host-sim/hub/identity.ts';
import { recordEvidence } from '../../evidence.ts';
import type { DocumentName, Expected } from './documents.ts';
import { MqttBench, type MqttPeer } from './mqtt-bench.ts';
import { HUB_NAME } from './rest-bench.ts';
import { signToken, type TokenParts } from './tokens.ts';

let cells = 0;

const open: MqttBench[] = [];

function start(denied?: DeniedSharedAccess): MqttBench {
  const bench = new MqttBench(denied);
  open.push(bench);
  return bench;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((bench) => bench.close()));
});

afterAll(() => recordEvidence('access-matrix-mqtt', cells));

const CONNACK_ACCEPTED = '20020000';
const CONNACK_REFUSED = '20020005';

const DEVICE: Identity = { deviceId: 'dev1' };
const MODULE: Identity = { deviceId: 'dev1', moduleId: 'mod1' };
const GONE: Identity = { deviceId: 'gone' };
const DEVICE_SCOPE = `${HUB_NAME}/devices/dev1`;
const MODULE_SCOPE = `${DEVICE_SCOPE}/modules/mod1`;

const inAnHour = (): number => Math.ceil(Date.now() / 1000) + 3_600;

/** Who signs: an identity with its own key, or a policy. */
type Signer = Identity | string;

function sign(bench: MqttBench, signer: Signer, scope: string, changes: Partial<TokenParts> & { readonly which?: 'primary' | 'secondary' } = {}): string {
  const { which = 'primary', ...parts } = changes;
  const { registry } = bench.hub;
  const keys = typeof signer === 'string' ? registry.findPolicy(signer)!.keys : registry.find(signer)!.keys;
  return signToken({ scope, key: keys[which], expirySeconds: inAnHour(), ...(typeof signer === 'string' ? { policy: signer } : {}), ...parts });
}

interface Row {
  readonly what: string;
  readonly as: Identity;
  readonly token: (bench: MqttBench) => string | undefined;
  readonly expected: Expected;
  readonly document: DocumentName;
  readonly denied?: DeniedSharedAccess;
}

const row = (what: string, as: Identity, expected: Expected, document: DocumentName, token: Row['token'], denied?: DeniedSharedAccess): Row => ({
  what, as, expected, document, token, ...(denied === undefined ? {} : { denied }),
});

/** The rows that are the same for a device and for a module. */
function rowsOf(as: Identity, scope: string, sibling: Identity): readonly Row[] {
  const own = (changes: Parameters<typeof sign>[3] = {}) => (bench: MqttBench): string => sign(bench, as, scope, changes);
  const connecting: readonly string[] = as.moduleId === undefined ? ['DeviceConnect'] : ['DeviceConnect', 'ModuleConnect'];
  const document: DocumentName = as.moduleId === undefined ? 'deviceConnect' : 'moduleConnect';
  return [
    row('no token', as, 401_003, 'invalidToken', () => undefined),
    row('an empty one', as, 401_003, 'invalidToken', () => ''),
    row('half of one', as, 401_003, 'invalidToken', (bench) => own()(bench).slice(0, 60)),
    row('its own key', as, 'allowed', 'ownKey', own()),
    row('its secondary key', as, 'allowed', 'twoKeys', own({ which: 'secondary' })),
    row('a wrong key', as, 401_003, 'invalidToken', own({ key: new Uint8Array(32) })),
    row('an expired one', as, 401_003, 'invalidToken', own({ expirySeconds: Math.floor(Date.now() / 1000) - 1 })),
    row("another's token", as, 401_003, 'invalidToken', (bench) => sign(bench, sibling, `${HUB_NAME}/devices/${sibling.deviceId}${sibling.moduleId === undefined ? '' : `/modules/${sibling.moduleId}`}`)),
    row("another's key", as, 401_003, 'ownKey', (bench) => sign(bench, sibling, scope)),
    row('its own key under a policy name', as, 401_003, 'invalidToken', own({ policy: 'device' })),
    row('its own key for all devices', as, 401_003, 'ownKeyScope', (bench) => sign(bench, as, `${HUB_NAME}/devices`)),
    row('its own key for the hub', as, 401_003, 'ownKeyScope', (bench) => sign(bench, as, HUB_NAME)),
    row('its own key for another hub', as, 401_003, 'bySegment', (bench) => sign(bench, as, scope.replace(HUB_NAME, 'other.azure-devices.net'))),
    row('its own key for what is no endpoint', as, 401_003, 'endpoints', (bench) => sign(bench, as, `${scope}/nonsense`)),
    row('its own key for half of a segment', as, 401_003, 'bySegment', (bench) => sign(bench, as, scope.slice(0, -1))),
    row('its own key for sending alone', as, 'allowed', 'endpoints', (bench) => sign(bench, as, `${scope}/messages/events`)),
    row('its own key for receiving alone', as, 'allowed', 'endpoints', (bench) => sign(bench, as, `${scope}/messages/devicebound`)),
    ...PERMISSIONS.flatMap((permission): Row[] => {
      const isEnough = connecting.includes(permission);
      const scopes = [HUB_NAME, `${HUB_NAME}/devices`, scope];
      return scopes.map((each) => row(`a policy with ${permission} for ${each}`, as, isEnough ? 'allowed' : 401_002, isEnough ? (each === HUB_NAME || each.endsWith('/devices') ? 'gateway' : document) : 'noPermission', (bench) => sign(bench, `only${permission}`, each)));
    }),
    row('a policy that covers another', as, 401_003, 'bySegment', (bench) => sign(bench, 'device', `${HUB_NAME}/devices/dev2`)),
    row("a policy's secondary key", as, 'allowed', 'twoKeys', (bench) => sign(bench, 'device', scope, { which: 'secondary' })),
    row('an unknown policy', as, 401_003, 'invalidToken', (bench) => sign(bench, 'device', scope, { policy: 'nobody' })),
    row("a policy's expired token", as, 401_003, 'invalidToken', (bench) => sign(bench, 'device', scope, { expirySeconds: 1 })),
    row('a policy where policies are denied', as, 401_002, 'denied', (bench) => sign(bench, 'device', scope), { policies: true }),
    row('its own key where policies are denied', as, 'allowed', 'denied', own(), { policies: true }),
    row('its own key where devices are denied', as, as.moduleId === undefined ? 401_002 : 'allowed', 'denied', own(), { devices: true }),
    row('its own key where modules are denied', as, as.moduleId === undefined ? 'allowed' : 401_002, 'denied', own(), { modules: true }),
    row('a policy where devices and modules are denied', as, 'allowed', 'denied', (bench) => sign(bench, 'device', scope), { devices: true, modules: true }),
  ];
}

const ROWS: readonly Row[] = [
  ...rowsOf(DEVICE, DEVICE_SCOPE, { deviceId: 'dev2' }),
  ...rowsOf(MODULE, MODULE_SCOPE, { deviceId: 'dev1', moduleId: 'mod2' }),
  row("a device whose id begins with this one's", { deviceId: 'dev12' }, 401_003, 'bySegment', (bench) => sign(bench, { deviceId: 'dev12' }, DEVICE_SCOPE)),
  row("the module's token for its device", DEVICE, 401_003, 'ownKey', (bench) => sign(bench, MODULE, MODULE_SCOPE)),
  row("the module's key for its device", DEVICE, 401_003, 'ownKey', (bench) => sign(bench, MODULE, DEVICE_SCOPE)),
  row("the device's token for its module", MODULE, 401_003, 'ownKey', (bench) => sign(bench, DEVICE, DEVICE_SCOPE)),
  row("the device's key for its module", MODULE, 401_003, 'ownKey', (bench) => sign(bench, DEVICE, MODULE_SCOPE)),
  row('a disabled device', { deviceId: 'off' }, 403_012, 'disabled', (bench) => sign(bench, { deviceId: 'off' }, `${HUB_NAME}/devices/off`)),
  row('a policy for a disabled device', { deviceId: 'off' }, 403_012, 'disabled', (bench) => sign(bench, 'device', HUB_NAME)),
  row('a module of a disabled device', { deviceId: 'off', moduleId: 'mod1' }, 403_012, 'disabled', (bench) => sign(bench, { deviceId: 'off', moduleId: 'mod1' }, `${HUB_NAME}/devices/off/modules/mod1`)),
  row('a disabled device with a wrong key', { deviceId: 'off' }, 401_003, 'invalidToken', (bench) => sign(bench, DEVICE, `${HUB_NAME}/devices/off`)),
  row('a device that was deleted', GONE, 404_001, 'unknown', (bench) => sign(bench, DEVICE, `${HUB_NAME}/devices/gone`)),
  row('a policy for a device that was deleted', GONE, 404_001, 'unknown', (bench) => sign(bench, 'device', HUB_NAME)),
  row('a module that was deleted', { deviceId: 'dev1', moduleId: 'gone' }, 404_001, 'unknown', (bench) => sign(bench, DEVICE, `${DEVICE_SCOPE}/modules/gone`)),
  row('a device with a certificate and its hidden key', { deviceId: 'cert' }, 401_003, 'oneWay', (bench) => sign(bench, { deviceId: 'cert' }, `${HUB_NAME}/devices/cert`)),
  row('a policy for a device with a certificate', { deviceId: 'cert' }, 401_003, 'oneWay', (bench) => sign(bench, 'device', HUB_NAME)),
];

const describeClient = ({ deviceId, moduleId }: Identity): string => (moduleId === undefined ? deviceId : `${deviceId}/${moduleId}`);

test.each(ROWS.map((each) => [each.what, describeClient(each.as), each] as const))('CONNECT with %s as %s comes to what the documents say, and the peer sees CONNACK 0 or 5 alone', async (_, __, { as, token, expected, denied }) => {
  const bench = start(denied);
  const peer = await bench.connect(as, token(bench));
  const refused = bench.events.filter((event) => event.event === 'refused').map(({ code }) => code);
  expect({ bytes: peer.bytes, isOpen: peer.isOpen, refused }).toEqual(
    expected === 'allowed' ? { bytes: CONNACK_ACCEPTED, isOpen: true, refused: [] } : { bytes: CONNACK_REFUSED, isOpen: false, refused: [expected] },
  );
  cells += 1;
});

/** What a client does at each endpoint. @returns whether the hub lets it */
const ACTIONS: Readonly<Record<string, readonly [endpoint: DeviceEndpoint, act: (peer: MqttPeer) => Promise<boolean>]>> = {
  'send telemetry': ['messages/events', (peer) => publish(peer, 'devices/dev1/messages/events/')],
  'receive messages': ['messages/devicebound', (peer) => subscribe(peer, 'devices/dev1/messages/devicebound/#')],
  'hear desired properties': ['twin', (peer) => subscribe(peer, '$iothub/twin/PATCH/properties/desired/#')],
  'hear of its twin': ['twin', (peer) => subscribe(peer, '$iothub/twin/res/#')],
  'read its twin': ['twin', (peer) => publish(peer, '$iothub/twin/GET/?$rid=1')],
  'report properties': ['twin', (peer) => publish(peer, '$iothub/twin/PATCH/properties/reported/?$rid=2', '{}')],
  'hear methods': ['methods/devicebound', (peer) => subscribe(peer, '$iothub/methods/POST/#')],
  'answer methods': ['methods/devicebound', (peer) => publish(peer, '$iothub/methods/res/200/?$rid=1')],
};

async function publish(peer: MqttPeer, topic: string, payload = ''): Promise<boolean> {
  await peer.send({ cmd: 'publish', topic, payload, qos: 1, messageId: 9, dup: false, retain: false });
  return peer.isOpen && peer.received.some(({ cmd }) => cmd === 'puback');
}

async function subscribe(peer: MqttPeer, topic: string): Promise<boolean> {
  await peer.send({ cmd: 'subscribe', messageId: 8, subscriptions: [{ topic, qos: 1 }] });
  const suback = peer.received.find(({ cmd }) => cmd === 'suback') as { readonly granted: readonly number[] } | undefined;
  return suback?.granted[0] !== undefined && suback.granted[0] <= 1;
}

const ALL: readonly DeviceEndpoint[] = ['messages/events', 'messages/devicebound', 'twin', 'methods/devicebound', 'files'];

const SCOPES: readonly (readonly [scope: string, covers: readonly DeviceEndpoint[]])[] = [
  ['', ALL],
  ['/messages', ['messages/events', 'messages/devicebound']],
  ['/messages/events', ['messages/events']],
  ['/messages/devicebound', ['messages/devicebound']],
  ['/twin', ['twin']],
  ['/methods', ['methods/devicebound']],
  ['/methods/devicebound', ['methods/devicebound']],
];

const SCOPE_ACTIONS = SCOPES.flatMap(([scope, covers]) => Object.entries(ACTIONS).flatMap(([action, [endpoint]]) => [[action, scope, covers.includes(endpoint), DEVICE], [action, scope, covers.includes(endpoint), 'device']] as const));

test.each(SCOPE_ACTIONS)('a client may %s with a token for /devices/dev1%s: %s', async (action, scope, isAllowed, signer) => {
  const bench = start();
  const peer = await bench.connect(DEVICE, sign(bench, signer, `${DEVICE_SCOPE}${scope}`));
  expect(peer.bytes).toBe(CONNACK_ACCEPTED);
  expect(await ACTIONS[action]![1](peer)).toBe(isAllowed);
  expect(bench.events.filter(({ event }) => event === 'messageReceived')).toHaveLength(isAllowed && action === 'send telemetry' ? 1 : 0);
  cells += 1;
});

test('a token that does not cover sending brings no will', async () => {
  const will = { topic: 'devices/dev1/messages/events/', payload: Buffer.from('gone'), qos: 0 as const, retain: false };
  for (const [scope, bytes] of [['', CONNACK_ACCEPTED], ['/messages/events', CONNACK_ACCEPTED], ['/twin', CONNACK_REFUSED]] as const) {
    const bench = start();
    expect((await bench.connect(DEVICE, sign(bench, DEVICE, `${DEVICE_SCOPE}${scope}`), { will })).bytes).toBe(bytes);
    cells += 1;
  }
});
