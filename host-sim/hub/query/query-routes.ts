import type { IncomingHttpHeaders } from 'node:http';
import type { Route } from '../rest/route.ts';
import { MAX_PAGE_ROWS, MAX_QUERY_CHARACTERS } from './limits.ts';
import { argumentError } from './query-error.ts';
import { runQuery, type PageRequest, type RowSource } from './run-query.ts';

/** A query of the longest length, each character escaped as JSON may do it, and the object around it. */
const MAX_BODY_BYTES = MAX_QUERY_CHARACTERS * 6 + 1_024;

/** `POST /devices/query`: one page of a query's rows. @see https://learn.microsoft.com/rest/api/iothub/service/query/get-twins */
export function queryRoutes(rows: RowSource): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/devices/query',
      permissions: ['ServiceConnect'],
      throttle: 'query',
      maxBodyBytes: MAX_BODY_BYTES,
      handle: ({ body, headers }) => {
        const page = runQuery(readQuery(body), rows, readPageRequest(headers));
        const next = page.continuation === undefined ? {} : { 'x-ms-continuation': page.continuation };
        return { status: 200, body: page.rows, headers: { 'x-ms-item-type': page.itemType, ...next } };
      },
    },
  ];
}

function readQuery(body: unknown): string {
  const query = typeof body === 'object' && body !== null ? (body as { readonly query?: unknown }).query : undefined;
  if (typeof query !== 'string') throw argumentError('The body must be {"query": "SELECT …"}.');
  return query;
}

function readPageRequest(headers: IncomingHttpHeaders): PageRequest {
  const continuation = headers['x-ms-continuation'];
  const count = headers['x-ms-max-item-count'];
  return {
    ...(typeof continuation === 'string' && continuation !== '' ? { continuation } : {}),
    ...(count === undefined ? {} : { rows: readCount(String(count)) }),
  };
}

function readCount(text: string): number {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > MAX_PAGE_ROWS) throw argumentError(`x-ms-max-item-count must be a whole number from 1 to ${MAX_PAGE_ROWS}.`);
  return count;
}
