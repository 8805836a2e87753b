import { compressSha256 } from './sha256-state.ts';

/** How a key was found. A part of 16 bytes is enough: what was freed is often half overwritten. */
export type KeyForm =
  | 'raw'
  | 'raw, words swapped'
  | 'hex, lower case'
  | 'hex, upper case'
  | 'base64'
  | 'xor 0x36'
  | 'xor 0x36, words swapped'
  | 'xor 0x5c'
  | 'xor 0x5c, words swapped'
  /** The state of SHA-256 after the padded key signs as well as the key. */
  | 'inner HMAC state'
  | 'outer HMAC state';

export interface KeyHit {
  readonly form: KeyForm;
  /** In the bytes that were searched. */
  readonly offset: number;
}

interface Pattern {
  readonly form: KeyForm;
  readonly bytes: Buffer;
}

const PART_BYTES = 16;
const PART_STEP_BYTES = 8;
/** @see RFC 2104 */
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;
const BLOCK_BYTES = 64;
const WORD_BYTES = 4;

/** Finds `key`, or 16 of its bytes, in memory or text in every form that it is likely to have been left in. The first hit of each pattern. */
export function scanForKey(bytes: Uint8Array, key: Uint8Array): KeyHit[] {
  const haystack = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return patternsOf(key).flatMap(({ form, bytes: needle }) => {
    const offset = haystack.indexOf(needle);
    return offset < 0 ? [] : [{ form, offset }];
  });
}

/** The forms of the hits, each once. */
export function formsOf(hits: readonly KeyHit[]): KeyForm[] {
  return [...new Set(hits.map(({ form }) => form))];
}

function patternsOf(key: Uint8Array): Pattern[] {
  if (key.length < PART_BYTES) throw new RangeError(`key: expected at least ${PART_BYTES} bytes, got ${key.length}`);
  const parts: Pattern[] = [];
  for (let at = 0; at + PART_BYTES <= key.length; at += PART_STEP_BYTES) parts.push(...formsOfPart(Buffer.from(key.subarray(at, at + PART_BYTES))));
  return [...parts, ...statesOf(key)];
}

function formsOfPart(part: Buffer): Pattern[] {
  const [inner, outer] = [xor(part, INNER_PAD), xor(part, OUTER_PAD)];
  return [
    { form: 'raw', bytes: part },
    { form: 'raw, words swapped', bytes: swapWords(part) },
    { form: 'hex, lower case', bytes: Buffer.from(part.toString('hex')) },
    { form: 'hex, upper case', bytes: Buffer.from(part.toString('hex').toUpperCase()) },
    ...base64Forms(part).map((text): Pattern => ({ form: 'base64', bytes: Buffer.from(text) })),
    { form: 'xor 0x36', bytes: inner },
    { form: 'xor 0x36, words swapped', bytes: swapWords(inner) },
    { form: 'xor 0x5c', bytes: outer },
    { form: 'xor 0x5c, words swapped', bytes: swapWords(outer) },
  ];
}

/** The characters that these bytes alone decide, for each place that they may have in a group of three; both alphabets. */
function base64Forms(part: Buffer): string[] {
  const texts = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), part]).toString('base64').replace(/=+$/, '');
    const isCut = (before + part.length) % 3 !== 0;
    return text.slice(before === 0 ? 0 : before + 1, isCut ? -1 : undefined);
  });
  const urlTexts = texts.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'));
  const percentTexts = texts.map((text) => text.replaceAll('+', '%2B').replaceAll('/', '%2F'));
  return [...new Set([...texts, ...urlTexts, ...percentTexts])];
}

/** Both states, as numbers of this machine (little-endian) and as the bytes of a digest. */
function statesOf(key: Uint8Array): Pattern[] {
  if (key.length > BLOCK_BYTES) return [];
  const block = Buffer.alloc(BLOCK_BYTES);
  block.set(key);
  const states = [
    { form: 'inner HMAC state' as const, state: compressSha256(xor(block, INNER_PAD)) },
    { form: 'outer HMAC state' as const, state: compressSha256(xor(block, OUTER_PAD)) },
  ];
  return states.flatMap(({ form, state }) => [{ form, bytes: state }, { form, bytes: swapWords(state) }].map(({ bytes, ...rest }) => ({ ...rest, bytes: bytes.subarray(0, PART_BYTES) })));
}

const xor = (bytes: Buffer, pad: number): Buffer => Buffer.from(bytes.map((byte) => byte ^ pad));

function swapWords(bytes: Buffer): Buffer {
  return Buffer.from(bytes.subarray(0, bytes.length - (bytes.length % WORD_BYTES))).swap32();
}
