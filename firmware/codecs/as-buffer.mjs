import { Buffer } from 'buffer';

/** `bytes` as what mqtt-packet takes for binary data; a view. On XS, where the shim's Buffer is any Uint8Array, the same. */
export function asBuffer(bytes) {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
