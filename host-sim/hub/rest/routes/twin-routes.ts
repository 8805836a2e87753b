import type { Hub } from '../../hub.ts';
import type { Identity } from '../../identity.ts';
import { readMembers } from '../../registry/identity-input.ts';
import { PART_BYTES } from '../../twins/limits.ts';
import type { TwinUpdate } from '../../twins/twin-store.ts';
import { readTarget } from '../request-identity.ts';
import type { RestRequest, RestResponse, Route } from '../route.ts';

type TwinHub = Pick<Hub, 'twins' | 'describeTwin'>;

/** SDKs send a whole twin back, reported properties and metadata included: metadata has a stamp for every property, some 100 bytes each. */
const MAX_TWIN_BYTES = 32 * (PART_BYTES.tags + PART_BYTES.desired + PART_BYTES.reported);

/** @see https://learn.microsoft.com/rest/api/iothub/service/devices/get-twin */
export function twinRoutes(hub: TwinHub): readonly Route[] {
  return ['/twins/:deviceId', '/twins/:deviceId/modules/:moduleId'].flatMap((path): Route[] => [
    { method: 'GET', path, permissions: ['ServiceConnect'], throttle: 'twin-read', handle: (request) => answer(hub, readTarget(request)) },
    { method: 'PATCH', path, permissions: ['ServiceConnect'], throttle: 'twin-update', maxBodyBytes: MAX_TWIN_BYTES, handle: (request) => update(hub, request, 'patch') },
    { method: 'PUT', path, permissions: ['ServiceConnect'], throttle: 'twin-update', maxBodyBytes: MAX_TWIN_BYTES, handle: (request) => update(hub, request, 'replace') },
  ]);
}

function update(hub: TwinHub, request: RestRequest, how: 'patch' | 'replace'): RestResponse {
  const identity = readTarget(request);
  const { tags, properties } = readMembers(request.body, 'The body');
  const { desired } = properties === undefined || properties === null ? { desired: undefined } : readMembers(properties, 'properties');
  const parts: TwinUpdate = { ...(tags === undefined ? {} : { tags }), ...(desired === undefined ? {} : { properties: { desired } }) };
  hub.twins[how](identity, parts, request.headers['if-match']);
  return answer(hub, identity);
}

/** @throws ServiceError 404001, 404010 */
function answer(hub: TwinHub, identity: Identity): RestResponse {
  const { etag } = hub.twins.read(identity);
  return { status: 200, body: hub.describeTwin(identity), headers: { ETag: `"${etag}"` } };
}
