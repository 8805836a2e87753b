import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { PERMISSIONS } from '../../../host-sim/hub/access/sas.ts';
import type { HubEvent } from '../../../host-sim/hub/events.ts';
import { createHub, type Hub } from '../../../host-sim/hub/hub.ts';
import { Registry } from '../../../host-sim/hub/registry/registry.ts';
import { realClock } from '../../../host-sim/time/real-clock.ts';
import { recordEvidence } from '../../evidence.ts';
import { tryLink, type AmqpLogin, type AmqpOutcome } from './amqp-client.ts';
import type { DocumentName, Expected } from './documents.ts';
import { HUB_NAME } from './rest-bench.ts';
import { signToken } from './tokens.ts';

interface AmqpPlace {
  readonly hub: Hub;
  readonly events: HubEvent[];
  readonly server: Server;
}

/** The service's links of IoT Hub: "ServiceConnect: send cloud-to-device messages, and retrieve the corresponding delivery acknowledgments". */
const ENDPOINTS = [
  ['send', '/messages/devicebound'],
  ['receive', '/messages/servicebound/feedback'],
  ['receive', '/messages/servicebound/filenotifications'],
] as const;

let place: AmqpPlace;
let denying: AmqpPlace;
let cells = 0;

async function open(deniesPolicies: boolean): Promise<AmqpPlace> {
  const registry = new Registry();
  registry.add({ deviceId: 'dev1' });
  for (const permission of PERMISSIONS) registry.policies.set(`only${permission}`, [permission]);
  const events: HubEvent[] = [];
  const hub = createHub({ hubName: HUB_NAME, clock: realClock, registry, deniedAccess: { policies: deniesPolicies }, onEvent: (event) => events.push(event) });
  const server = createServer((socket) => hub.acceptAmqp(socket, 'peer'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { hub, events, server };
}

beforeAll(async () => {
  [place, denying] = await Promise.all([open(false), open(true)]);
});

afterAll(async () => {
  for (const { hub, server } of [place, denying]) {
    server.close();
    await hub.close();
  }
  recordEvidence('access-matrix-amqp', cells);
});

const inAnHour = (): number => Math.ceil(Date.now() / 1000) + 3_600;

function sign(policy: string, changes: Partial<Parameters<typeof signToken>[0]> = {}, at = place): string {
  return signToken({ scope: HUB_NAME, policy, key: at.hub.registry.findPolicy(policy)!.keys.primary, expirySeconds: inAnHour(), ...changes });
}

type Row = readonly [what: string, login: AmqpLogin, expected: Expected, document: DocumentName];

/** Everything that a client without rights may be told. */
const REFUSALS = ['connection amqp:unauthorized-access Failed to authenticate: 1', 'cbs 401 Unauthorized', 'link amqp:unauthorized-access no token of this connection opens this address'];

async function checkAll(at: AmqpPlace, [direction, address]: (typeof ENDPOINTS)[number], rows: readonly Row[]): Promise<void> {
  const faults: string[] = [];
  for (const [what, login, expected] of rows) {
    const before = at.events.length;
    const outcome = await tryLink({ port: (at.server.address() as AddressInfo).port, hubName: HUB_NAME, login, address, direction });
    const codes = at.events.slice(before).flatMap((event) => (event.event === 'amqpRefused' ? [event.code] : []));
    if (!isAsExpected(outcome, codes, expected)) faults.push(`${what}: ${JSON.stringify({ ...outcome, codes })} instead of ${expected}`);
  }
  expect(faults).toEqual([]);
  cells += rows.length;
}

function isAsExpected({ isOpen, told }: AmqpOutcome, codes: readonly number[], expected: Expected): boolean {
  if (expected === 'allowed') return isOpen && told.length === 0 && codes.length === 0;
  return !isOpen && told.length > 0 && told.every((each) => REFUSALS.includes(each)) && codes.includes(expected);
}

const plain = (policy: string, token = sign(policy)): AmqpLogin => ({ kind: 'plain', policy, token });
const claim = (token: string, audience = HUB_NAME): AmqpLogin => ({ kind: 'claim', audience, token });
const named = ENDPOINTS.map((endpoint) => [endpoint.join(' '), endpoint] as const);

test.each(named)('%s is allowed to policies with ServiceConnect and to no other, by SASL PLAIN and by claims', async (_, endpoint) => {
  const policies = [...PERMISSIONS.map((permission) => `only${permission}`), 'iothubowner', 'service', 'device', 'registryRead', 'registryReadWrite'];
  const allowed = ['onlyServiceConnect', 'iothubowner', 'service'];
  await checkAll(place, endpoint, policies.flatMap((policy): readonly Row[] => {
    const isAllowed = allowed.includes(policy);
    return [
      [`${policy} by PLAIN`, plain(policy), isAllowed ? 'allowed' : 401_002, isAllowed ? 'serviceEndpoints' : 'noPermission'],
      [`${policy} by claim`, claim(sign(policy)), isAllowed ? 'allowed' : 401_002, isAllowed ? 'serviceEndpoints' : 'noPermission'],
    ];
  }));
});

test.each(named)('%s takes a token by its signature, its time and its scope, segment by segment', async (_, endpoint) => {
  const [, address] = endpoint;
  const { registry } = place.hub;
  const keys = registry.findPolicy('service')!.keys;
  const device = registry.find({ deviceId: 'dev1' })!.keys.primary;
  const exact = `${HUB_NAME}${address}`;
  await checkAll(place, endpoint, [
    ['no token', { kind: 'none' }, 401_003, 'invalidToken'],
    ['text that is no token', claim('hello'), 401_003, 'invalidToken'],
    ['text that is no token by PLAIN', plain('service', 'hello'), 401_003, 'invalidToken'],
    ['a wrong key', claim(sign('service', { key: new Uint8Array(32) })), 401_003, 'invalidToken'],
    ['a wrong key by PLAIN', plain('service', sign('service', { key: new Uint8Array(32) })), 401_003, 'invalidToken'],
    ['an expired one', claim(sign('service', { expirySeconds: 1 })), 401_003, 'invalidToken'],
    ['an expired one by PLAIN', plain('service', sign('service', { expirySeconds: 1 })), 401_003, 'invalidToken'],
    ['the secondary key', claim(sign('service', { key: keys.secondary })), 'allowed', 'twoKeys'],
    ['the secondary key by PLAIN', plain('service', sign('service', { key: keys.secondary })), 'allowed', 'twoKeys'],
    ['an unknown policy', claim(sign('service', { policy: 'nobody' })), 401_003, 'invalidToken'],
    ["another policy's key", claim(sign('service', { key: registry.findPolicy('device')!.keys.primary })), 401_003, 'invalidToken'],
    ["a device's own key", claim(signToken({ scope: HUB_NAME, key: device, expirySeconds: inAnHour() })), 401_002, 'ownKey'],
    ["a device's own token", claim(signToken({ scope: `${HUB_NAME}/devices/dev1`, key: device, expirySeconds: inAnHour() }), `${HUB_NAME}/devices/dev1`), 401_002, 'ownKey'],
    ['exactly this resource', claim(sign('service', { scope: exact }), exact), 'allowed', 'bySegment'],
    ['the segment above', claim(sign('service', { scope: `${HUB_NAME}/messages` }), `${HUB_NAME}/messages`), 'allowed', 'bySegment'],
    ['a resource below', claim(sign('service', { scope: `${exact}/x` }), `${exact}/x`), 401_003, 'bySegment'],
    ['a resource beside', claim(sign('service', { scope: `${HUB_NAME}/devices` }), `${HUB_NAME}/devices`), 401_003, 'bySegment'],
    ['a resource by characters', claim(sign('service', { scope: `${HUB_NAME}/message` }), `${HUB_NAME}/message`), 401_003, 'bySegment'],
    ['a claim for more than the token covers', claim(sign('service', { scope: `${HUB_NAME}/devices` })), 401_003, 'bySegment'],
    ['another hub', claim(sign('service', { scope: 'other.azure-devices.net' })), 401_003, 'bySegment'],
    ['a narrow token by PLAIN, which is for the hub', plain('service', sign('service', { scope: `${HUB_NAME}/devices` })), 401_003, 'bySegment'],
  ]);
  await checkAll(denying, endpoint, [['a hub that denies shared access', claim(sign('service', {}, denying)), 401_002, 'denied']]);
});
