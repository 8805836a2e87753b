import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { PERMISSIONS } from '../../../host-sim/hub/access/sas.ts';
import { recordEvidence } from '../../evidence.ts';
import type { DocumentName, Expected } from './documents.ts';
import { HUB_NAME, RestBench, type RestAnswer } from './rest-bench.ts';
import { REST_ENDPOINTS, type RestEndpoint } from './rest-endpoints.ts';
import { signToken } from './tokens.ts';

let bench: RestBench;
let denying: RestBench;
let cells = 0;

beforeAll(async () => {
  bench = new RestBench();
  denying = new RestBench({ policies: true });
  await Promise.all([bench.open(), denying.open()]);
});

afterAll(async () => {
  await Promise.all([bench.close(), denying.close()]);
  recordEvidence('access-matrix-rest', cells);
});

const inAnHour = (): number => Math.ceil(Date.now() / 1000) + 3_600;

/** What a stranger may be told: nothing that differs. */
function isUniformRefusal({ status, headers, body }: RestAnswer): boolean {
  const { Message, ExceptionMessage, ...more } = JSON.parse(body) as Record<string, string>;
  return (
    status === 401 && Message === 'ErrorCode:IotHubUnauthorizedAccess;Unauthorized' && /^Tracking ID:[0-9A-F]{32}-G:0-TimeStamp:[0-9/]{10} [0-9:]{8}$/.test(ExceptionMessage ?? '') &&
    Object.keys(more).length === 0 &&
    headers.filter((name) => name !== 'keep-alive').join() === 'cache-control,connection,content-length,content-type,date,iothub-errorcode,x-ms-request-id'
  );
}

/** Runs one cell. @returns what came of it when it is not what the documents say */
async function check(on: RestBench, endpoint: RestEndpoint, what: string, token: string | undefined, expected: Expected): Promise<string | undefined> {
  on.restore();
  if (endpoint.method === 'DELETE' && endpoint.path === '/configurations/c1') on.hub.configurations.create('c1', REST_ENDPOINTS.find(({ method, path }) => method === 'PUT' && path === endpoint.path)?.body);
  const before = on.events.length;
  const answer = await on.ask(endpoint, token);
  const refusals = on.events.slice(before).filter((event) => event.event === 'requestRefused');
  if (expected === 'allowed') return answer.status === endpoint.status && refusals.length === 0 ? undefined : `${what}: ${answer.status} instead of ${endpoint.status}: ${answer.body} ${JSON.stringify(refusals)}`;
  if (!isUniformRefusal(answer)) return `${what}: the peer was told ${answer.status} ${answer.headers.join()} ${answer.body}`;
  if (refusals.length !== 1 || refusals[0]?.code !== expected) return `${what}: events have ${JSON.stringify(refusals)} instead of ${expected}`;
  return undefined;
}

type Row = readonly [what: string, token: string | undefined, expected: Expected, document: DocumentName];

async function checkAll(on: RestBench, endpoint: RestEndpoint, rows: readonly Row[]): Promise<void> {
  const faults: (string | undefined)[] = [];
  for (const [what, token, expected] of rows) faults.push(await check(on, endpoint, what, token, expected));
  expect(faults.filter((fault) => fault !== undefined)).toEqual([]);
  cells += rows.length;
}

const name = ({ method, path }: RestEndpoint): string => `${method} ${path}`;
const endpoints = REST_ENDPOINTS.map((endpoint) => [name(endpoint), endpoint] as const);

/** The documents' permissions of the policies that every hub starts with. */
const DEFAULT_POLICIES: Readonly<Record<string, readonly string[]>> = {
  iothubowner: PERMISSIONS, service: ['ServiceConnect'], device: ['DeviceConnect'], registryRead: ['RegistryRead'], registryReadWrite: ['RegistryRead', 'RegistryWrite'],
};

test.each(endpoints)('%s is allowed to policies with its permission and to no other', async (_, endpoint) => {
  const sign = (policy: string): string => signToken({ scope: HUB_NAME, policy, key: bench.hub.registry.findPolicy(policy)!.keys.primary, expirySeconds: inAnHour() });
  const single = PERMISSIONS.map((permission): Row => [`only ${permission}`, sign(`only${permission}`), permission === endpoint.needs ? 'allowed' : 401_002, permission === endpoint.needs ? endpoint.document : 'noPermission']);
  const initial = Object.entries(DEFAULT_POLICIES).map(([policy, has]): Row => [policy, sign(policy), has.includes(endpoint.needs) ? 'allowed' : 401_002, endpoint.document]);
  await checkAll(bench, endpoint, [...single, ...initial]);
});

test.each(endpoints)('%s takes a token by its signature, its time and its scope, segment by segment', async (_, endpoint) => {
  const policy = `only${endpoint.needs}`;
  bench.restore();
  const { registry } = bench.hub;
  const keys = registry.findPolicy(policy)!.keys;
  const other = PERMISSIONS.find((permission) => permission !== endpoint.needs) as string;
  const device = registry.find({ deviceId: 'dev1' })!.keys.primary;
  const module = registry.find({ deviceId: 'dev1', moduleId: 'mod1' })!.keys.primary;
  const sign = (changes: Partial<Parameters<typeof signToken>[0]> = {}): string => signToken({ scope: HUB_NAME, policy, key: keys.primary, expirySeconds: inAnHour(), ...changes });
  const exact = `${HUB_NAME}${endpoint.path}`;
  const above = exact.slice(0, exact.lastIndexOf('/'));
  const ownDevice = signToken({ scope: `${HUB_NAME}/devices/dev1`, key: device, expirySeconds: inAnHour() });
  const isBelowDevice = `${endpoint.path}/`.startsWith('/devices/dev1/');
  await checkAll(bench, endpoint, [
    ['no token', undefined, 401_003, 'invalidToken'],
    ['an empty one', '', 401_003, 'invalidToken'],
    ['another scheme', 'Bearer abc', 401_003, 'invalidToken'],
    ['half of a token', sign().slice(0, 60), 401_003, 'invalidToken'],
    ['two signatures', `${sign()}&sig=x`, 401_003, 'invalidToken'],
    ['a wrong key', sign({ key: new Uint8Array(32) }), 401_003, 'invalidToken'],
    ['an expired one', sign({ expirySeconds: Math.floor(Date.now() / 1000) - 1 }), 401_003, 'invalidToken'],
    ['the secondary key', sign({ key: keys.secondary }), 'allowed', 'twoKeys'],
    ['an unknown policy', sign({ policy: 'nobody' }), 401_003, 'invalidToken'],
    ['a name that objects inherit', sign({ policy: 'constructor' }), 401_003, 'invalidToken'],
    ["another policy's key", sign({ key: registry.findPolicy(`only${other}`)!.keys.primary }), 401_003, 'invalidToken'],
    ['another policy that has no right', sign({ policy: `only${other}`, key: registry.findPolicy(`only${other}`)!.keys.primary }), 401_002, 'noPermission'],
    ['no policy name', sign({ policy: '' }), 401_002, 'ownKey'],
    ["a device's own key", ownDevice, isBelowDevice ? 401_002 : 401_003, 'ownKey'],
    ["a device's own key for the whole hub", signToken({ scope: HUB_NAME, key: device, expirySeconds: inAnHour() }), 401_002, 'ownKey'],
    ["a module's own key for the whole hub", signToken({ scope: HUB_NAME, key: module, expirySeconds: inAnHour() }), 401_002, 'ownKey'],
    ['the hub in another case', sign({ scope: HUB_NAME.toUpperCase() }), 'allowed', 'bySegment'],
    ['exactly this resource', sign({ scope: exact }), 'allowed', 'bySegment'],
    ['the segment above', sign({ scope: above }), 'allowed', 'bySegment'],
    ['a resource below', sign({ scope: `${exact}/x` }), 401_003, 'bySegment'],
    ['a resource beside', sign({ scope: `${above}/other` }), 401_003, 'bySegment'],
    ['a resource by characters', sign({ scope: exact.slice(0, -1) }), 401_003, 'bySegment'],
    ['the resource in another case', sign({ scope: `${HUB_NAME}${endpoint.path.toUpperCase()}` }), 401_003, 'bySegment'],
    ['another hub', sign({ scope: `other${HUB_NAME}` }), 401_003, 'bySegment'],
    ['a slash at the end of the hub', sign({ scope: `${HUB_NAME}/` }), 401_003, 'bySegment'],
  ]);
  const key = denying.hub.registry.findPolicy(policy)!.keys.primary;
  await checkAll(denying, endpoint, [['a hub that denies shared access', sign({ key }), 401_002, 'denied']]);
});

test('a path that the API does not have is refused to strangers as every other is, and told to services only', async () => {
  const nowhere: RestEndpoint = { method: 'GET', path: '/nowhere', needs: 'RegistryRead', document: 'invalidToken', status: 404 };
  const sign = (policy: string): string => signToken({ scope: HUB_NAME, policy, key: bench.hub.registry.findPolicy(policy)!.keys.primary, expirySeconds: inAnHour() });
  await checkAll(bench, nowhere, [
    ['no token', undefined, 401_003, 'invalidToken'],
    ['a policy for devices', sign('device'), 401_002, 'noPermission'],
    ['a policy for services', sign('service'), 'allowed', 'serviceEndpoints'],
    ['a policy for the registry', sign('registryRead'), 'allowed', 'registryRead'],
  ]);
});
