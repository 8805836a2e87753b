import tweetnaclUtil from 'tweetnacl-util';
import { LatchkeyError } from '../agent/errors.ts';

/** Characters that are encoded at once: it bounds what is held besides the result. */
const ENCODED_PIECE_CHARACTERS = 256;
/** Bytes that become arguments of one call: they lie on the XS stack, which has 384 slots by default. */
const ARGUMENTS = 32;
/** Bytes that tweetnacl-util decodes at once; it makes a string of each. */
const DECODED_PIECE_BYTES = 64;

/** 0, 1, 2, …: `map` calls a built-in for each, at half the compute units of a loop. */
const INDEXES = Uint8Array.from({ length: ENCODED_PIECE_CHARACTERS }, (_, index) => index);
const charCodeAt = String.prototype.charCodeAt;

/**
 * UTF-8 in a new array of exactly its size. ASCII, which topics and most JSON are, takes a short cut past tweetnacl-util.
 * @throws RangeError for text with half of a surrogate pair.
 */
export function encodeUtf8(text: string): Uint8Array {
  if (text.length <= ENCODED_PIECE_CHARACTERS) return encodePiece(text);
  const pieces: Uint8Array[] = [];
  let byteCount = 0;
  for (let start = 0; start < text.length; ) {
    let end = Math.min(start + ENCODED_PIECE_CHARACTERS, text.length);
    if (end < text.length && isHighSurrogate(text.charCodeAt(end - 1))) end--;
    const piece = encodePiece(text.slice(start, end));
    pieces.push(piece);
    byteCount += piece.length;
    start = end;
  }
  const out = new Uint8Array(byteCount);
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

/**
 * The text of UTF-8 bytes.
 * @throws ERR_PROTOCOL unless they are well-formed: no overlong form, no surrogate, nothing above U+10FFFF (RFC 3629, section 3).
 */
export function decodeUtf8(bytes: Uint8Array, start = 0, end = bytes.length): string {
  if (end - start <= DECODED_PIECE_BYTES) return decodePiece(bytes, start, end);
  const pieces: string[] = [];
  for (let at = start; at < end; ) {
    const next = boundaryBefore(bytes, at, Math.min(at + DECODED_PIECE_BYTES, end), end);
    pieces.push(decodePiece(bytes, at, next));
    at = next;
  }
  return pieces.join('');
}

function encodePiece(text: string): Uint8Array {
  if (isAscii(text)) return INDEXES.subarray(0, text.length).map(charCodeAt as unknown as (index: number) => number, text);
  return tweetnaclUtil.decodeUTF8(text);
}

/** @throws RangeError for half of a surrogate pair. */
function isAscii(text: string): boolean {
  try {
    return unescape(encodeURIComponent(text)) === text;
  } catch (cause) {
    throw new RangeError('text: half of a surrogate pair has no UTF-8', { cause });
  }
}

function decodePiece(bytes: Uint8Array, start: number, end: number): string {
  const middle = Math.min(start + ARGUMENTS, end);
  let latin1 = String.fromCharCode.apply(null, bytes.subarray(start, middle) as unknown as number[]);
  if (middle < end) latin1 += String.fromCharCode.apply(null, bytes.subarray(middle, end) as unknown as number[]);
  if (unescape(encodeURIComponent(latin1)) === latin1) return latin1;
  try {
    const text = tweetnaclUtil.encodeUTF8(bytes.subarray(start, end));
    // The engine's decodeURIComponent takes forms that RFC 3629 forbids; none of them comes back the same.
    if (unescape(encodeURIComponent(text)) === latin1) return text;
  } catch (cause) {
    throw new LatchkeyError('ERR_PROTOCOL', 'text is not well-formed UTF-8', { cause });
  }
  throw new LatchkeyError('ERR_PROTOCOL', 'text is not well-formed UTF-8');
}

/** Where the last character before `to` begins, or `to` where none does. */
function boundaryBefore(bytes: Uint8Array, from: number, to: number, end: number): number {
  if (to === end) return end;
  let at = to;
  while (at > from && (bytes[at]! & 0xc0) === 0x80) at--;
  return at > from ? at : to;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}
