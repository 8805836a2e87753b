import { Aggregation, type Groups } from './aggregation.ts';
import { compile, compilePath, type Evaluate } from './evaluator.ts';
import { parseConditionStatement, parseStatement, pathsIn } from './statement-parser.ts';
import type { Collection, JsonRow, Path, Selected, SelectStatement } from './syntax.ts';

/** A query that is understood and can be run as often as one likes. */
export interface Query {
  readonly collection: Collection;
  /** Rows at most over all pages. */
  readonly top?: number;
  /** Whether its rows are whole twins (`SELECT *`), or made by it. */
  readonly isWhole: boolean;
  matches(row: JsonRow): boolean;
  /** What it selects of a row that matches. */
  project(row: JsonRow): JsonRow;
  /** Begins to sum rows up into those of the answer; `undefined` when each row stands for itself. */
  readonly aggregate?: () => Groups;
}

/** Who is meant by a condition. */
export interface Condition {
  readonly collection: Collection;
  /** What it reads of a row. */
  readonly paths: readonly Path[];
  matches(row: JsonRow): boolean;
}

/**
 * Reads a query in IoT Hub's language.
 * @throws ServiceError 400 with the position and the remedy
 * @see https://learn.microsoft.com/azure/iot-hub/iot-hub-devguide-query-language
 */
export function parseQuery(text: string): Query {
  const statement = parseStatement(text);
  const { collection, top, selected, where } = statement;
  const matches = compileFilter(where === undefined ? undefined : compile(where));
  const aggregation = createAggregation(statement);
  return {
    collection,
    isWhole: selected === undefined,
    matches,
    project: selected === undefined ? (row) => row : compileProjection(selected),
    ...(top === undefined ? {} : { top }),
    ...(aggregation === undefined ? {} : { aggregate: () => aggregation.open() }),
  };
}

/** Reads what may stand behind WHERE, alone or behind `FROM devices.modules WHERE`. @throws ServiceError 400 with the position and the remedy */
export function parseCondition(text: string): Condition {
  const { collection, where } = parseConditionStatement(text);
  const paths = where === undefined ? [] : [...pathsIn(where)];
  return { collection, paths, matches: compileFilter(where === undefined ? undefined : compile(where)) };
}

function compileFilter(evaluate: Evaluate | undefined): (row: JsonRow) => boolean {
  return evaluate === undefined ? () => true : (row) => evaluate(row) === true;
}

/** What a row does not have is left out. */
function compileProjection(selected: readonly Selected[]): (row: JsonRow) => JsonRow {
  const members = selected.flatMap(({ alias, element }) => (element.kind === 'path' ? [[alias, compilePath(element)] as const] : []));
  return (row) => Object.fromEntries(members.flatMap(([alias, read]) => {
    const value = read(row);
    return value === undefined ? [] : [[alias, value] as const];
  }));
}

function createAggregation({ selected = [], groupBy }: SelectStatement): Aggregation | undefined {
  const isAggregated = groupBy !== undefined || selected.some(({ element }) => element.kind === 'aggregate');
  return isAggregated ? new Aggregation(selected, groupBy) : undefined;
}
