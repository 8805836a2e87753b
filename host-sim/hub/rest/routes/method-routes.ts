import type { Hub } from '../../hub.ts';
import { METHOD_PAYLOAD_BYTES } from '../../methods/limits.ts';
import { readMembers } from '../../registry/identity-input.ts';
import { requireIdentity } from '../../registry/identity-operations.ts';
import { ServiceError } from '../../service-error.ts';
import { readTarget } from '../request-identity.ts';
import type { RestRequest, RestResponse, Route } from '../route.ts';

type MethodHub = Pick<Hub, 'registry' | 'methods' | 'throttles'>;

/** A payload of the longest length, each byte of it escaped as JSON may do it, and the members around it. */
const MAX_BODY_BYTES = 6 * METHOD_PAYLOAD_BYTES + 8 * 1024;

/** @see https://learn.microsoft.com/rest/api/iothub/service/devices/invoke-method */
export function methodRoutes(hub: MethodHub): readonly Route[] {
  return ['/twins/:deviceId/methods', '/twins/:deviceId/modules/:moduleId/methods'].map((path): Route => ({
    method: 'POST', path, permissions: ['ServiceConnect'], errorForm: 'nested', maxBodyBytes: MAX_BODY_BYTES, handle: (request) => invoke(hub, request),
  }));
}

async function invoke(hub: MethodHub, request: RestRequest): Promise<RestResponse> {
  const identity = readTarget(request);
  if (!requireIdentity(hub.registry, identity).enabled) throw new ServiceError(404, 404_001, 'DeviceNotFound', `Device ${identity.deviceId} is disabled.`);
  const { methodName, payload, responseTimeoutInSeconds, connectTimeoutInSeconds } = readMembers(request.body, 'The body');
  if (typeof methodName !== 'string') throw new ServiceError(400, 400_004, 'ArgumentInvalid', 'methodName must be text.');
  hub.throttles?.takeMethod(payload === undefined ? 0 : Buffer.byteLength(JSON.stringify(payload)));
  const body = await hub.methods.invoke(
    identity,
    {
      methodName,
      ...(payload === undefined ? {} : { payload }),
      ...readSeconds('responseTimeoutSeconds', responseTimeoutInSeconds),
      ...readSeconds('connectTimeoutSeconds', connectTimeoutInSeconds),
    },
    request.gone,
  );
  return { status: 200, body };
}

function readSeconds<Name extends string>(name: Name, value: unknown): Partial<Readonly<Record<Name, number>>> {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'number') throw new ServiceError(400, 400_004, 'ArgumentInvalid', `${name} must be a number.`);
  return { [name]: value } as Partial<Record<Name, number>>;
}
