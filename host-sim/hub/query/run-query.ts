import { decodeContinuation, encodeContinuation } from './continuation.ts';
import { DEFAULT_PAGE_ROWS } from './limits.ts';
import { parseQuery, type Query } from './query.ts';
import type { Collection, JsonRow } from './syntax.ts';

/** One document of a collection, under a key that orders the collection and stays with the document. */
export interface SourceRow {
  readonly key: string;
  readonly row: JsonRow;
}

/** The documents of a collection in ascending order of their keys, those up to `after` left out. */
export type RowSource = (collection: Collection, after: string | undefined) => Iterable<SourceRow>;

export interface PageRequest {
  /** 1 to MAX_PAGE_ROWS. */
  readonly rows?: number;
  /** As the page before gave it. */
  readonly continuation?: string;
}

export interface Page {
  readonly rows: readonly JsonRow[];
  /** Of the next page; `undefined` when this one is the last. */
  readonly continuation?: string;
  /** `x-ms-item-type`. */
  readonly itemType: 'twin' | 'raw';
}

/**
 * Runs a query over what `source` gives and answers one page. A page goes on behind the last key of the page before, so documents that come
 * and go between two pages neither shift nor repeat the others.
 * @throws ServiceError 400
 */
export function runQuery(text: string, source: RowSource, request: PageRequest = {}): Page {
  const query = parseQuery(text);
  const pageRows = request.rows ?? DEFAULT_PAGE_ROWS;
  return query.aggregate === undefined ? runRows(text, query, source, pageRows, request.continuation) : runGroups(text, query, source, pageRows, request.continuation);
}

/** Counts the rows that a query has over all pages, out of those that match it. */
export interface RowCounter {
  /** @param row one that the query matches */
  add(row: JsonRow): void;
  count(): number;
}

export function openRowCounter(query: Query): RowCounter {
  const limit = query.top ?? Infinity;
  const groups = query.aggregate?.();
  if (groups !== undefined) return { add: (row) => groups.add(row), count: () => Math.min(groups.rows().length, limit) };
  let count = 0;
  return { add: () => void (count += 1), count: () => Math.min(count, limit) };
}

function runRows(text: string, query: Query, source: RowSource, pageRows: number, token: string | undefined): Page {
  const start = token === undefined ? undefined : decodeContinuation(token, text);
  const taken = start?.taken ?? 0;
  const limit = Math.min(pageRows, (query.top ?? Infinity) - taken);
  const rows: JsonRow[] = [];
  let last = start?.after;
  for (const { key, row } of limit > 0 ? source(query.collection, start?.after) : []) {
    if (!query.matches(row)) continue;
    // One more than fits has been found: there is a next page.
    if (rows.length === limit) {
      const isAll = taken + limit === query.top;
      return page(query, rows, isAll ? undefined : encodeContinuation({ after: last!, taken: taken + rows.length }, text));
    }
    rows.push(query.project(row));
    last = key;
  }
  return page(query, rows, undefined);
}

function runGroups(text: string, query: Query, source: RowSource, pageRows: number, token: string | undefined): Page {
  const taken = token === undefined ? 0 : decodeContinuation(token, text).taken;
  const all = query.aggregate!();
  for (const { row } of source(query.collection, undefined)) if (query.matches(row)) all.add(row);
  const groups = all.rows().slice(0, query.top);
  const end = taken + pageRows;
  return page(query, groups.slice(taken, end), end < groups.length ? encodeContinuation({ after: '', taken: end }, text) : undefined);
}

function page(query: Query, rows: readonly JsonRow[], continuation: string | undefined): Page {
  const itemType = query.isWhole ? 'twin' : 'raw';
  return continuation === undefined ? { rows, itemType } : { rows, itemType, continuation };
}
