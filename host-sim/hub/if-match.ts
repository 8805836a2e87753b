import { ServiceError } from './service-error.ts';

/** Whether `If-Match` names this etag, or any: `*`, `"*"` as azure-iothub sends it, an etag with or without quotes, weak or not, or a list of them. */
export function matchesEtag(ifMatch: string, etag: string): boolean {
  const tags = ifMatch.split(',').map((tag) => tag.trim().replace(/^W\//, '').replace(/^"(.*)"$/, '$1'));
  return tags.includes('*') || tags.includes(etag);
}

/** @throws ServiceError 412001 */
export function checkIfMatch(ifMatch: string, etag: string): void {
  if (matchesEtag(ifMatch, etag)) return;
  throw new ServiceError(412, 412_001, 'PreconditionFailed', 'Precondition failed: the etag is not the one of the resource as it is now.');
}
