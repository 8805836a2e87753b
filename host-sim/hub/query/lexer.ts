import { MAX_QUERY_CHARACTERS } from './limits.ts';
import { queryError } from './query-error.ts';

export interface Token {
  /** `name` holds keywords, too: whether it is one is for the parser to say, as `tags.from` is a path. */
  readonly kind: 'name' | 'quoted-name' | 'number' | 'string' | 'symbol' | 'end';
  /** As written; for strings and quoted names what they say. */
  readonly text: string;
  readonly value?: number;
  readonly position: number;
}

const SYMBOLS = ['<>', '!=', '<=', '>=', '=', '<', '>', '+', '-', '*', '/', '%', '(', ')', '[', ']', ',', '.'] as const;
// Sticky: each looks at one place only, so the whole text is read once.
const SPACE = /\s+/y;
const NAME = /[\p{L}_$][\p{L}\p{N}_$]*/uy;
const NUMBER = /0[xX][0-9A-Fa-f]+|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const ESCAPES: Readonly<Record<string, string>> = { "'": "'", '"': '"', '\\': '\\' };

/** @throws ServiceError 400 for a text that is too long or holds what is no token */
export function tokenize(text: string): readonly Token[] {
  if (text.length > MAX_QUERY_CHARACTERS) {
    throw queryError(`a text of ${text.length} characters`, MAX_QUERY_CHARACTERS, `a query has at most ${MAX_QUERY_CHARACTERS}`);
  }
  const tokens: Token[] = [];
  let position = 0;
  for (;;) {
    position = skipSpace(text, position);
    if (position >= text.length) break;
    const afterDot = tokens.at(-1)?.text === '.' && tokens.at(-1)?.kind === 'symbol';
    const [token, end] = readToken(text, position, afterDot);
    tokens.push(token);
    position = end;
  }
  tokens.push({ kind: 'end', text: 'the end', position: text.length });
  return tokens;
}

/** Spaces and comments, as the documentation's own queries have them. */
function skipSpace(text: string, position: number): number {
  for (;;) {
    position += match(SPACE, text, position)?.length ?? 0;
    if (!text.startsWith('/*', position)) return position;
    const end = text.indexOf('*/', position + 2);
    if (end === -1) throw queryError('a comment that does not end', position, 'close it with */');
    position = end + 2;
  }
}

function match(pattern: RegExp, text: string, position: number): string | undefined {
  pattern.lastIndex = position;
  return pattern.exec(text)?.[0];
}

function readToken(text: string, position: number, afterDot: boolean): readonly [Token, number] {
  const character = text[position] as string;
  if (character === "'" || character === '"') return readString(text, position);
  // Only behind a dot: elsewhere two brackets open an array in an array.
  if (afterDot && text.startsWith('[[', position)) return readQuotedName(text, position);
  const name = match(NAME, text, position);
  if (name !== undefined) return [{ kind: 'name', text: name, position }, position + name.length];
  const number = match(NUMBER, text, position);
  if (number !== undefined) return [{ kind: 'number', text: number, value: toNumber(number, position), position }, position + number.length];
  const symbol = SYMBOLS.find((candidate) => text.startsWith(candidate, position));
  if (symbol !== undefined) return [{ kind: 'symbol', text: symbol, position }, position + symbol.length];
  throw queryError(`no place for ${JSON.stringify(character)}`, position, 'names with other characters stand in brackets, as tags.[[a name]]');
}

function toNumber(text: string, position: number): number {
  const value = Number(text);
  if (!Number.isFinite(value)) throw queryError('a number out of range', position, 'numbers are 64-bit floats');
  return value;
}

/** `[[name]]`, as `configurations.[[my-configuration]]` is written: everything up to the closing brackets. */
function readQuotedName(text: string, position: number): readonly [Token, number] {
  const end = text.indexOf(']]', position + 2);
  if (end === -1) throw queryError('[[ without ]]', position, 'close the name with ]]');
  const name = text.slice(position + 2, end);
  if (name === '') throw queryError('an empty name', position, 'write the name between [[ and ]]');
  return [{ kind: 'quoted-name', text: name, position }, end + 2];
}

function readString(text: string, position: number): readonly [Token, number] {
  const quote = text[position];
  let value = '';
  let index = position + 1;
  for (;;) {
    const character = text[index];
    if (character === undefined) throw queryError('a string that does not end', position, `close it with ${quote}`);
    if (character === quote) return [{ kind: 'string', text: value, position }, index + 1];
    if (character !== '\\') {
      value += character;
      index += 1;
      continue;
    }
    const [decoded, length] = readEscape(text, index);
    value += decoded;
    index += length;
  }
}

function readEscape(text: string, position: number): readonly [string, number] {
  const character = text[position + 1] ?? '';
  const simple = ESCAPES[character];
  if (simple !== undefined) return [simple, 2];
  const digits = text.slice(position + 2, position + 6);
  if (character === 'u' && /^[0-9A-Fa-f]{4}$/.test(digits)) return [String.fromCharCode(Number.parseInt(digits, 16)), 6];
  throw queryError(`an unknown escape \\${character}`, position, `strings know \\' \\" \\\\ and \\uXXXX`);
}
