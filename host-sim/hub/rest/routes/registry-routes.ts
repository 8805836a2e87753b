import type { Hub } from '../../hub.ts';
import { bareIdentity } from '../../identity.ts';
import { performBulk } from '../../registry/bulk.ts';
import { formatDevice, formatModule, type IdentityFacts } from '../../registry/identity-json.ts';
import { deleteIdentity, putIdentity, requireIdentity } from '../../registry/identity-operations.ts';
import { MAX_LISTED } from '../../registry/limits.ts';
import type { RegisteredIdentity } from '../../registry/registered-identity.ts';
import { ServiceError } from '../../service-error.ts';
import { readTarget } from '../request-identity.ts';
import type { RestRequest, RestResponse, Route } from '../route.ts';

type RegistryHub = Pick<Hub, 'registry' | 'twins' | 'messages' | 'presence'>;

/** An identity in JSON has some 500 bytes: keys, thumbprints, a status reason. */
const MAX_IDENTITY_BYTES = 16 * 1024;

/** @see https://learn.microsoft.com/rest/api/iothub/service/devices */
export function registryRoutes(hub: RegistryHub): readonly Route[] {
  const { registry, twins } = hub;
  const read: Pick<Route, 'permissions' | 'throttle'> = { permissions: ['RegistryRead'], throttle: 'registry' };
  const write: Pick<Route, 'permissions' | 'throttle'> = { permissions: ['RegistryWrite'], throttle: 'registry' };
  const answer = (identity: RegisteredIdentity): RestResponse => ({ status: 200, body: format(hub, identity), headers: { ETag: `"${identity.etag}"` } });
  const find = (request: RestRequest): RestResponse => answer(requireIdentity(registry, readTarget(request)));
  const put = (request: RestRequest): RestResponse => answer(putIdentity(registry, readTarget(request), request.body, request.headers['if-match']));
  const remove = (request: RestRequest): RestResponse => {
    deleteIdentity(registry, readTarget(request), requireIfMatch(request));
    return { status: 204 };
  };
  return [
    { ...read, method: 'GET', path: '/devices', handle: ({ query }) => ({ status: 200, body: registry.listDevices(readTop(query)).map((device) => format(hub, device)) }) },
    { ...write, method: 'POST', path: '/devices', handle: ({ body }) => answerBulk(performBulk(registry, twins, body)) },
    { ...read, method: 'GET', path: '/devices/:deviceId', handle: find },
    { ...write, method: 'PUT', path: '/devices/:deviceId', maxBodyBytes: MAX_IDENTITY_BYTES, handle: put },
    { ...write, method: 'DELETE', path: '/devices/:deviceId', handle: remove },
    {
      ...read, method: 'GET', path: '/devices/:deviceId/modules', errorForm: 'flat',
      handle: (request) => {
        const { deviceId } = requireIdentity(registry, readTarget(request));
        return { status: 200, body: registry.listModules(deviceId).map((module) => format(hub, module)) };
      },
    },
    { ...read, method: 'GET', path: '/devices/:deviceId/modules/:moduleId', errorForm: 'flat', handle: find },
    { ...write, method: 'PUT', path: '/devices/:deviceId/modules/:moduleId', errorForm: 'flat', maxBodyBytes: MAX_IDENTITY_BYTES, handle: put },
    { ...write, method: 'DELETE', path: '/devices/:deviceId/modules/:moduleId', errorForm: 'flat', handle: remove },
    { ...read, method: 'GET', path: '/statistics/devices', handle: () => ({ status: 200, body: registry.statistics() }) },
  ];
}

function format(hub: RegistryHub, identity: RegisteredIdentity): object {
  const { moduleId } = identity;
  const bare = bareIdentity(identity);
  const facts: IdentityFacts = { presence: hub.presence(bare), cloudToDeviceMessageCount: moduleId === undefined ? hub.messages.count(bare) : 0 };
  return moduleId === undefined ? formatDevice(identity, facts) : formatModule(identity, facts);
}

/** Some failed: 400 with the whole result, which SDKs read by this name. */
function answerBulk(result: ReturnType<typeof performBulk>): RestResponse {
  return result.isSuccessful ? { status: 200, body: result } : { status: 400, body: result, headers: { 'iothub-errorcode': 'BulkRegistryOperationFailure' } };
}

function readTop(query: URLSearchParams): number {
  const text = query.get('top');
  if (text === null) return MAX_LISTED;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new ServiceError(400, 400_004, 'ArgumentInvalid', 'top must be a whole number above 0.');
  return Math.min(Number(text), MAX_LISTED);
}

/** "This request requires the If-Match header." */
function requireIfMatch({ headers }: RestRequest): string {
  const ifMatch = headers['if-match'];
  if (ifMatch === undefined) throw new ServiceError(400, 400_004, 'ArgumentInvalid', 'The If-Match header is needed: the etag, or * for any.');
  return ifMatch;
}
