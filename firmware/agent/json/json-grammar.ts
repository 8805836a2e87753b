/**
 * The grammar of RFC 8259 with well-formed UTF-8 (RFC 3629) and paired surrogates as one table: for every state and byte the
 * next state, or an action of the scanner. It is made while the module loads, so on the chip it lies in flash.
 */

// What may come next.
export const VALUE = 1;
export const FIRST_ELEMENT = 2;
export const FIRST_NAME = 3;
export const NAME = 4;
export const COLON = 5;
export const AFTER_MEMBER = 6;
export const AFTER_ELEMENT = 7;
export const DONE = 8;
/** The first byte of a number or literal, once the scanner has told of it. */
export const SCALAR = 9;
// Numbers, by what was read last.
const MINUS = 10;
const ZERO = 11;
const INTEGER = 12;
const POINT = 13;
const FRACTION = 14;
const EXPONENT = 15;
const EXPONENT_SIGN = 16;
const POWER = 17;
/** Ten states, one for each letter but the last of `true`, `false`, `null`. */
const LITERALS = 18;
// Strings: plain text, escapes by the hexadecimal digits that are left, the other half of a pair, the rest of a character.
export const STRING = 28;
export const ESCAPE = 29;
const UNICODE = 30;
const UNICODE_D = 31;
const HEX_3 = 32;
const HEX_2 = 33;
const HEX_1 = 34;
const HIGH_2 = 35;
const HIGH_1 = 36;
const LOW_BACKSLASH = 37;
const LOW_U = 38;
const LOW_D = 39;
const LOW_SECOND = 40;
const TAIL_1 = 41;
const TAIL_2 = 42;
const TAIL_3 = 43;
const TAIL_OF_E0 = 44;
const TAIL_OF_ED = 45;
const TAIL_OF_F0 = 46;
const TAIL_OF_F4 = 47;
const STATES = 48;

/** From here on an entry is an action of the scanner. */
export const ACTIONS = 64;
export const OPEN_OBJECT = 64;
export const OPEN_ARRAY = 65;
export const CLOSE = 66;
export const BEGIN_STRING = 67;
export const BEGIN_NAME = 68;
export const BEGIN_ESCAPE = 69;
export const END_STRING = 70;
export const BEGIN_SCALAR = 71;
export const END_LITERAL = 72;
/** The byte ends a number and belongs to what follows. */
export const END_NUMBER = 73;
/**
 * The byte must not stand here; the rest of the entry is the state. A zero byte never may: what is read behind the end of a piece
 * counts as one, so that the scanner need not ask for the end at every byte.
 */
export const REFUSE = 128;

/** The entry for `byte` in `state` is at `state << 8 | byte`. */
export const TRANSITIONS: Uint8Array = makeTransitions();
/** Its part for `STRING`, where most bytes are. */
export const STRING_TRANSITIONS: Uint8Array = TRANSITIONS.subarray(STRING << 8, (STRING + 1) << 8);

/** Whether a document that ends here ends a number that stands alone. */
export function isWholeNumberState(state: number): boolean {
  return state === ZERO || state === INTEGER || state === FRACTION || state === POWER;
}

export function isInsideCharacter(state: number): boolean {
  return state >= TAIL_1;
}

/** In the escapes of a surrogate pair, where half of one may stand alone. */
export function isInsidePair(state: number): boolean {
  return state === UNICODE_D || (state >= LOW_BACKSLASH && state <= LOW_SECOND);
}

function makeTransitions(): Uint8Array {
  const table = Uint8Array.from({ length: STATES << 8 }, (_, index) => REFUSE | (index >> 8));
  const range = (state: number, from: number, to: number, next: number): void => void table.fill(next, (state << 8) | from, ((state << 8) | to) + 1);
  const on = (state: number, characters: string, next: number): void => {
    for (let i = 0; i < characters.length; i++) table[(state << 8) | characters.charCodeAt(i)] = next;
  };
  const hex = (state: number, next: number): void => on(state, '0123456789abcdefABCDEF', next);

  for (let state = VALUE; state <= DONE; state++) on(state, ' \t\n\r', state);
  for (const state of [VALUE, FIRST_ELEMENT]) {
    on(state, '{', OPEN_OBJECT);
    on(state, '[', OPEN_ARRAY);
    on(state, '"', BEGIN_STRING);
    on(state, '-0123456789tfn', BEGIN_SCALAR);
  }
  on(FIRST_ELEMENT, ']', CLOSE);
  on(FIRST_NAME, '}', CLOSE);
  on(FIRST_NAME, '"', BEGIN_NAME);
  on(NAME, '"', BEGIN_NAME);
  on(COLON, ':', VALUE);
  on(AFTER_MEMBER, ',', NAME);
  on(AFTER_MEMBER, '}', CLOSE);
  on(AFTER_ELEMENT, ',', VALUE);
  on(AFTER_ELEMENT, ']', CLOSE);

  // RFC 8259, section 6.
  for (const state of [SCALAR, MINUS]) {
    on(state, '0', ZERO);
    on(state, '123456789', INTEGER);
  }
  on(SCALAR, '-', MINUS);
  for (const state of [INTEGER, FRACTION, POWER]) on(state, '0123456789', state);
  for (const state of [ZERO, INTEGER, FRACTION, POWER]) on(state, ' \t\n\r,]}', END_NUMBER);
  for (const state of [ZERO, INTEGER]) on(state, '.', POINT);
  for (const state of [ZERO, INTEGER, FRACTION]) on(state, 'eE', EXPONENT);
  on(POINT, '0123456789', FRACTION);
  on(EXPONENT, '+-', EXPONENT_SIGN);
  on(EXPONENT, '0123456789', POWER);
  on(EXPONENT_SIGN, '0123456789', POWER);

  // Section 3.
  let state = LITERALS;
  for (const literal of ['true', 'false', 'null']) {
    on(SCALAR, literal[0]!, state);
    for (let i = 1; i < literal.length; i++, state++) on(state, literal[i]!, i + 1 < literal.length ? state + 1 : END_LITERAL);
  }

  // Section 7; half of a surrogate pair is refused (section 8.2 leaves it open).
  range(STRING, 0x20, 0x7f, STRING);
  on(STRING, '"', END_STRING);
  on(STRING, '\\', BEGIN_ESCAPE);
  on(ESCAPE, '"\\/bfnrt', STRING);
  on(ESCAPE, 'u', UNICODE);
  hex(UNICODE, HEX_3);
  on(UNICODE, 'dD', UNICODE_D);
  on(UNICODE_D, '01234567', HEX_2);
  on(UNICODE_D, '89abAB', HIGH_2);
  hex(HEX_3, HEX_2);
  hex(HEX_2, HEX_1);
  hex(HEX_1, STRING);
  hex(HIGH_2, HIGH_1);
  hex(HIGH_1, LOW_BACKSLASH);
  on(LOW_BACKSLASH, '\\', LOW_U);
  on(LOW_U, 'u', LOW_D);
  on(LOW_D, 'dD', LOW_SECOND);
  on(LOW_SECOND, 'cdefCDEF', HEX_2);

  // RFC 3629, section 4.
  range(STRING, 0xc2, 0xdf, TAIL_1);
  range(STRING, 0xe0, 0xef, TAIL_2);
  range(STRING, 0xf0, 0xf4, TAIL_3);
  range(STRING, 0xe0, 0xe0, TAIL_OF_E0);
  range(STRING, 0xed, 0xed, TAIL_OF_ED);
  range(STRING, 0xf0, 0xf0, TAIL_OF_F0);
  range(STRING, 0xf4, 0xf4, TAIL_OF_F4);
  range(TAIL_1, 0x80, 0xbf, STRING);
  range(TAIL_2, 0x80, 0xbf, TAIL_1);
  range(TAIL_3, 0x80, 0xbf, TAIL_2);
  range(TAIL_OF_E0, 0xa0, 0xbf, TAIL_1);
  range(TAIL_OF_ED, 0x80, 0x9f, TAIL_1);
  range(TAIL_OF_F0, 0x90, 0xbf, TAIL_2);
  range(TAIL_OF_F4, 0x80, 0x8f, TAIL_2);
  return table;
}
