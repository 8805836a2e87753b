/** One element of DER (X.690): its tag, its contents, and all of its bytes. */
export interface DerElement {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly bytes: Uint8Array;
}

const CONSTRUCTED = 0x20;
const HIGH_TAG = 0x1f;
const LONG_LENGTH = 0x80;
/** A certificate's own elements are 8 deep; the same in firmware/native/verify-certificate.c. */
const MAX_DEPTH = 16;

/** The elements of `bytes`, one behind another. `undefined` where a length is not the shortest one, is open or leads outside. */
export function readDer(bytes: Uint8Array): readonly DerElement[] | undefined {
  const elements: DerElement[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at] ?? 0;
    let length = bytes[at + 1] ?? Infinity;
    let header = 2;
    if (length >= LONG_LENGTH) {
      header += length - LONG_LENGTH;
      length = 0;
      for (const byte of bytes.subarray(at + 2, at + header)) length = length * 256 + byte;
      const isShortest = header > 2 && header <= 5 && length >= LONG_LENGTH && length >= 256 ** (header - 3);
      if (!isShortest) return undefined;
    }
    const end = at + header + length;
    if ((tag & HIGH_TAG) === HIGH_TAG || end > bytes.length) return undefined;
    elements.push({ tag, content: bytes.subarray(at + header, end), bytes: bytes.subarray(at, end) });
    at = end;
  }
  return elements;
}

/** Whether every element, however deep, is one of DER. */
export function isStrictDer(bytes: Uint8Array, depth = 0): boolean {
  const elements = depth < MAX_DEPTH ? readDer(bytes) : undefined;
  return elements !== undefined && elements.every(({ tag, content }) => (tag & CONSTRUCTED) === 0 || isStrictDer(content, depth + 1));
}
