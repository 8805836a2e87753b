import { finite, findFunction } from './functions.ts';
import type { ArithmeticOperator, BinaryOperator, Chain, Expression, Json, JsonRow, Path } from './syntax.ts';

type Value = Json | undefined;

/** An expression, ready to be asked of many rows. */
export type Evaluate = (row: JsonRow) => Value;

/**
 * Makes a function of an expression. "Any constant different than Boolean true is considered as false": so is what a comparison with a
 * property gives that a row does not have, `undefined`.
 */
export function compile(expression: Expression): Evaluate {
  switch (expression.kind) {
    case 'path':
      return compilePath(expression);
    case 'constant': {
      const { value } = expression;
      return () => value;
    }
    case 'array': {
      const elements = expression.elements.map(compile);
      return (row) => elements.map((element) => element(row)).filter((value): value is Json => value !== undefined);
    }
    case 'not': {
      const operand = compile(expression.operand);
      return (row) => operand(row) !== true;
    }
    case 'negate': {
      const operand = compile(expression.operand);
      return (row) => negate(operand(row));
    }
    case 'call': {
      const { apply } = findFunction(expression.name)!;
      const parameters = expression.parameters.map(compile);
      return (row) => apply(parameters.map((parameter) => parameter(row)));
    }
    case 'chain':
      return compileChain(expression);
    default:
      return assertNever(expression);
  }
}

export function compilePath({ segments }: Path): Evaluate {
  return (row) => {
    let value: Value = row;
    for (const segment of segments) {
      // Own members only: a name such as `constructor` is no property of a twin.
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return undefined;
      value = (value as { readonly [key: string | number]: Json })[segment];
    }
    return value;
  };
}

function negate(value: Value): Value {
  return typeof value === 'number' ? -value : undefined;
}

function compileChain({ first, rest }: Chain): Evaluate {
  const start = compile(first);
  const operator = rest[0]?.operator;
  if (operator === 'AND' || operator === 'OR') {
    const operands = [start, ...rest.map(({ operand }) => compile(operand))];
    return operator === 'AND' ? (row) => operands.every((operand) => operand(row) === true) : (row) => operands.some((operand) => operand(row) === true);
  }
  const steps = rest.map(({ operator: each, operand }) => compileStep(each, operand));
  return (row) => {
    let value = start(row);
    for (const step of steps) value = step(value, row);
    return value;
  };
}

type Step = (left: Value, row: JsonRow) => Value;

function compileStep(operator: BinaryOperator, operand: Expression): Step {
  if (operator === 'IN' || operator === 'NIN') return compileMembership(operator === 'IN', operand);
  const right = compile(operand);
  const apply = binary(operator);
  return (left, row) => apply(left, right(row));
}

/** A constant list is looked up, not walked: a query's rows times its values would be quadratic. */
function compileMembership(expected: boolean, operand: Expression): Step {
  if (operand.kind === 'constant' && Array.isArray(operand.value)) {
    const known = new Set<Value>(operand.value.filter(isPrimitive));
    return (left) => (isPrimitive(left) ? known.has(left) === expected : undefined);
  }
  const list = compile(operand);
  return (left, row) => {
    const values = list(row);
    if (!Array.isArray(values) || !isPrimitive(left)) return undefined;
    return values.includes(left) === expected;
  };
}

function binary(operator: Exclude<BinaryOperator, 'IN' | 'NIN'>): (left: Value, right: Value) => Value {
  switch (operator) {
    case 'AND':
      return (left, right) => left === true && right === true;
    case 'OR':
      return (left, right) => left === true || right === true;
    case '=':
      return (left, right) => (isPrimitive(left) && isPrimitive(right) ? left === right : undefined);
    case '!=':
      return (left, right) => (isPrimitive(left) && isPrimitive(right) ? left !== right : undefined);
    case '<':
      return (left, right) => order(left, right, (sign) => sign < 0);
    case '<=':
      return (left, right) => order(left, right, (sign) => sign <= 0);
    case '>':
      return (left, right) => order(left, right, (sign) => sign > 0);
    case '>=':
      return (left, right) => order(left, right, (sign) => sign >= 0);
    default:
      return (left, right) => (typeof left === 'number' && typeof right === 'number' ? finite(calculate(operator, left, right)) : undefined);
  }
}

/** "Comparisons are supported only between primitive types (no objects)". */
function isPrimitive(value: Value): boolean {
  return value !== undefined && (value === null || typeof value !== 'object');
}

/** Numbers by size, strings by code units; nothing else has an order. */
export function order(left: Value, right: Value, holds: (sign: number) => boolean): boolean | undefined {
  const isOrdered = typeof left === typeof right && (typeof left === 'number' || typeof left === 'string');
  if (!isOrdered) return undefined;
  const [one, other] = [left as string | number, right as string | number];
  return holds(one < other ? -1 : one > other ? 1 : 0);
}

function calculate(operator: ArithmeticOperator, left: number, right: number): number {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return left / right;
    case '%':
      return left % right;
    default:
      return assertNever(operator);
  }
}

function assertNever(value: never): never {
  throw new TypeError(`no expression: ${JSON.stringify(value)}`);
}
