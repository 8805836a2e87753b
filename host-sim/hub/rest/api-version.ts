import { ServiceError } from '../service-error.ts';

/** Of the first public version of the API, and of the newest one that the published SDKs speak. */
const OLDEST = '2015-08-15';
const NEWEST = '2021-04-12';

const API_VERSION = /^(\d{4}-\d{2}-\d{2})(?:-preview)?$/;

/** @throws ServiceError 400001 */
export function checkApiVersion(query: URLSearchParams): void {
  const versions = query.getAll('api-version');
  const date = API_VERSION.exec(versions[0] ?? '')?.[1];
  if (versions.length === 1 && date !== undefined && date >= OLDEST && date <= NEWEST) return;
  throw new ServiceError(400, 400_001, 'InvalidProtocolVersion', `One api-version is needed, from ${OLDEST} to ${NEWEST}: ?api-version=${NEWEST}.`);
}
