import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { PERMISSIONS } from '../../../host-sim/hub/access/sas.ts';
import type { Identity } from '../../../host-sim/hub/identity.ts';
import { recordEvidence } from '../../evidence.ts';
import type { DocumentName, Expected } from './documents.ts';
import { HUB_NAME, RestBench } from './rest-bench.ts';
import type { RestEndpoint } from './rest-endpoints.ts';
import { signToken } from './tokens.ts';

const endpoint = (method: string, path: string): RestEndpoint => ({ method, path, needs: 'DeviceConnect', document: 'deviceConnect', status: 204 });

const SEND = endpoint('POST', '/devices/dev1/messages/events');
const RECEIVE = endpoint('GET', '/devices/dev1/messages/devicebound');
const SEND_AS_MODULE = endpoint('POST', '/devices/dev1/modules/mod1/messages/events');

let bench: RestBench;
let denying: RestBench;
let cells = 0;

beforeAll(async () => {
  bench = new RestBench();
  denying = new RestBench({ devices: true });
  for (const each of [bench, denying]) {
    await each.open();
    each.restore();
    each.hub.registry.add({ deviceId: 'dev2' });
    each.hub.registry.add({ deviceId: 'off' });
    each.hub.registry.setEnabled('off', false);
  }
});

afterAll(async () => {
  await Promise.all([bench.close(), denying.close()]);
  recordEvidence('access-matrix-device-https', cells);
});

const inAnHour = (): number => Math.ceil(Date.now() / 1000) + 3_600;

function sign(signer: Identity | string, scope: string, changes: Partial<Parameters<typeof signToken>[0]> = {}, at = bench): string {
  const keys = typeof signer === 'string' ? at.hub.registry.findPolicy(signer)!.keys : at.hub.registry.find(signer)!.keys;
  return signToken({ scope: `${HUB_NAME}${scope}`, key: keys.primary, expirySeconds: inAnHour(), ...(typeof signer === 'string' ? { policy: signer } : {}), ...changes });
}

type Row = readonly [what: string, endpoint: RestEndpoint, token: string | undefined, expected: Expected, document: DocumentName];

async function checkAll(on: RestBench, rows: readonly Row[]): Promise<void> {
  const faults: string[] = [];
  for (const [what, asked, token, expected] of rows) {
    const before = on.events.length;
    const { status, body } = await on.ask(asked, token);
    const codes = on.events.slice(before).flatMap((event) => (event.event === 'requestRefused' ? [event.code] : []));
    const isRight = expected === 'allowed' ? status === 204 && codes.length === 0 : status === 401 && body.includes('"ErrorCode:IotHubUnauthorizedAccess;Unauthorized"') && codes.join() === String(expected);
    if (!isRight) faults.push(`${what}, ${asked.method} ${asked.path}: ${status} ${codes.join()} instead of ${expected}`);
  }
  expect(faults).toEqual([]);
  cells += rows.length;
}

const DEVICE: Identity = { deviceId: 'dev1' };
const MODULE: Identity = { deviceId: 'dev1', moduleId: 'mod1' };

test('a device sends and receives with its own key, a module sends with its own, and nobody for another', async () => {
  await checkAll(bench, [SEND, RECEIVE].flatMap((asked): readonly Row[] => [
    ['no token', asked, undefined, 401_003, 'invalidToken'],
    ['its own key', asked, sign(DEVICE, '/devices/dev1'), 'allowed', 'ownKey'],
    ['its secondary key', asked, sign(DEVICE, '/devices/dev1', { key: bench.hub.registry.find(DEVICE)!.keys.secondary }), 'allowed', 'twoKeys'],
    ['a wrong key', asked, sign(DEVICE, '/devices/dev1', { key: new Uint8Array(32) }), 401_003, 'invalidToken'],
    ['an expired one', asked, sign(DEVICE, '/devices/dev1', { expirySeconds: 1 }), 401_003, 'invalidToken'],
    ['its own key for all devices', asked, sign(DEVICE, '/devices'), 401_003, 'ownKeyScope'],
    ["another device's token", asked, sign({ deviceId: 'dev2' }, '/devices/dev2'), 401_003, 'bySegment'],
    ["another device's key", asked, sign({ deviceId: 'dev2' }, '/devices/dev1'), 401_003, 'ownKey'],
    ["its module's token", asked, sign(MODULE, '/devices/dev1/modules/mod1'), 401_003, 'ownKey'],
    ["its module's key", asked, sign(MODULE, '/devices/dev1'), 401_003, 'ownKey'],
    ...PERMISSIONS.map((permission): Row => [`a policy with ${permission}`, asked, sign(`only${permission}`, '/devices'), permission === 'DeviceConnect' ? 'allowed' : 401_002, 'deviceConnect']),
  ]));
  await checkAll(bench, [
    ['its own key', SEND_AS_MODULE, sign(MODULE, '/devices/dev1/modules/mod1'), 'allowed', 'ownKey'],
    ["its device's token", SEND_AS_MODULE, sign(DEVICE, '/devices/dev1'), 401_003, 'ownKey'],
    ...PERMISSIONS.map((permission): Row => [`a policy with ${permission}`, SEND_AS_MODULE, sign(`only${permission}`, ''), permission.endsWith('eConnect') && permission !== 'ServiceConnect' ? 'allowed' : 401_002, 'moduleConnect']),
  ]);
});

test('a token for one endpoint opens that endpoint and no other', async () => {
  const scopes = ['/messages/events', '/messages/devicebound', '/messages', '/twin', '/messages/events/x', '/messages/event'];
  await checkAll(bench, scopes.flatMap((scope) => [DEVICE, 'device'].flatMap((signer): readonly Row[] => [
    [`${scope} of ${JSON.stringify(signer)}`, SEND, sign(signer as Identity | string, `/devices/dev1${scope}`), ['/messages/events', '/messages'].includes(scope) ? 'allowed' : 401_003, 'endpoints'],
    [`${scope} of ${JSON.stringify(signer)}`, RECEIVE, sign(signer as Identity | string, `/devices/dev1${scope}`), ['/messages/devicebound', '/messages'].includes(scope) ? 'allowed' : 401_003, 'endpoints'],
  ])));
});

test('a disabled device, one that is gone and one whose hub denies SAS tokens are refused with their codes', async () => {
  const off = endpoint('POST', '/devices/off/messages/events');
  const gone = endpoint('POST', '/devices/gone/messages/events');
  await checkAll(bench, [
    ['its own key', off, sign({ deviceId: 'off' }, '/devices/off'), 403_012, 'disabled'],
    ['a policy', off, sign('device', ''), 403_012, 'disabled'],
    ['any key', gone, sign(DEVICE, '/devices/gone'), 404_001, 'unknown'],
    ['a policy', gone, sign('device', ''), 404_001, 'unknown'],
  ]);
  await checkAll(denying, [
    ['its own key', SEND, sign(DEVICE, '/devices/dev1', {}, denying), 401_002, 'denied'],
    ['a policy', SEND, sign('device', '', {}, denying), 'allowed', 'denied'],
    ["a module's own key", SEND_AS_MODULE, sign(MODULE, '/devices/dev1/modules/mod1', {}, denying), 'allowed', 'denied'],
  ]);
});
