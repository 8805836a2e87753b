import { ServiceError } from '../service-error.ts';

/**
 * Whether a resource with `etag` may be changed under `If-Match`: `*`, or its etag, quoted or not, weak or not.
 * @throws ServiceError 412001
 */
export function checkIfMatch(ifMatch: string, etag: string): void {
  const tags = ifMatch.split(',').map((tag) => tag.trim().replace(/^W\//, '').replace(/^"(.*)"$/, '$1'));
  if (tags.includes('*') || tags.includes(etag)) return;
  throw new ServiceError(412, 412_001, 'PreconditionFailed', 'Precondition failed: the etag is not the one of the resource as it is now.');
}
