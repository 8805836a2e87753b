import { parseExpression } from './expression-parser.ts';
import { parsePath, type PrefixedPath } from './path-parser.ts';
import type { Aggregate, AggregateName, Collection, Expression, Path, Selected, SelectStatement } from './syntax.ts';
import { TokenReader } from './token-reader.ts';

const AGGREGATES: ReadonlyMap<string, AggregateName> = new Map([
  ['COUNT', 'count'],
  ['AVG', 'avg'],
  ['SUM', 'sum'],
  ['MIN', 'min'],
  ['MAX', 'max'],
]);

/** Reads a whole query. @throws ServiceError 400 with the position and the remedy */
export function parseStatement(text: string): SelectStatement {
  const reader = new TokenReader(text);
  reader.expectKeyword('SELECT', 'a query is SELECT … FROM devices [WHERE …] [GROUP BY …]');
  const top = reader.isKeyword('TOP') && reader.afterNext?.kind === 'number' ? parseTop(reader) : undefined;
  const selected = reader.skipSymbol('*') ? undefined : parseSelected(reader);
  reader.expectKeyword('FROM', 'separate what is selected with commas, then say FROM devices or FROM devices.modules');
  const collection = parseCollection(reader);
  const where = reader.skipKeyword('WHERE') ? parseExpression(reader) : undefined;
  const groupBy = reader.skipKeyword('GROUP') ? parseGroupBy(reader) : undefined;
  reader.expectEnd('behind FROM the language has WHERE and GROUP BY, in this order');
  const statement: SelectStatement = {
    collection,
    ...(top === undefined ? {} : { top }),
    ...(selected === undefined ? {} : { selected }),
    ...(where === undefined ? {} : { where }),
    ...(groupBy === undefined ? {} : { groupBy }),
  };
  checkPrefixes(reader, statement);
  checkGrouping(reader, statement);
  return statement;
}

/** What a target condition says: whom it is about, and which of them. */
export interface ConditionStatement {
  readonly collection: Collection;
  /** `undefined`: all of them. */
  readonly where?: Expression;
}

/** Reads a condition, alone or behind `FROM devices.modules WHERE`. @throws ServiceError 400 */
export function parseConditionStatement(text: string): ConditionStatement {
  const reader = new TokenReader(text);
  const named = reader.skipKeyword('FROM') ? parseCollection(reader) : undefined;
  if (named !== undefined) reader.expectKeyword('WHERE', 'a target condition says whom it targets, as FROM devices.modules WHERE tags.role = \'gateway\'');
  const where = parseExpression(reader);
  reader.expectEnd('join conditions with AND or OR');
  const statement = { collection: named ?? 'devices', where } as const;
  checkPrefixes(reader, statement);
  return statement;
}

function parseTop(reader: TokenReader): number {
  reader.take();
  const { value = 0, position } = reader.take();
  if (!Number.isSafeInteger(value) || value < 1) throw reader.error('TOP without a whole number above 0', 'write it as SELECT TOP 10 * FROM devices', position);
  return value;
}

function parseCollection(reader: TokenReader): Collection {
  const { position } = reader.next;
  const names: string[] = [];
  do names.push(reader.next.kind === 'name' ? reader.take().text.toLowerCase() : '');
  while (reader.skipSymbol('.'));
  const name = names.join('.');
  if (name === 'devices' || name === 'devices.modules') return name;
  if (name === 'devices.jobs') throw reader.error('devices.jobs, which this hub does not have', 'query devices or devices.modules', position);
  throw reader.error(`no collection ${JSON.stringify(name)}`, 'query devices or devices.modules', position);
}

function parseSelected(reader: TokenReader): readonly Selected[] {
  const selected: Selected[] = [];
  const aliases = new Set<string>();
  do {
    const { position } = reader.next;
    const element = parseElement(reader);
    const alias = reader.skipKeyword('AS') ? parseAlias(reader) : defaultAlias(element, selected.length);
    if (aliases.has(alias)) throw reader.error(`a second ${JSON.stringify(alias)}`, 'name one of them with AS', position);
    aliases.add(alias);
    selected.push({ element, alias });
  } while (reader.skipSymbol(','));
  return selected;
}

function parseElement(reader: TokenReader): Path | Aggregate {
  const isCall = reader.next.kind === 'name' && reader.afterNext?.kind === 'symbol' && reader.afterNext.text === '(';
  if (!isCall) return parsePath(reader);
  const { text, position } = reader.take();
  const name = AGGREGATES.get(text.toUpperCase());
  if (name === undefined) throw reader.error(`${text} in SELECT`, 'SELECT takes properties and COUNT(), AVG, SUM, MIN, MAX', position);
  reader.expectSymbol('(', 'open the parameter');
  const path = name === 'count' ? undefined : parsePath(reader);
  reader.expectSymbol(')', name === 'count' ? 'COUNT() has no parameter' : 'close the parameter');
  return path === undefined ? { kind: 'aggregate', name } : { kind: 'aggregate', name, path };
}

function parseAlias(reader: TokenReader): string {
  if (reader.next.kind !== 'name') throw reader.error(`${reader.describeNext()} instead of a name`, 'write AS and a name of letters, digits and _');
  return reader.take().text;
}

/** A property is called by its last name, an aggregate by its place. */
function defaultAlias(element: Path | Aggregate, index: number): string {
  return element.kind === 'aggregate' ? `$${index + 1}` : String(element.segments.at(-1));
}

function parseGroupBy(reader: TokenReader): Path {
  reader.expectKeyword('BY', 'write GROUP BY and one property');
  return parsePath(reader);
}

function checkGrouping(reader: TokenReader, { selected, groupBy }: SelectStatement): void {
  const isAggregated = groupBy !== undefined || (selected?.some(({ element }) => element.kind === 'aggregate') ?? false);
  if (!isAggregated) return;
  if (selected === undefined) throw reader.error('GROUP BY with SELECT *', 'select the property that groups, and aggregates', groupBy?.position);
  for (const { element } of selected) {
    if (element.kind === 'aggregate' || (groupBy !== undefined && isSamePath(element, groupBy))) continue;
    throw reader.error(`${element.segments.join('.')} beside an aggregate`, 'an aggregated query selects aggregates and the property that GROUP BY names', element.position);
  }
}

function isSamePath(one: Path, other: Path): boolean {
  return one.segments.length === other.segments.length && one.segments.every((segment, index) => segment === other.segments[index]);
}

/** "We don't allow join between the devices and devices.modules collections." */
function checkPrefixes(reader: TokenReader, statement: ConditionStatement & Partial<SelectStatement>): void {
  for (const path of pathsOf(statement)) {
    if (path.prefix === undefined || path.prefix === statement.collection) continue;
    throw reader.error(`${path.prefix} in a query of ${statement.collection}`, 'collections cannot be joined: query one of them', path.position);
  }
}

function* pathsOf({ selected = [], where, groupBy }: ConditionStatement & Partial<SelectStatement>): Iterable<PrefixedPath> {
  for (const { element } of selected) {
    if (element.kind === 'path') yield element;
    else if (element.path !== undefined) yield element.path;
  }
  if (groupBy !== undefined) yield groupBy;
  if (where !== undefined) yield* pathsIn(where);
}

/** Every property that an expression reads. */
export function* pathsIn(expression: Expression): Iterable<PrefixedPath> {
  switch (expression.kind) {
    case 'path':
      yield expression;
      return;
    case 'constant':
      return;
    case 'call':
      for (const parameter of expression.parameters) yield* pathsIn(parameter);
      return;
    case 'array':
      for (const element of expression.elements) yield* pathsIn(element);
      return;
    case 'not':
    case 'negate':
      yield* pathsIn(expression.operand);
      return;
    case 'chain':
      yield* pathsIn(expression.first);
      for (const { operand } of expression.rest) yield* pathsIn(operand);
      return;
    default:
      assertNever(expression);
  }
}

function assertNever(expression: never): never {
  throw new TypeError(`no expression: ${JSON.stringify(expression)}`);
}
