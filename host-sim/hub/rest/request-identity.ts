import type { Identity } from '../identity.ts';
import type { RestRequest } from './route.ts';

/** The device or module that a route's path names. */
export function readTarget({ params: { deviceId = '', moduleId } }: Pick<RestRequest, 'params'>): Identity {
  return moduleId === undefined ? { deviceId } : { deviceId, moduleId };
}
