import { findFunction } from './functions.ts';
import { parsePath } from './path-parser.ts';
import type { BinaryOperator, Chain, Expression, Json } from './syntax.ts';
import type { TokenReader } from './token-reader.ts';

const CONSTANTS: ReadonlyMap<string, Json | undefined> = new Map<string, Json | undefined>([
  ['TRUE', true],
  ['FALSE', false],
  ['NULL', null],
  ['UNDEFINED', undefined],
]);

const SPELLINGS: ReadonlyMap<string, BinaryOperator> = new Map([
  ['<>', '!='],
  ['AND', 'AND'],
  ['OR', 'OR'],
  ['IN', 'IN'],
  ['NIN', 'NIN'],
  ...(['=', '!=', '<', '<=', '>', '>=', '+', '-', '*', '/', '%'] as const).map((symbol) => [symbol, symbol] as const),
]);

const COMPARISONS: ReadonlySet<BinaryOperator> = new Set<BinaryOperator>(['=', '!=', '<', '<=', '>', '>=', 'IN', 'NIN']);
const ADDITIVE: ReadonlySet<BinaryOperator> = new Set<BinaryOperator>(['+', '-']);
const MULTIPLICATIVE: ReadonlySet<BinaryOperator> = new Set<BinaryOperator>(['*', '/', '%']);
const LOGICAL_OR: ReadonlySet<BinaryOperator> = new Set<BinaryOperator>(['OR']);
const LOGICAL_AND: ReadonlySet<BinaryOperator> = new Set<BinaryOperator>(['AND']);

/**
 * Reads a condition: OR, AND, NOT, comparisons, sums, products, signs, from the loosest to the tightest.
 * @see https://learn.microsoft.com/azure/iot-hub/iot-hub-devguide-query-language#expressions-and-conditions
 */
export function parseExpression(reader: TokenReader): Expression {
  return reader.nested(() => parseChain(reader, LOGICAL_OR, parseConjunction));
}

function parseConjunction(reader: TokenReader): Expression {
  return parseChain(reader, LOGICAL_AND, parseNegation);
}

function parseNegation(reader: TokenReader): Expression {
  if (!reader.skipKeyword('NOT')) return parseComparison(reader);
  return { kind: 'not', operand: reader.nested(() => parseNegation(reader)) };
}

function parseComparison(reader: TokenReader): Expression {
  return parseChain(reader, COMPARISONS, parseSum);
}

function parseSum(reader: TokenReader): Expression {
  return parseChain(reader, ADDITIVE, parseProduct);
}

function parseProduct(reader: TokenReader): Expression {
  return parseChain(reader, MULTIPLICATIVE, parseSign);
}

function parseChain(reader: TokenReader, operators: ReadonlySet<BinaryOperator>, parseOperand: (reader: TokenReader) => Expression): Expression {
  const first = parseOperand(reader);
  const rest: Chain['rest'][number][] = [];
  for (;;) {
    const operator = readOperator(reader);
    if (operator === undefined || !operators.has(operator)) break;
    reader.take();
    if ((operator === 'IN' || operator === 'NIN') && reader.isSymbol('(')) {
      throw reader.error(`"(" behind ${operator}`, `write the values in brackets, as ${operator} ['a', 'b']`);
    }
    rest.push({ operator, operand: parseOperand(reader) });
  }
  return rest.length === 0 ? first : { kind: 'chain', first, rest };
}

function readOperator(reader: TokenReader): BinaryOperator | undefined {
  const { kind, text } = reader.next;
  if (kind !== 'name' && kind !== 'symbol') return undefined;
  return SPELLINGS.get(text.toUpperCase());
}

function parseSign(reader: TokenReader): Expression {
  if (reader.skipSymbol('+')) return reader.nested(() => parseSign(reader));
  if (!reader.skipSymbol('-')) return parsePrimary(reader);
  const operand = reader.nested(() => parseSign(reader));
  const isNumber = operand.kind === 'constant' && typeof operand.value === 'number';
  return isNumber ? { kind: 'constant', value: -(operand.value as number) } : { kind: 'negate', operand };
}

function parsePrimary(reader: TokenReader): Expression {
  const token = reader.next;
  if (token.kind === 'string') return { kind: 'constant', value: reader.take().text };
  if (token.kind === 'number') return { kind: 'constant', value: reader.take().value as number };
  if (reader.skipSymbol('(')) {
    const inner = parseExpression(reader);
    reader.expectSymbol(')', 'close the parenthesis');
    return inner;
  }
  if (reader.isSymbol('[')) return parseArray(reader);
  if (token.kind !== 'name') throw reader.error(`${reader.describeNext()} instead of a value`, 'write a property, a constant or a function');
  if (reader.afterNext?.kind === 'symbol' && reader.afterNext.text === '(') return parseCall(reader);
  const keyword = token.text.toUpperCase();
  if (CONSTANTS.has(keyword)) {
    reader.take();
    return { kind: 'constant', value: CONSTANTS.get(keyword) };
  }
  return parsePath(reader);
}

function parseArray(reader: TokenReader): Expression {
  reader.expectSymbol('[', 'open the array');
  const elements = reader.isSymbol(']') ? [] : parseList(reader);
  reader.expectSymbol(']', 'separate the values with commas and close the array');
  // An array of constants is one itself: it is made once, not for every row.
  if (elements.every((element) => element.kind === 'constant' && element.value !== undefined)) {
    return { kind: 'constant', value: elements.map((element) => (element.kind === 'constant' ? (element.value as Json) : null)) };
  }
  return { kind: 'array', elements };
}

function parseCall(reader: TokenReader): Expression {
  const { text, position } = reader.take();
  const found = findFunction(text);
  if (found === undefined) throw reader.error(`no function ${text}`, 'see docs/hub.md for those that there are', position);
  reader.expectSymbol('(', 'open the parameters');
  const parameters = reader.isSymbol(')') ? [] : parseList(reader);
  reader.expectSymbol(')', 'separate the parameters with commas and close them');
  const [fewest, most] = found.parameters;
  if (parameters.length < fewest || parameters.length > most) {
    const expected = fewest === most ? `${fewest}` : `${fewest} to ${most}`;
    throw reader.error(`${text} with ${parameters.length} parameters`, `it takes ${expected}`, position);
  }
  return { kind: 'call', name: found.name, parameters };
}

function parseList(reader: TokenReader): readonly Expression[] {
  const elements = [parseExpression(reader)];
  while (reader.skipSymbol(',')) elements.push(parseExpression(reader));
  return elements;
}
