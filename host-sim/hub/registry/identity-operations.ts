import { isIdentityName, type Identity } from '../identity.ts';
import { checkIfMatch } from '../if-match.ts';
import { ServiceError } from '../service-error.ts';
import { readIdentityOptions, readMembers, type Members } from './identity-input.ts';
import { MAX_DEVICES, MAX_MODULES } from './limits.ts';
import type { RegisteredIdentity } from './registered-identity.ts';
import type { Registry } from './registry.ts';

/** @throws ServiceError 404001, 404010 */
export function requireIdentity(registry: Registry, identity: Identity): RegisteredIdentity {
  const { deviceId, moduleId } = identity;
  const found = registry.find(identity);
  if (found !== undefined) return found;
  if (moduleId === undefined || registry.find({ deviceId }) === undefined) throw new ServiceError(404, 404_001, 'DeviceNotFound', deviceId);
  throw new ServiceError(404, 404_010, 'ModuleNotFound', `Module ${moduleId} on device ${deviceId} not registered.`);
}

/**
 * `PUT`: without `ifMatch` it creates, with one it replaces.
 * @throws ServiceError 400004, 400005, 404001, 404010, 409001, 409301, 412001, 413002, 413003
 */
export function putIdentity(registry: Registry, identity: Identity, body: unknown, ifMatch: string | undefined): RegisteredIdentity {
  const members = readMembers(body, 'The body');
  checkName(members.deviceId, identity.deviceId, 'deviceId');
  if (identity.moduleId !== undefined) checkName(members.moduleId, identity.moduleId, 'moduleId');
  return ifMatch === undefined ? createIdentity(registry, identity, members) : updateIdentity(registry, identity, members, ifMatch);
}

export function createIdentity(registry: Registry, identity: Identity, members: Members): RegisteredIdentity {
  const { deviceId, moduleId } = identity;
  if (moduleId !== undefined) requireIdentity(registry, { deviceId });
  if (registry.find(identity) !== undefined) throw alreadyExists(identity);
  const options = readIdentityOptions(members);
  if (moduleId === undefined && registry.deviceCount >= MAX_DEVICES) throw new ServiceError(413, 413_002, 'TooManyDevices', `This hub has ${MAX_DEVICES} devices at most.`);
  if (moduleId !== undefined && registry.listModules(deviceId).length >= MAX_MODULES) {
    throw new ServiceError(413, 413_003, 'TooManyModulesOnDevice', `A device has ${MAX_MODULES} modules at most.`);
  }
  return registry.add(identity, options);
}

export function updateIdentity(registry: Registry, identity: Identity, members: Members, ifMatch: string): RegisteredIdentity {
  const { etag } = requireIdentity(registry, identity);
  checkIfMatch(ifMatch, etag);
  return registry.update(identity, readIdentityOptions(members));
}

/** @throws ServiceError 404001, 404010, 412001 */
export function deleteIdentity(registry: Registry, identity: Identity, ifMatch: string): void {
  checkIfMatch(ifMatch, requireIdentity(registry, identity).etag);
  registry.remove(identity);
}

/** @throws ServiceError 400004 */
export function requireName(value: unknown, what: string): string {
  if (typeof value === 'string' && isIdentityName(value)) return value;
  throw new ServiceError(400, 400_004, 'ArgumentInvalid', `The ${what} is not valid.`);
}

function checkName(value: unknown, expected: string, what: string): void {
  if (value !== undefined && value !== null && value !== expected) throw new ServiceError(400, 400_004, 'ArgumentInvalid', `The ${what} of the body is not the one of the path.`);
}

function alreadyExists({ deviceId, moduleId }: Identity): ServiceError {
  if (moduleId === undefined) return new ServiceError(409, 409_001, 'DeviceAlreadyExists', `A device with ID '${deviceId}' is already registered.`);
  return new ServiceError(409, 409_301, 'ModuleAlreadyExistsOnDevice', `Device ${deviceId} already contains Module ${moduleId}.`);
}
