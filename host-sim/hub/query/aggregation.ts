import { compilePath, order, type Evaluate } from './evaluator.ts';
import { finite } from './functions.ts';
import type { AggregateName, Json, JsonRow, Path, Selected } from './syntax.ts';

type Value = Json | undefined;

interface Column {
  readonly alias: string;
  /** `undefined`: the property that groups. */
  readonly aggregate?: AggregateName;
  readonly read: Evaluate;
}

/** Rows that are being summed up. */
export interface Groups {
  add(row: JsonRow): void;
  /** One for each group, in the order in which they were met. */
  rows(): readonly JsonRow[];
}

interface Group {
  readonly value: Value;
  readonly counters: readonly Counter[];
}

/** GROUP BY and the aggregates: one row for each value of the property, or one for all rows. */
export class Aggregation {
  readonly #columns: readonly Column[];
  readonly #groupBy: Evaluate | undefined;

  constructor(selected: readonly Selected[], groupBy: Path | undefined) {
    this.#groupBy = groupBy === undefined ? undefined : compilePath(groupBy);
    this.#columns = selected.map(({ alias, element }) =>
      element.kind === 'path'
        ? { alias, read: compilePath(element) }
        : { alias, aggregate: element.name, read: element.path === undefined ? () => true : compilePath(element.path) },
    );
  }

  /** Begins with no rows. */
  open(): Groups {
    const groups = new Map<string | undefined, Group>();
    if (this.#groupBy === undefined) groups.set(undefined, this.#createGroup(undefined));
    return {
      add: (row) => this.#groupOf(row, groups).counters.forEach((counter, index) => counter.add(this.#columns[index]!.read(row))),
      rows: () => [...groups.values()].map((group) => this.#format(group)),
    };
  }

  #groupOf(row: JsonRow, groups: Map<string | undefined, Group>): Group {
    const value = this.#groupBy?.(row);
    const key = value === undefined ? undefined : JSON.stringify(value);
    const known = groups.get(key);
    if (known !== undefined) return known;
    const group = this.#createGroup(value);
    groups.set(key, group);
    return group;
  }

  #createGroup(value: Value): Group {
    return { value, counters: this.#columns.map(() => new Counter()) };
  }

  #format({ value, counters }: Group): JsonRow {
    const members = this.#columns.map(({ alias, aggregate }, index) => [alias, aggregate === undefined ? value : counters[index]!.result(aggregate)] as const);
    return Object.fromEntries(members.filter((member): member is [string, Json] => member[1] !== undefined));
  }
}

/** One aggregate of one group: all of them at once, as each is a word of memory. */
class Counter {
  #rows = 0;
  #numbers = 0;
  #sum = 0;
  #least: Value;
  #greatest: Value;

  add(value: Value): void {
    this.#rows += 1;
    if (typeof value === 'number') {
      this.#numbers += 1;
      this.#sum += value;
    }
    if (typeof value !== 'number' && typeof value !== 'string') return;
    // Of a mixture the type that came first counts.
    if (this.#least === undefined || order(value, this.#least, (sign) => sign < 0) === true) this.#least = value;
    if (this.#greatest === undefined || order(value, this.#greatest, (sign) => sign > 0) === true) this.#greatest = value;
  }

  /** @returns `undefined` where there was nothing to sum up */
  result(aggregate: AggregateName): Value {
    switch (aggregate) {
      case 'count':
        return this.#rows;
      case 'sum':
        return this.#numbers === 0 ? undefined : finite(this.#sum);
      case 'avg':
        return this.#numbers === 0 ? undefined : finite(this.#sum / this.#numbers);
      case 'min':
        return this.#least;
      case 'max':
        return this.#greatest;
      default:
        return assertNever(aggregate);
    }
  }
}

function assertNever(aggregate: never): never {
  throw new TypeError(`no aggregate: ${String(aggregate)}`);
}
