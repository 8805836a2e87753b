import { replaceFile } from './replace-file.ts';

/** Limits of `firmware/native/key-store.h`. */
export const KEY_STORE_SLOTS = 8;
export const KEY_MIN_BYTES = 16;
export const KEY_MAX_BYTES = 64;
const PREFIXES_MAX_BYTES = 1024;
const PRIVATE_KEY_MAX_BYTES = 2400;

const MAGIC = 'LKKEYS1\n';
const RECORD_HEADER_BYTES = 6;
const KIND_HMAC = 1;
const KIND_PRIVATE = 2;

/** A symmetric key, and what it may sign for. */
export interface HmacKeyEntry {
  readonly slot: number;
  readonly keyBase64: string;
  /** Decoded resources (`hub.azure-devices.net/devices/dev1`); each covers what lies below it. At least one. */
  readonly prefixes: readonly string[];
}

/** The private key of a client certificate: PKCS #8, PKCS #1 or SEC 1, DER in base64. */
export interface PrivateKeyEntry {
  readonly slot: number;
  readonly privateKeyBase64: string;
}

export type KeyEntry = HmacKeyEntry | PrivateKeyEntry;

/** An entry that the board would refuse; the text names the slot, never the key. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError';
  readonly code = 'ERR_KEY_FILE';
}

function decodeBase64(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw new KeyFileError(`${what} is not base64`);
  return bytes;
}

function keyOf(entry: KeyEntry): { kind: number; key: Buffer } {
  if ('privateKeyBase64' in entry) {
    const key = decodeBase64(entry.privateKeyBase64, `slot ${entry.slot}: the private key`);
    if (key.length === 0 || key.length > PRIVATE_KEY_MAX_BYTES) {
      throw new KeyFileError(`slot ${entry.slot}: a private key has 1 to ${PRIVATE_KEY_MAX_BYTES} bytes`);
    }
    return { kind: KIND_PRIVATE, key };
  }
  const key = decodeBase64(entry.keyBase64, `slot ${entry.slot}: the key`);
  if (key.length < KEY_MIN_BYTES || key.length > KEY_MAX_BYTES) {
    throw new KeyFileError(`slot ${entry.slot}: a key has ${KEY_MIN_BYTES} to ${KEY_MAX_BYTES} bytes, not ${key.length}`);
  }
  return { kind: KIND_HMAC, key };
}

function prefixesOf(entry: KeyEntry): Buffer {
  if ('privateKeyBase64' in entry) return Buffer.alloc(0);
  if (entry.prefixes.length === 0) throw new KeyFileError(`slot ${entry.slot}: at least one resource prefix`);
  for (const prefix of entry.prefixes) {
    const segments = prefix.split('/');
    if (!/^[!-~]+$/.test(prefix) || segments.includes('')) {
      throw new KeyFileError(`slot ${entry.slot}: "${prefix}" is no resource (printable ASCII, no empty segment)`);
    }
  }
  const bytes = Buffer.from(entry.prefixes.map((prefix) => `${prefix}\0`).join(''), 'ascii');
  if (bytes.length > PREFIXES_MAX_BYTES) {
    throw new KeyFileError(`slot ${entry.slot}: the prefixes take ${PREFIXES_MAX_BYTES} bytes at most`);
  }
  return bytes;
}

/**
 * The bytes of `keys.bin` (format: key-file.h). They hold the keys in clear: `fill(0)` them after use.
 *
 * @throws KeyFileError
 */
export function formatKeyFile(entries: readonly KeyEntry[]): Buffer {
  const slots = new Set<number>();
  const parts: Buffer[] = [Buffer.from(MAGIC, 'ascii'), Buffer.from([entries.length])];
  for (const entry of entries) {
    if (!Number.isInteger(entry.slot) || entry.slot < 0 || entry.slot >= KEY_STORE_SLOTS) {
      throw new KeyFileError(`slot ${entry.slot}: slots are 0 to ${KEY_STORE_SLOTS - 1}`);
    }
    if (slots.has(entry.slot)) throw new KeyFileError(`slot ${entry.slot} is given twice`);
    slots.add(entry.slot);
    const { kind, key } = keyOf(entry);
    const prefixes = prefixesOf(entry);
    const header = Buffer.alloc(RECORD_HEADER_BYTES);
    header.writeUInt8(entry.slot, 0);
    header.writeUInt8(kind, 1);
    header.writeUInt16LE(key.length, 2);
    header.writeUInt16LE(prefixes.length, 4);
    parts.push(header, key, prefixes);
  }
  const file = Buffer.concat(parts);
  for (const part of parts) part.fill(0);
  return file;
}

/**
 * Replaces the file at `path` in one step, mode 0600 from its first byte on.
 *
 * @throws KeyFileError, and what the file system says; the file is then as it was.
 */
export function writeKeyFile(path: string, entries: readonly KeyEntry[]): void {
  const bytes = formatKeyFile(entries);
  try {
    replaceFile(path, bytes);
  } finally {
    bytes.fill(0);
  }
}
