import { BundleError, type BundleErrorCode } from './bundle-error.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const MINUS_OR_DIGIT_MAX = 0x39;
const DIGIT_MIN = 0x30;
/** `9007199254740991` has 16; what needs more is no number of a bundle. */
const MAX_DIGITS = 15;
const MAX_MEMBERS = 32;

/** Characters between quotes, as a place in the bytes. */
export interface TextSpan {
  readonly start: number;
  readonly length: number;
}

/**
 * Reads the JSON of a bundle's payload from its bytes, member by member, without making text of what is not needed as text: the
 * roots alone would take as much of the heap again. Stricter than JSON: printable ASCII without escapes, whole numbers, no member twice.
 * Everything it refuses is a BundleError.
 */
export class PayloadReader {
  readonly bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Calls `member` for each name, which reads the value; each of `names` must come once, those behind `?` may be absent. */
  object(names: readonly string[], member: (name: string) => void): void {
    const seen: string[] = [];
    this.#expect('{');
    do {
      const name = this.text(MAX_MEMBERS);
      if (seen.includes(name)) throw new BundleError('ERR_BUNDLE_DUPLICATE', `payload: "${name}" stands there twice`);
      if (name.endsWith('?') || (!names.includes(name) && !names.includes(`${name}?`))) this.fail(`unknown member "${name}"`);
      seen.push(name);
      this.#expect(':');
      member(name);
    } while (this.#take(COMMA));
    this.#expect('}');
    for (const name of names) {
      if (!name.endsWith('?') && !seen.includes(name)) this.fail(`"${name}" is missing`);
    }
  }

  /** Calls `item` for each element, which reads it. */
  list(max: number, label: string, item: (index: number) => void): void {
    this.#expect('[');
    if (this.#take(0x5d)) return;
    let count = 0;
    do {
      if (count === max) this.fail(`${label}: more than ${max}`, 'ERR_BUNDLE_SIZE');
      item(count);
      count += 1;
    } while (this.#take(COMMA));
    this.#expect(']');
  }

  /** Where a text of at most `max` characters stands. */
  span(max: number): TextSpan {
    this.#expect('"');
    const start = this.#at;
    const end = this.bytes.indexOf(QUOTE, start);
    if (end < 0) this.fail('a text does not end');
    if (end - start > max) this.fail(`a text is longer than ${max} characters`, 'ERR_BUNDLE_SIZE');
    this.#at = end + 1;
    return { start, length: end - start };
  }

  text(max: number): string {
    const { start, length } = this.span(max);
    let text = '';
    for (let i = start; i < start + length; i++) {
      const byte = this.bytes[i] ?? 0;
      if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) this.fail('a text is not printable ASCII without escapes');
      text += String.fromCharCode(byte);
    }
    return text;
  }

  whole(max: number): number {
    this.#skipSpace();
    const start = this.#at;
    let value = 0;
    for (; ; this.#at++) {
      const byte = this.bytes[this.#at] ?? 0;
      if (byte < DIGIT_MIN || byte > MINUS_OR_DIGIT_MAX) break;
      value = value * 10 + byte - DIGIT_MIN;
      if (this.#at - start >= MAX_DIGITS) this.fail('a number is too long');
    }
    const digits = this.#at - start;
    if (digits === 0 || (digits > 1 && this.bytes[start] === DIGIT_MIN) || value > max) this.fail(`expected a whole number up to ${max}`);
    return value;
  }

  /** `true`, the one literal that a bundle has. */
  yes(): void {
    this.#skipSpace();
    for (const character of 'true') this.#expectHere(character);
  }

  end(): void {
    this.#skipSpace();
    if (this.#at !== this.bytes.length) this.fail('bytes behind the payload');
  }

  fail(what: string, code: BundleErrorCode = 'ERR_BUNDLE_FORMAT'): never {
    throw new BundleError(code, `payload: ${what}`);
  }

  #expect(character: string): void {
    this.#skipSpace();
    this.#expectHere(character);
  }

  #expectHere(character: string): void {
    if (this.bytes[this.#at] !== character.charCodeAt(0)) this.fail(`expected ${character} at byte ${this.#at}`);
    this.#at += 1;
  }

  #take(byte: number): boolean {
    this.#skipSpace();
    if (this.bytes[this.#at] !== byte) return false;
    this.#at += 1;
    return true;
  }

  #skipSpace(): void {
    for (; ; this.#at++) {
      const byte = this.bytes[this.#at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
    }
  }
}
