const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
/** After a backslash: the byte that stands for another one. The rest stand for themselves. */
const SHORT_ESCAPES: readonly (readonly [number, number])[] = [
  [0x62, 0x08], // b
  [0x66, 0x0c], // f
  [0x6e, 0x0a], // n
  [0x72, 0x0d], // r
  [0x74, 0x09], // t
];

/** The UTF-8 that the inside of a JSON string means, which the scanner has checked; in a new array. */
export function unescapeJson(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const out = new Uint8Array(end - start);
  let length = 0;
  for (let at = start; at < end; ) {
    const byte = bytes[at++]!;
    if (byte !== BACKSLASH) {
      out[length++] = byte;
      continue;
    }
    const escape = bytes[at++]!;
    if (escape !== LETTER_U) {
      out[length++] = shortEscape(escape);
      continue;
    }
    let code = hexOf(bytes, at);
    at += 4;
    if (code >= 0xd800 && code <= 0xdbff) {
      code = 0x10000 + ((code & 0x3ff) << 10) + (hexOf(bytes, at + 2) & 0x3ff);
      at += 6;
    }
    length = putCharacter(out, length, code);
  }
  return out.subarray(0, length);
}

function shortEscape(escape: number): number {
  for (const [letter, meaning] of SHORT_ESCAPES) if (letter === escape) return meaning;
  return escape;
}

function hexOf(bytes: Uint8Array, at: number): number {
  let code = 0;
  for (let i = 0; i < 4; i++) {
    const byte = bytes[at + i]!;
    code = (code << 4) | (byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57);
  }
  return code;
}

/** RFC 3629, section 3; never longer than the escape was. */
function putCharacter(out: Uint8Array, at: number, code: number): number {
  if (code < 0x80) {
    out[at++] = code;
    return at;
  }
  if (code < 0x800) {
    out[at++] = 0xc0 | (code >> 6);
  } else {
    if (code < 0x10000) {
      out[at++] = 0xe0 | (code >> 12);
    } else {
      out[at++] = 0xf0 | (code >> 18);
      out[at++] = 0x80 | ((code >> 12) & 0x3f);
    }
    out[at++] = 0x80 | ((code >> 6) & 0x3f);
  }
  out[at++] = 0x80 | (code & 0x3f);
  return at;
}
