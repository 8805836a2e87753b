import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { ENTRY_BYTES, PAGE_BYTES, nvsCrc32 } from './format.ts';
import { NvsError } from './nvs-error.ts';

export const HMAC_KEY_BYTES = 32;
const XTS_KEY_BYTES = 64;
const TWEAK_BYTES = 16;
const CRC_BYTES = 4;

/**
 * The messages whose HMACs are the two halves of the XTS key: eight 32-bit words each, little-endian.
 * @see ESP-IDF components/nvs_sec_provider/include/private/nvs_sec_provider_private.h
 */
const EKEY_SEED = 0xaebe5a5a;
const TKEY_SEED = 0xcedea5a5;
const SEED_WORDS = 8;

/** The 64 bytes of AES-256-XTS: encryption key, then tweak key. The owner wipes them: `fill(0)`. */
export type NvsKeys = Uint8Array;

/** New keys for a partition of keys (classic ESP32). */
export function generateNvsKeys(): NvsKeys {
  return randomBytes(XTS_KEY_BYTES);
}

/**
 * What ESP-IDF's HMAC scheme computes on the chip from the key in an eFuse block.
 * @throws ERR_NVS_KEYS when `hmacKey` has not 32 bytes
 */
export function deriveNvsKeys(hmacKey: Uint8Array): NvsKeys {
  if (hmacKey.length !== HMAC_KEY_BYTES) {
    throw new NvsError('ERR_NVS_KEYS', `the HMAC key of NVS has ${HMAC_KEY_BYTES} bytes, not ${hmacKey.length}`, 'let provision make it');
  }
  const halves = [EKEY_SEED, TKEY_SEED].map((seed) => {
    const message = Buffer.alloc(SEED_WORDS * 4);
    for (let word = 0; word < SEED_WORDS; word++) message.writeUInt32LE(seed, word * 4);
    return createHmac('sha256', hmacKey).update(message).digest();
  });
  const keys = Uint8Array.from(Buffer.concat(halves));
  for (const half of halves) half.fill(0);
  return keys;
}

/** A partition of subtype `nvs_keys`: the keys, their CRC, and the rest as erased. */
export function encodeNvsKeys(keys: NvsKeys, sizeBytes = PAGE_BYTES): Uint8Array {
  checkKeys(keys);
  const partition = Buffer.alloc(sizeBytes, 0xff);
  partition.set(keys);
  partition.writeUInt32LE(nvsCrc32(keys), XTS_KEY_BYTES);
  return partition;
}

/** @throws ERR_NVS_KEYS */
export function decodeNvsKeys(partition: Uint8Array): NvsKeys {
  const view = Buffer.from(partition.buffer, partition.byteOffset, partition.length);
  if (view.length < XTS_KEY_BYTES + CRC_BYTES) throw damaged(`has ${view.length} bytes`);
  const keys = Uint8Array.from(view.subarray(0, XTS_KEY_BYTES));
  if (view.readUInt32LE(XTS_KEY_BYTES) !== nvsCrc32(keys)) throw damaged('has a wrong CRC');
  return keys;
}

/** One entry, in place. @param address of the entry, from the start of the partition */
export function encryptEntry(keys: NvsKeys, entry: Uint8Array, address: number): void {
  entry.set(createCipheriv('aes-256-xts', keys, tweakOf(address)).update(entry.subarray(0, ENTRY_BYTES)));
}

/** The same back, into new bytes. */
export function decryptEntry(keys: NvsKeys, entry: Uint8Array, address: number): Uint8Array {
  return createDecipheriv('aes-256-xts', keys, tweakOf(address)).update(entry.subarray(0, ENTRY_BYTES));
}

/** @throws ERR_NVS_KEYS: wrong length, or two equal halves, which XTS forbids (NIST SP 800-38E) */
export function checkKeys(keys: NvsKeys): void {
  if (keys.length !== XTS_KEY_BYTES) throw new NvsError('ERR_NVS_KEYS', `the keys of NVS have ${XTS_KEY_BYTES} bytes, not ${keys.length}`, 'let provision make them');
  if (Buffer.compare(keys.subarray(0, XTS_KEY_BYTES / 2), keys.subarray(XTS_KEY_BYTES / 2)) === 0) {
    throw new NvsError('ERR_NVS_KEYS', 'encryption key and tweak key of NVS are equal', 'let provision make them');
  }
}

function tweakOf(address: number): Uint8Array {
  const tweak = Buffer.alloc(TWEAK_BYTES);
  tweak.writeUInt32LE(address);
  return tweak;
}

function damaged(fault: string): NvsError {
  return new NvsError('ERR_NVS_KEYS', `the partition of NVS keys ${fault}`, 'provision the device again');
}
