import { formatClientId, type Identity } from '../identity.ts';
import { ServiceError } from '../service-error.ts';
import type { TwinStore, TwinUpdate } from '../twins/twin-store.ts';
import { readMembers, readWord, type Members } from './identity-input.ts';
import { createIdentity, deleteIdentity, requireIdentity, requireName, updateIdentity } from './identity-operations.ts';
import { MAX_BULK_ITEMS } from './limits.ts';
import type { Registry } from './registry.ts';

export interface BulkItemError {
  readonly deviceId: string;
  readonly moduleId?: string;
  /** IoT Hub's code, such as 409001. */
  readonly errorCode: number;
  readonly errorStatus: string;
}

/** @see https://learn.microsoft.com/rest/api/iothub/service/bulk-registry/update-registry */
export interface BulkResult {
  readonly isSuccessful: boolean;
  readonly errors: readonly BulkItemError[];
  readonly warnings: readonly never[];
}

/** Creates, updates and deletes up to 100 identities, each by its `importMode`; one that fails does not keep the others from being done. @throws ServiceError 400005, 413002 */
export function performBulk(registry: Registry, twins: TwinStore, body: unknown): BulkResult {
  if (!Array.isArray(body) || body.length === 0) throw new ServiceError(400, 400_005, 'ArgumentNull', 'The body must be a list of devices.');
  if (body.length > MAX_BULK_ITEMS) throw new ServiceError(413, 413_002, 'TooManyDevices', `One request may hold ${MAX_BULK_ITEMS} devices.`);
  const errors: BulkItemError[] = [];
  const seen = new Set<string>();
  for (const item of body as unknown[]) {
    const names = nameOf(item);
    try {
      const members = readMembers(item, 'A device');
      const identity = readIdentity(members);
      const clientId = formatClientId(identity);
      if (seen.has(clientId)) throw new ServiceError(400, 400_011, 'DeviceDefinedMultipleTimes', `${clientId} stands in the list twice.`);
      seen.add(clientId);
      performItem(registry, twins, identity, members);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      errors.push({ ...names, errorCode: error.code, errorStatus: error.message });
    }
  }
  return { isSuccessful: errors.length === 0, errors, warnings: [] };
}

function performItem(registry: Registry, twins: TwinStore, identity: Identity, members: Members): void {
  const mode = readWord(members.importMode ?? 'create');
  switch (mode) {
    case 'create':
      createIdentity(registry, identity, members);
      return undoing(() => registry.remove(identity), () => writeTwin(twins, identity, members, '*'));
    case 'update':
      updateIdentity(registry, identity, members, '*');
      return;
    case 'updateifmatchetag':
      updateIdentity(registry, identity, members, readEtag(members.eTag ?? members.etag));
      return;
    case 'delete':
      return deleteIdentity(registry, identity, '*');
    case 'deleteifmatchetag':
      return deleteIdentity(registry, identity, readEtag(members.eTag ?? members.etag));
    case 'updatetwin':
    case 'updatetwinifmatchetag':
      requireIdentity(registry, identity);
      return writeTwin(twins, identity, members, mode === 'updatetwin' ? '*' : readEtag(members.twinETag));
    default:
      throw new ServiceError(400, 400_004, 'ArgumentInvalid', 'importMode must be create, update, updateIfMatchETag, delete, deleteIfMatchETag, updateTwin or updateTwinIfMatchETag.');
  }
}

/** An item is done as a whole or not at all. */
function undoing(undo: () => void, act: () => void): void {
  try {
    act();
  } catch (error) {
    undo();
    throw error;
  }
}

function writeTwin(twins: TwinStore, identity: Identity, { tags, properties }: Members, ifMatch: string): void {
  const update: TwinUpdate = {
    ...(tags === undefined || tags === null ? {} : { tags }),
    ...(properties === undefined || properties === null ? {} : { properties: readDesired(properties) }),
  };
  if (Object.keys(update).length > 0) twins.patch(identity, update, ifMatch);
}

function readDesired(value: unknown): { readonly desired?: unknown } {
  const { desired } = readMembers(value, 'properties');
  return desired === undefined || desired === null ? {} : { desired };
}

function readIdentity(members: Members): Identity {
  const deviceId = requireName(members.id ?? members.deviceId, 'deviceId');
  return members.moduleId === undefined || members.moduleId === null ? { deviceId } : { deviceId, moduleId: requireName(members.moduleId, 'moduleId') };
}

function readEtag(value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new ServiceError(400, 400_004, 'ArgumentInvalid', 'This importMode needs the etag.');
}

/** Whatever stands there, so that the client finds its item again. */
function nameOf(item: unknown): Pick<BulkItemError, 'deviceId' | 'moduleId'> {
  const { id, deviceId = id, moduleId } = (item ?? {}) as { readonly id?: unknown; readonly deviceId?: unknown; readonly moduleId?: unknown };
  return { deviceId: typeof deviceId === 'string' ? deviceId.slice(0, 128) : '', ...(typeof moduleId === 'string' ? { moduleId: moduleId.slice(0, 128) } : {}) };
}
