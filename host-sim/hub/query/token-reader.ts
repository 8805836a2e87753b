import { tokenize, type Token } from './lexer.ts';
import { MAX_NESTING } from './limits.ts';
import { queryError } from './query-error.ts';

/** A query's tokens and the place that a parser has reached, with the bound on how deep it may go. */
export class TokenReader {
  readonly #tokens: readonly Token[];
  #index = 0;
  #depth = 0;

  constructor(text: string) {
    this.#tokens = tokenize(text);
  }

  get next(): Token {
    return this.#tokens[this.#index] as Token;
  }

  get afterNext(): Token | undefined {
    return this.#tokens[this.#index + 1];
  }

  take(): Token {
    const token = this.next;
    if (token.kind !== 'end') this.#index += 1;
    return token;
  }

  isKeyword(keyword: string): boolean {
    return this.next.kind === 'name' && this.next.text.toUpperCase() === keyword;
  }

  isSymbol(symbol: string): boolean {
    return this.next.kind === 'symbol' && this.next.text === symbol;
  }

  /** @returns whether it was there, and is behind now */
  skipKeyword(keyword: string): boolean {
    if (!this.isKeyword(keyword)) return false;
    this.#index += 1;
    return true;
  }

  skipSymbol(symbol: string): boolean {
    if (!this.isSymbol(symbol)) return false;
    this.#index += 1;
    return true;
  }

  expectKeyword(keyword: string, remedy: string): void {
    if (!this.skipKeyword(keyword)) throw this.error(`${this.describeNext()} instead of ${keyword}`, remedy);
  }

  expectSymbol(symbol: string, remedy: string): void {
    if (!this.skipSymbol(symbol)) throw this.error(`${this.describeNext()} instead of ${symbol}`, remedy);
  }

  expectEnd(remedy: string): void {
    if (this.next.kind !== 'end') throw this.error(`${this.describeNext()} instead of the end`, remedy);
  }

  /** Reads something that may hold itself. @throws ServiceError 400 when that goes too deep */
  nested<Value>(read: () => Value): Value {
    this.#depth += 1;
    if (this.#depth > MAX_NESTING) throw this.error('an expression nested too deeply', `at most ${MAX_NESTING} levels are read`);
    const value = read();
    this.#depth -= 1;
    return value;
  }

  error(problem: string, remedy: string, position = this.next.position): Error {
    return queryError(problem, position, remedy);
  }

  describeNext(): string {
    return this.next.kind === 'end' ? 'the end' : JSON.stringify(this.next.text);
  }
}
