import tweetnaclUtil from 'tweetnacl-util';
import { LatchkeyError } from '../agent/errors.ts';
import type { TextCodec } from '../agent/text-codec.ts';
import { decodeUtf8, encodeUtf8 } from './utf8.ts';

/** Bytes that are encoded at once, and their characters: it bounds what is held besides the result. */
const PIECE_BYTES = 24;
const PIECE_CHARACTERS = 32;

/** base64 with padding (RFC 4648, section 4). */
export function encodeBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    text += tweetnaclUtil.encodeBase64(bytes.subarray(at, at + PIECE_BYTES));
  }
  return text;
}

/** @throws ERR_PROTOCOL for text that is not base64 with padding. The text is not repeated: it may be a secret. */
export function decodeBase64(text: string): Uint8Array {
  if (text.length % 4 !== 0) throw notBase64();
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let at = 0;
  for (let start = 0; start < text.length; start += PIECE_CHARACTERS) {
    const piece = decodePiece(text.slice(start, start + PIECE_CHARACTERS));
    const isLast = start + PIECE_CHARACTERS >= text.length;
    if (!isLast && piece.length < PIECE_BYTES) throw notBase64();
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

function decodePiece(text: string): Uint8Array {
  try {
    return tweetnaclUtil.decodeBase64(text);
  } catch {
    throw notBase64();
  }
}

function notBase64(): LatchkeyError {
  return new LatchkeyError('ERR_PROTOCOL', 'text is not base64 with padding');
}

export const textCodec: TextCodec = { encodeUtf8, decodeUtf8: (bytes) => decodeUtf8(bytes), encodeBase64, decodeBase64 };
