import {
  ACTIONS,
  AFTER_ELEMENT,
  AFTER_MEMBER,
  BEGIN_ESCAPE,
  BEGIN_NAME,
  BEGIN_SCALAR,
  BEGIN_STRING,
  CLOSE,
  COLON,
  DONE,
  END_LITERAL,
  END_NUMBER,
  END_STRING,
  ESCAPE,
  FIRST_ELEMENT,
  FIRST_NAME,
  isInsideCharacter,
  isInsidePair,
  isWholeNumberState,
  OPEN_ARRAY,
  OPEN_OBJECT,
  REFUSE,
  SCALAR,
  STRING,
  STRING_TRANSITIONS,
  TRANSITIONS,
  VALUE,
} from './json-grammar.ts';
import type { JsonRefusal } from './json-refusal.ts';

/** The kinds of the levels are the bits of one integer. */
export const MAX_SCANNED_DEPTH = 32;

/** What `next` found; `mark` and `depth` belong to it. Numbers, as this is a parser of bytes. */
export const MORE = 0;
/** `mark` is the index of the name's first byte, escapes as they came. */
export const NAME_BEGAN = 1;
/** `mark` is the index of the quotation mark behind it. */
export const NAME_ENDED = 2;
/** `mark` is the index of the value's first byte, which is `first`. */
export const VALUE_BEGAN = 3;
/** `mark` is the index behind its last byte. */
export const VALUE_ENDED = 4;
/** `refusal` says why, now and for ever. */
export const REFUSED = 5;

export type ScanEvent = typeof MORE | typeof NAME_BEGAN | typeof NAME_ENDED | typeof VALUE_BEGAN | typeof VALUE_ENDED | typeof REFUSED;

export interface ScannerOptions {
  /** At most `MAX_SCANNED_DEPTH`. */
  readonly maxDepth: number;
  /** Members and elements of all levels, and the root; default no limit. */
  readonly maxMembers?: number | undefined;
  /** Characters of a number; default no limit. */
  readonly maxNumberBytes?: number | undefined;
  /** Names up to this depth are told: those of the root object are at depth 1. Default 0, none. */
  readonly namesTo?: number | undefined;
  /** Values up to this depth are told: the root is at depth 0. Default -1, none. */
  readonly valuesTo?: number | undefined;
}

/**
 * Checks one JSON value that comes in pieces of any size, and tells where names and values begin and end. It holds nothing of
 * what passes and makes no object for it: `feed` a piece, then call `next` until it says `MORE`; after the last piece `end`.
 */
export class JsonScanner {
  /** Of the event, in the piece that was fed. */
  mark = 0;
  /** Open objects and arrays around the name or value of the event. */
  depth = 0;
  /** First byte of the value that began. */
  first = 0;
  /** Whether the name that ended holds an escape. */
  escaped = false;
  refusal: JsonRefusal | undefined;

  readonly #maxDepth: number;
  readonly #maxMembers: number;
  readonly #maxNumberBytes: number;
  readonly #namesTo: number;
  readonly #valuesTo: number;
  #bytes: Uint8Array | undefined;
  #at = 0;
  #state = VALUE;
  #inName = false;
  /** One bit for each open level, the innermost last: 1 is an object. */
  #levels = 0;
  #members = 0;
  /** Bytes before the piece, and where the number began. */
  #before = 0;
  #numberBegan = 0;
  #depth = 0;

  /** @throws RangeError */
  constructor(options: ScannerOptions) {
    const { maxDepth, maxMembers = Infinity, maxNumberBytes = Infinity, namesTo = 0, valuesTo = -1 } = options;
    if (!Number.isInteger(maxDepth) || maxDepth < 0 || maxDepth > MAX_SCANNED_DEPTH) {
      throw new RangeError(`maxDepth: expected 0 to ${MAX_SCANNED_DEPTH}, got ${maxDepth}`);
    }
    this.#maxDepth = maxDepth;
    this.#maxMembers = maxMembers;
    this.#maxNumberBytes = maxNumberBytes;
    this.#namesTo = namesTo;
    this.#valuesTo = valuesTo;
  }

  /** @throws TypeError while the piece before is not used up. */
  feed(bytes: Uint8Array): void {
    if (this.#bytes !== undefined) throw new TypeError('feed: call next() until it says MORE first');
    this.#bytes = bytes;
    this.#at = 0;
  }

  next(): ScanEvent {
    if (this.refusal !== undefined) return REFUSED;
    const bytes = this.#bytes;
    if (bytes === undefined) return MORE;
    const table = TRANSITIONS;
    for (;;) {
      let at = this.#at;
      let entry = this.#state;
      // Behind the end there is no byte, which counts as zero; no state takes one.
      if (entry === STRING) while (STRING_TRANSITIONS[bytes[at]!] === STRING) at++;
      do entry = table[(entry << 8) | bytes[at++]!]!;
      while (entry < ACTIONS);
      if (at > bytes.length) return this.#usedUp(entry & ~REFUSE, bytes.length);
      this.#at = at - 1;
      const event = this.#act(entry, bytes[at - 1]!);
      if (event !== MORE) return event;
    }
  }

  #usedUp(state: number, byteCount: number): typeof MORE {
    this.#state = state;
    this.#before += byteCount;
    this.#at = 0;
    this.#bytes = undefined;
    return MORE;
  }

  /** Says that no byte follows; returns why that is no JSON value, or nothing. */
  end(): JsonRefusal | undefined {
    if (this.refusal !== undefined) return this.refusal;
    if (this.#depth === 0 && isWholeNumberState(this.#state) && !this.#isLongNumber()) this.#state = DONE;
    if (this.#state !== DONE) this.refusal ??= 'ERR_JSON_TRUNCATED';
    return this.refusal;
  }

  /** The most frequent come first: XS compares one after the other. */
  #act(action: number, byte: number): ScanEvent {
    switch (action) {
      case END_STRING:
        if (!this.#inName) return this.#endValue(1);
        this.#inName = false;
        this.#state = COLON;
        this.mark = this.#at++;
        return this.#depth > this.#namesTo ? MORE : this.#tell(NAME_ENDED);
      case BEGIN_NAME:
        this.#inName = true;
        this.escaped = false;
        this.#state = STRING;
        this.mark = ++this.#at;
        return this.#depth > this.#namesTo ? MORE : this.#tell(NAME_BEGAN);
      case BEGIN_STRING:
        return this.#beginValue(byte, STRING);
      case BEGIN_SCALAR:
        this.#numberBegan = this.#before + this.#at;
        return this.#beginValue(byte, TRANSITIONS[(SCALAR << 8) | byte]!);
      case END_NUMBER:
        return this.#isLongNumber() ? REFUSED : this.#endValue(0);
      case CLOSE:
        this.#depth--;
        this.#levels >>>= 1;
        return this.#endValue(1);
      case OPEN_OBJECT:
        return this.#open(byte, FIRST_NAME, 1);
      case END_LITERAL:
        return this.#endValue(1);
      case OPEN_ARRAY:
        return this.#open(byte, FIRST_ELEMENT, 0);
      case BEGIN_ESCAPE:
        this.escaped = true;
        this.#state = ESCAPE;
        this.#at++;
        return MORE;
      default:
        return this.#refuse(refusalOf(action & ~REFUSE, byte));
    }
  }

  #open(byte: number, state: number, level: 0 | 1): ScanEvent {
    const event = this.#beginValue(byte, state);
    if (event === REFUSED) return event;
    if (this.#depth === this.#maxDepth) return this.#refuse('ERR_JSON_DEPTH');
    this.#levels = (this.#levels << 1) | level;
    this.#depth++;
    return event;
  }

  #beginValue(byte: number, state: number): ScanEvent {
    if (++this.#members > this.#maxMembers) return this.#refuse('ERR_JSON_MEMBERS');
    this.#state = state;
    this.mark = this.#at++;
    if (this.#depth > this.#valuesTo) return MORE;
    this.first = byte;
    return this.#tell(VALUE_BEGAN);
  }

  /** `consumed`: whether the byte belongs to the value. */
  #endValue(consumed: 0 | 1): ScanEvent {
    this.#state = this.#depth === 0 ? DONE : (this.#levels & 1) === 1 ? AFTER_MEMBER : AFTER_ELEMENT;
    this.#at += consumed;
    if (this.#depth > this.#valuesTo) return MORE;
    this.mark = this.#at;
    return this.#tell(VALUE_ENDED);
  }

  #tell(event: ScanEvent): ScanEvent {
    this.depth = this.#depth;
    return event;
  }

  #isLongNumber(): boolean {
    if (this.#before + this.#at - this.#numberBegan <= this.#maxNumberBytes) return false;
    this.#refuse('ERR_JSON_NUMBER');
    return true;
  }

  #refuse(refusal: JsonRefusal): typeof REFUSED {
    this.refusal = refusal;
    this.#bytes = undefined;
    return REFUSED;
  }
}

function refusalOf(state: number, byte: number): JsonRefusal {
  if (isInsideCharacter(state) || (state === STRING && byte >= 0x80)) return 'ERR_JSON_UTF8';
  return isInsidePair(state) ? 'ERR_JSON_SURROGATE' : 'ERR_JSON_SYNTAX';
}
