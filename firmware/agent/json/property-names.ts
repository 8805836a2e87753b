import type { TextCodec } from '../text-codec.ts';

/** Top-level properties that an application registered. Made once; it is compared with bytes, so that other names make no string. */
export class PropertyNames {
  readonly names: readonly string[];
  /** Of the longest, in UTF-8. */
  readonly maxBytes: number;
  readonly #encoded: readonly Uint8Array[];

  /**
   * @throws TypeError for a name that no property of a twin has: empty, with `$`, or `__proto__`
   * @throws RangeError for half of a surrogate pair
   */
  constructor(names: readonly string[], text: Pick<TextCodec, 'encodeUtf8'>) {
    for (const name of names) {
      if (name === '' || name === '__proto__' || name.includes('$')) throw new TypeError(`names: ${JSON.stringify(name)} is no name of a twin's property`);
    }
    this.names = [...names];
    this.#encoded = names.map((name) => text.encodeUtf8(name));
    this.maxBytes = this.#encoded.reduce((most, { length }) => Math.max(most, length), 0);
  }

  /** The registered name that these bytes are. */
  find(bytes: Uint8Array, start: number, end: number): string | undefined {
    for (let index = 0; index < this.#encoded.length; index++) {
      if (isSame(this.#encoded[index]!, bytes, start, end)) return this.names[index];
    }
    return undefined;
  }
}

/** Whether `name` is what lies in `bytes` from `start` to `end`. */
export function isSame(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  const length = name.length;
  if (end - start !== length) return false;
  for (let i = 0; i < length; i++) if (name[i] !== bytes[start + i]) return false;
  return true;
}
