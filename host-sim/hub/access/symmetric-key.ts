import { randomBytes } from 'node:crypto';
import { HubError } from '../hub-error.ts';

/** The two keys of a device, module or policy: either opens it, so that one can be replaced while the other is in use. */
export interface KeyPair {
  readonly primary: Uint8Array;
  readonly secondary: Uint8Array;
}

/** IoT Hub takes keys of 16 to 64 bytes and generates 64 (32 before 2023). */
const MIN_KEY_BYTES = 16;
const MAX_KEY_BYTES = 64;
const GENERATED_KEY_BYTES = 32;

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Decodes a key.
 * @param owner whose key, for the message
 * @throws ERR_KEY; the message does not hold the text
 */
export function decodeKey(base64: string, owner: string): Uint8Array {
  const remedy = `copy the whole key, base64 with its "=" at the end; make one with: openssl rand -base64 ${GENERATED_KEY_BYTES}`;
  if (!BASE64.test(base64)) throw new HubError('ERR_KEY', `the key of ${owner} is not base64`, remedy);
  const key = Buffer.from(base64, 'base64');
  if (key.length < MIN_KEY_BYTES || key.length > MAX_KEY_BYTES) {
    throw new HubError('ERR_KEY', `the key of ${owner} must have ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES} bytes, got ${key.length}`, remedy);
  }
  return key;
}

export function encodeKey(key: Uint8Array): string {
  return Buffer.from(key).toString('base64');
}

export function generateKeyPair(): KeyPair {
  return { primary: randomBytes(GENERATED_KEY_BYTES), secondary: randomBytes(GENERATED_KEY_BYTES) };
}
