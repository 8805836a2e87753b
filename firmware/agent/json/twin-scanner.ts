import type { TextCodec } from '../text-codec.ts';
import { ByteSpan } from './byte-span.ts';
import { DEFAULT_TWIN_LIMITS, MAX_ESCAPED_LENGTH, type TwinLimits } from './json-limits.ts';
import type { JsonRefusal } from './json-refusal.ts';
import { JsonScanner, MAX_SCANNED_DEPTH, MORE, NAME_BEGAN, NAME_ENDED, REFUSED, VALUE_BEGAN, VALUE_ENDED } from './json-scanner.ts';
import type { NameBudget } from './name-budget.ts';
import { parseBounded, type JsonParsed } from './parse-bounded.ts';
import { isSame, type PropertyNames } from './property-names.ts';
import { MAX_VERSION_BYTES, type TwinSection, TwinSectionReader } from './twin-section.ts';
import { unescapeJson } from './unescape-json.ts';

export type { TwinSection };

export interface TwinScannerOptions {
  /** `answer`: `{"desired":{…},"reported":{…}}`, of a GET with status 200. `patch`: one section, of a desired patch. */
  readonly form: 'answer' | 'patch';
  readonly desired: PropertyNames;
  /** Reported properties that are wanted back; default none, and `reported` is read for its version alone. */
  readonly reported?: PropertyNames | undefined;
  readonly text: TextCodec;
  /** The one of the program. */
  readonly names: NameBudget;
  readonly limits?: Partial<TwinLimits> | undefined;
  /**
   * Is offered each desired value as it ends, before the rest of the document is known to be good. What it takes (true) is not
   * kept and does not count for `maxTotalBytes`.
   */
  readonly take?: ((name: string, value: unknown) => boolean) | undefined;
}

export type TwinScan =
  /** `reported`: of an answer that has it. */
  | { readonly ok: true; readonly desired: TwinSection; readonly reported: TwinSection | undefined }
  | { readonly ok: false; readonly code: JsonRefusal };

const OPENING_BRACE = 0x7b;
const DESIRED = bytesOf('desired');
const REPORTED = bytesOf('reported');
const VERSION = bytesOf('$version');

/**
 * Reads one twin answer or desired patch that comes in pieces of any size, and keeps `$version` and the registered properties;
 * the rest is checked and passes by. A document is good or refused as a whole, a value of it that is above its limits alone.
 */
export class TwinScanner {
  readonly #options: TwinScannerOptions;
  readonly #limits: TwinLimits;
  readonly #scanner: JsonScanner;
  /** Depth of the members of a section. */
  readonly #sectionDepth: 1 | 2;
  readonly #maxNameBytes: number;
  readonly #name = new ByteSpan();
  readonly #value = new ByteSpan();
  #desired: TwinSectionReader | undefined;
  #reported: TwinSectionReader | undefined;
  /** The section that is open, or begins with the next value. */
  #section: TwinSectionReader | undefined;
  /** What the next value of the section is. */
  #target: 'version' | { readonly property: string } | undefined;
  #keptBytes = 0;
  #refusal: JsonRefusal | undefined;

  constructor(options: TwinScannerOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_TWIN_LIMITS, ...options.limits };
    this.#sectionDepth = options.form === 'answer' ? 2 : 1;
    this.#scanner = new JsonScanner({ maxDepth: MAX_SCANNED_DEPTH, namesTo: this.#sectionDepth, valuesTo: this.#sectionDepth });
    const longest = Math.max(VERSION.length, options.desired.maxBytes, options.reported?.maxBytes ?? 0);
    this.#maxNameBytes = MAX_ESCAPED_LENGTH * longest;
  }

  /** Takes the next piece; it is used up when this returns. Returns false once the document is refused: `end` says why. */
  feed(bytes: Uint8Array): boolean {
    if (this.#refusal !== undefined) return false;
    const scanner = this.#scanner;
    scanner.feed(bytes);
    for (;;) {
      switch (scanner.next()) {
        case NAME_BEGAN:
          this.#name.begin(scanner.mark, this.#maxNameBytes);
          break;
        case NAME_ENDED:
          this.#endName(bytes);
          break;
        case VALUE_BEGAN:
          if (!this.#beginValue()) return this.#refuse('ERR_TWIN_FORM');
          break;
        case VALUE_ENDED:
          this.#endValue(bytes);
          break;
        case MORE:
          this.#name.carry(bytes);
          this.#value.carry(bytes);
          return true;
        case REFUSED:
          return this.#refuse(scanner.refusal!);
      }
    }
  }

  /** No byte follows. */
  end(): TwinScan {
    const code = this.#refusal ?? this.#scanner.end();
    if (code !== undefined) return { ok: false, code };
    if (this.#desired === undefined) return { ok: false, code: 'ERR_TWIN_FORM' };
    const desired = this.#desired.finish();
    const reported = this.#reported?.finish();
    if (desired === undefined || (this.#reported !== undefined && reported === undefined)) return { ok: false, code: 'ERR_TWIN_VERSION' };
    return { ok: true, desired, reported };
  }

  #endName(piece: Uint8Array): void {
    this.#target = undefined;
    const { depth, mark, escaped } = this.#scanner;
    const span = this.#name;
    if (depth < this.#sectionDepth) this.#section = undefined;
    if (!span.finish(piece, mark)) return;
    if (escaped) {
      const name = unescapeJson(span.bytes, span.start, span.end);
      this.#select(name, 0, name.length, depth);
    } else this.#select(span.bytes, span.start, span.end, depth);
  }

  #select(bytes: Uint8Array, start: number, end: number, depth: number): void {
    if (depth < this.#sectionDepth) {
      if (isSame(DESIRED, bytes, start, end)) this.#section = this.#desired = new TwinSectionReader(this.#options.desired);
      else if (isSame(REPORTED, bytes, start, end)) this.#section = this.#reported = new TwinSectionReader(this.#options.reported);
    } else if (this.#section !== undefined) {
      if (isSame(VERSION, bytes, start, end)) this.#target = 'version';
      else {
        const property = this.#section.names?.find(bytes, start, end);
        if (property !== undefined) this.#target = { property };
      }
    }
  }

  /** Returns whether the value may stand here. */
  #beginValue(): boolean {
    const { depth, first, mark } = this.#scanner;
    if (depth === this.#sectionDepth) {
      if (this.#target !== undefined) this.#value.begin(mark, this.#target === 'version' ? MAX_VERSION_BYTES : this.#limits.maxValueBytes);
      return true;
    }
    if (depth === 0 && this.#sectionDepth === 1) this.#section = this.#desired = new TwinSectionReader(this.#options.desired);
    return first === OPENING_BRACE || (depth > 0 && this.#section === undefined);
  }

  #endValue(piece: Uint8Array): void {
    const target = this.#target;
    if (target === undefined || this.#scanner.depth !== this.#sectionDepth) return;
    this.#target = undefined;
    const span = this.#value;
    const json = span.finish(piece, this.#scanner.mark) ? span.bytes.subarray(span.start, span.end) : undefined;
    if (target === 'version') {
      this.#section!.setVersion(json);
      return;
    }
    const { text, names, take } = this.#options;
    const limits = { ...this.#limits, maxBytes: this.#limits.maxValueBytes };
    const parsed: JsonParsed = json === undefined ? { ok: false, code: 'ERR_JSON_SIZE' } : parseBounded(json, { text, names, limits });
    if (parsed.ok && this.#section === this.#desired && take?.(target.property, parsed.value) === true) return;
    const keptBytes = this.#keptBytes + (json?.length ?? 0);
    if (keptBytes > limits.maxTotalBytes) return this.#section!.setValue(target.property, { ok: false, code: 'ERR_JSON_SIZE' });
    this.#keptBytes = keptBytes;
    this.#section!.setValue(target.property, parsed);
  }

  #refuse(refusal: JsonRefusal): false {
    this.#refusal = refusal;
    this.#desired = this.#reported = this.#section = this.#target = undefined;
    return false;
  }
}

function bytesOf(ascii: string): Uint8Array {
  return Uint8Array.from(ascii, (character) => character.charCodeAt(0));
}
