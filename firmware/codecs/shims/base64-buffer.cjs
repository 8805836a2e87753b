'use strict';
/** The global `Buffer` that tweetnacl-util looks for: base64 of small arrays (RFC 4648, section 4). */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const PADDING = 0x3d;

const CODES = Uint8Array.from(ALPHABET, (character) => character.charCodeAt(0));
const VALUES = new Uint8Array(128);
for (let value = 0; value < CODES.length; value++) VALUES[CODES[value]] = value;

function encode(bytes) {
  const codes = new Uint8Array(Math.ceil(bytes.length / 3) * 4).fill(PADDING);
  let at = 0;
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const group = (bytes[i] << 16) | ((left > 1 ? bytes[i + 1] : 0) << 8) | (left > 2 ? bytes[i + 2] : 0);
    codes[at] = CODES[group >> 18];
    codes[at + 1] = CODES[(group >> 12) & 63];
    if (left > 1) codes[at + 2] = CODES[(group >> 6) & 63];
    if (left > 2) codes[at + 3] = CODES[group & 63];
    at += 4;
  }
  return String.fromCharCode.apply(null, codes);
}

/** `text` is well-formed: tweetnacl-util looked. */
function decode(text) {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let at = 0;
  for (let i = 0; i < text.length; i += 4) {
    const group =
      (VALUES[text.charCodeAt(i)] << 18) |
      (VALUES[text.charCodeAt(i + 1)] << 12) |
      (VALUES[text.charCodeAt(i + 2)] << 6) |
      VALUES[text.charCodeAt(i + 3)];
    bytes[at++] = group >> 16;
    if (at < bytes.length) bytes[at++] = group >> 8;
    if (at < bytes.length) bytes[at++] = group;
  }
  return bytes;
}

exports.Buffer = {
  from: (value, encoding) => (encoding === 'base64' ? decode(value) : { toString: () => encode(value) }),
};
