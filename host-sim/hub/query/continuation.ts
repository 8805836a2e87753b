import { createHash } from 'node:crypto';

import { MAX_CONTINUATION_CHARACTERS } from './limits.ts';
import { argumentError } from './query-error.ts';

/** Where the next page starts. It holds nothing that its owner has not seen, so it is neither signed nor secret. */
export interface Continuation {
  /** The key of the last document of the page before. */
  readonly after: string;
  /** Rows of all pages before. */
  readonly taken: number;
}

const DIGEST_CHARACTERS = 16;

export function encodeContinuation({ after, taken }: Continuation, query: string): string {
  return Buffer.from(JSON.stringify([digest(query), taken, after])).toString('base64url');
}

/** @throws ServiceError 400 for a token that this query never gave */
export function decodeContinuation(token: string, query: string): Continuation {
  const parts = token.length > MAX_CONTINUATION_CHARACTERS ? undefined : parse(token);
  if (!Array.isArray(parts) || parts.length !== 3) throw refuse();
  const [ofQuery, taken, after] = parts as readonly unknown[];
  if (ofQuery !== digest(query) || typeof after !== 'string' || typeof taken !== 'number' || !Number.isSafeInteger(taken) || taken < 1) throw refuse();
  return { after, taken };
}

function parse(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch {
    return undefined;
  }
}

function refuse(): Error {
  return argumentError('x-ms-continuation is not of this query: send the one that its last page carried, or none to start again.');
}

function digest(query: string): string {
  return createHash('sha256').update(query).digest('base64url').slice(0, DIGEST_CHARACTERS);
}
