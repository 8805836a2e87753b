
import type { JsonObject, JsonValue } from '../twins/json.ts';

export type Json = JsonValue;

/** A document: a twin, or a row of an answer. */
export type JsonRow = JsonObject;

/** What a FROM clause can name here. */
export type Collection = 'devices' | 'devices.modules';

/** `tags.location.region`, `configurations.[[my-id]].status`, `tags.list[0]`. */
export interface Path {
  readonly kind: 'path';
  readonly segments: readonly (string | number)[];
  readonly position: number;
}

export interface Constant {
  readonly kind: 'constant';
  /** `undefined` is a constant of the language. */
  readonly value: Json | undefined;
}

export interface Call {
  readonly kind: 'call';
  readonly name: string;
  readonly parameters: readonly Expression[];
}

export type ComparisonOperator = '=' | '!=' | '<' | '<=' | '>' | '>=' | 'IN' | 'NIN';
export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%';
export type BinaryOperator = 'AND' | 'OR' | ComparisonOperator | ArithmeticOperator;

/** Operators of one precedence from left to right: flat, so that a long chain is no deep tree. */
export interface Chain {
  readonly kind: 'chain';
  readonly first: Expression;
  readonly rest: readonly { readonly operator: BinaryOperator; readonly operand: Expression }[];
}

export interface Unary {
  readonly kind: 'not' | 'negate';
  readonly operand: Expression;
}

export interface ArrayExpression {
  readonly kind: 'array';
  readonly elements: readonly Expression[];
}

export type Expression = Path | Constant | Call | Chain | Unary | ArrayExpression;

export type AggregateName = 'count' | 'avg' | 'sum' | 'min' | 'max';

export interface Aggregate {
  readonly kind: 'aggregate';
  readonly name: AggregateName;
  /** Of every aggregate but `count()`. */
  readonly path?: Path;
}

export interface Selected {
  readonly element: Path | Aggregate;
  /** The member of the result. */
  readonly alias: string;
}

export interface SelectStatement {
  readonly top?: number;
  /** `undefined`: `*`. */
  readonly selected?: readonly Selected[];
  readonly collection: Collection;
  readonly where?: Expression;
  readonly groupBy?: Path;
}
