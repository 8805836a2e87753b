import { MAX_VALUE_DEPTH, MAX_VALUES } from './limits.ts';

/** One AMQP value, as far as the hub looks into values before it hands them on. */
export type AmqpValue =
  | { readonly kind: 'null' | 'other' }
  | { readonly kind: 'boolean'; readonly value: boolean }
  /** `bits` of the type, not of the encoding; beyond 2⁵³ not exact. */
  | { readonly kind: 'unsigned'; readonly bits: 8 | 16 | 32 | 64; readonly value: number }
  | { readonly kind: 'binary'; readonly value: Buffer }
  | { readonly kind: 'string' | 'symbol'; readonly value: string }
  | { readonly kind: 'list' | 'array'; readonly items: readonly AmqpValue[] }
  | { readonly kind: 'map'; readonly items: readonly AmqpValue[] }
  | { readonly kind: 'described'; readonly descriptor: AmqpValue; readonly value: AmqpValue };

/** Bytes that are no AMQP 1.0 encoding, or too much of it. */
export class MalformedValue extends Error {
  override readonly name = 'MalformedValue';
}

const NULL: AmqpValue = { kind: 'null' };
const OTHER: AmqpValue = { kind: 'other' };

/** Widths of fixed types by the upper half of their code. */
const FIXED_WIDTHS: Readonly<Record<number, number>> = { 4: 0, 5: 1, 6: 2, 7: 4, 8: 8, 9: 16 };

/** Codes of part 1, 1.6, without described values (0x00). */
const CODES = new Set([
  0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x60, 0x61, 0x70, 0x71, 0x72, 0x73, 0x74, 0x80, 0x81, 0x82, 0x83, 0x84,
  0x94, 0x98, 0xa0, 0xa1, 0xa3, 0xb0, 0xb1, 0xb3, 0xc0, 0xc1, 0xd0, 0xd1, 0xe0, 0xf0,
]);

/**
 * Reads AMQP 1.0 values out of `bytes` and takes nothing on trust: every length and count must fit what is there, and depth and
 * number of values are bounded, so that no few bytes make much work or memory.
 * @see http://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-types-v1.0-os.html#section-encodings
 */
export class ValueReader {
  readonly #bytes: Buffer;
  #at: number;
  #end: number;
  #left = MAX_VALUES;

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = bytes.length;
  }

  /** Where the next value starts. */
  get position(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#end;
  }

  /** @throws MalformedValue */
  read(depth = 0): AmqpValue {
    const code = this.#unsigned(1);
    if (code !== 0x00) return this.#readAs(code, depth);
    const descriptor = this.read(this.#deeper(depth));
    if (descriptor.kind !== 'unsigned' && descriptor.kind !== 'symbol') throw new MalformedValue('a descriptor that is neither ulong nor symbol');
    return { kind: 'described', descriptor, value: this.read(this.#deeper(depth)) };
  }

  #readAs(code: number, depth: number): AmqpValue {
    if (!CODES.has(code)) throw new MalformedValue(`no type has the code 0x${code.toString(16)}`);
    this.#left -= 1;
    if (this.#left < 0) throw new MalformedValue(`more than ${MAX_VALUES} values`);
    const width = FIXED_WIDTHS[code >> 4];
    if (width !== undefined) return this.#readFixed(code, width);
    const sizeWidth = (code >> 4) % 2 === 0 ? 1 : 4;
    if (code < 0xc0) return this.#readVariable(code, this.#unsigned(sizeWidth));
    return this.#readCompound(code, sizeWidth, this.#deeper(depth));
  }

  #readFixed(code: number, width: number): AmqpValue {
    const at = this.#take(width);
    switch (code) {
      case 0x40:
        return NULL;
      case 0x41:
      case 0x42:
        return { kind: 'boolean', value: code === 0x41 };
      case 0x45:
        return { kind: 'list', items: [] };
      case 0x56: {
        const value = this.#bytes[at];
        if (value !== 0 && value !== 1) throw new MalformedValue('a boolean that is neither 0 nor 1');
        return { kind: 'boolean', value: value === 1 };
      }
      case 0x43:
        return { kind: 'unsigned', bits: 32, value: 0 };
      case 0x44:
        return { kind: 'unsigned', bits: 64, value: 0 };
      case 0x50:
        return { kind: 'unsigned', bits: 8, value: this.#bytes.readUInt8(at) };
      case 0x60:
        return { kind: 'unsigned', bits: 16, value: this.#bytes.readUInt16BE(at) };
      case 0x52:
        return { kind: 'unsigned', bits: 32, value: this.#bytes.readUInt8(at) };
      case 0x70:
        return { kind: 'unsigned', bits: 32, value: this.#bytes.readUInt32BE(at) };
      case 0x53:
        return { kind: 'unsigned', bits: 64, value: this.#bytes.readUInt8(at) };
      case 0x80:
        return { kind: 'unsigned', bits: 64, value: Number(this.#bytes.readBigUInt64BE(at)) };
      default:
        return OTHER;
    }
  }

  #readVariable(code: number, size: number): AmqpValue {
    const at = this.#take(size);
    const value = this.#bytes.subarray(at, at + size);
    switch (code & 0x0f) {
      case 0:
        return { kind: 'binary', value };
      case 1:
        return { kind: 'string', value: value.toString('utf8') };
      default:
        return { kind: 'symbol', value: value.toString('latin1') };
    }
  }

  #readCompound(code: number, sizeWidth: 1 | 4, depth: number): AmqpValue {
    const size = this.#unsigned(sizeWidth);
    const outerEnd = this.#end;
    this.#end = this.#at + size;
    if (this.#end > outerEnd) throw new MalformedValue('a value longer than what is around it');
    const count = this.#unsigned(sizeWidth);
    if (count > this.#left) throw new MalformedValue(`more than ${MAX_VALUES} values`);
    const items = code >= 0xe0 ? this.#readElements(count, depth) : this.#readItems(count, depth);
    if (this.#at !== this.#end) throw new MalformedValue('a value shorter than it says');
    this.#end = outerEnd;
    if (code >= 0xe0) return { kind: 'array', items };
    if (code === 0xc0 || code === 0xd0) return { kind: 'list', items };
    if (count % 2 === 1) throw new MalformedValue('a map with a key and no value');
    return { kind: 'map', items };
  }

  #readItems(count: number, depth: number): AmqpValue[] {
    const items: AmqpValue[] = [];
    for (let index = 0; index < count; index++) items.push(this.read(depth));
    return items;
  }

  /** One constructor for all elements; a described one has its descriptor there. */
  #readElements(count: number, depth: number): AmqpValue[] {
    let code = this.#unsigned(1);
    let descriptor: AmqpValue | undefined;
    if (code === 0x00) {
      descriptor = this.read(depth);
      code = this.#unsigned(1);
    }
    const items: AmqpValue[] = [];
    for (let index = 0; index < count; index++) {
      const value = this.#readAs(code, depth);
      items.push(descriptor === undefined ? value : { kind: 'described', descriptor, value });
    }
    return items;
  }

  #deeper(depth: number): number {
    if (depth >= MAX_VALUE_DEPTH) throw new MalformedValue(`values nested deeper than ${MAX_VALUE_DEPTH}`);
    return depth + 1;
  }

  #unsigned(width: 1 | 4): number {
    const at = this.#take(width);
    return width === 1 ? this.#bytes.readUInt8(at) : this.#bytes.readUInt32BE(at);
  }

  #take(width: number): number {
    const at = this.#at;
    if (width > this.#end - at) throw new MalformedValue('a value that goes beyond its end');
    this.#at = at + width;
    return at;
  }
}
