import type { Clock } from '../../time/clock.ts';
import { parseQuery, type Query } from '../query/query.ts';
import { openRowCounter, type RowCounter, type RowSource, type SourceRow } from '../query/run-query.ts';
import type { Collection } from '../query/syntax.ts';
import { ServiceError } from '../service-error.ts';
import { EVALUATIONS_A_TURN } from './limits.ts';

/** Rows of queries, by their texts. */
export type Counts = ReadonlyMap<string, number>;

interface Request {
  readonly queries: Iterable<string>;
  readonly resolve: (counts: Counts) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Counts the rows of metrics: all queries of a request in one walk through the twins, some of them before everything else has its turn again. Who asks
 * during a walk waits for the next one, which serves all of them.
 */
export class MetricCounter {
  readonly #clock: Clock;
  readonly #rows: RowSource;
  #requests: Request[] = [];
  #cancelTurn: (() => void) | undefined;
  #isClosed = false;

  constructor(clock: Clock, rows: RowSource) {
    this.#clock = clock;
    this.#rows = rows;
  }

  /** Counts as they are at some moment after the call. @throws ServiceError (as a rejection) 503001 when the hub closes */
  count(queries: Iterable<string>): Promise<Counts> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw closing();
      this.#requests.push({ queries, resolve, reject });
      if (this.#cancelTurn === undefined) this.#begin();
    });
  }

  /** Counts at once, however long that takes. */
  countNow(queries: Iterable<string>): Counts {
    const walk = new MetricWalk(queries, this.#rows);
    while (!walk.goOn(Infinity));
    return walk.counts();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTurn?.();
    for (const { reject } of this.#requests.splice(0)) reject(closing());
  }

  #begin(): void {
    const requests = this.#requests;
    this.#requests = [];
    this.#take(new MetricWalk(requests.flatMap(({ queries }) => [...queries]), this.#rows), requests);
  }

  #take(walk: MetricWalk, requests: readonly Request[]): void {
    this.#cancelTurn = undefined;
    try {
      if (!walk.goOn(EVALUATIONS_A_TURN)) {
        this.#cancelTurn = this.#clock.setTimer(0, () => this.#take(walk, requests));
        return;
      }
      for (const { resolve } of requests) resolve(walk.counts());
    } catch (error) {
      for (const { reject } of requests) reject(error);
    }
    if (this.#requests.length > 0) this.#begin();
  }
}

interface OpenCount {
  readonly query: Query;
  readonly counter: RowCounter;
}

/** One walk through both collections, as far as queries want them. */
class MetricWalk {
  readonly #counts = new Map<string, OpenCount>();
  readonly #rows: RowSource;
  readonly #collections: Collection[];
  #queries: readonly OpenCount[] = [];
  #iterator: Iterator<SourceRow> | undefined;

  constructor(queries: Iterable<string>, rows: RowSource) {
    for (const text of queries) {
      if (this.#counts.has(text)) continue;
      const query = parseQuery(text);
      this.#counts.set(text, { query, counter: openRowCounter(query) });
    }
    this.#rows = rows;
    this.#collections = [...new Set([...this.#counts.values()].map(({ query }) => query.collection))];
  }

  /** @param evaluations of queries, in all. @returns whether everything is counted */
  goOn(evaluations: number): boolean {
    for (let left = evaluations; left > 0; left -= this.#queries.length) {
      const next = this.#next();
      if (next === undefined) return true;
      for (const { query, counter } of this.#queries) if (query.matches(next.row)) counter.add(next.row);
    }
    return false;
  }

  counts(): Counts {
    return new Map([...this.#counts].map(([text, { counter }]) => [text, counter.count()]));
  }

  #next(): SourceRow | undefined {
    for (;;) {
      const next = this.#iterator?.next();
      if (next !== undefined && next.done !== true) return next.value;
      const collection = this.#collections.shift();
      if (collection === undefined) return undefined;
      this.#queries = [...this.#counts.values()].filter(({ query }) => query.collection === collection);
      this.#iterator = this.#rows(collection, undefined)[Symbol.iterator]();
    }
  }
}

function closing(): ServiceError {
  return new ServiceError(503, 503_001, 'ServiceUnavailable', 'The hub is closing.');
}
