import { createHash } from 'node:crypto';
import { BundleError } from '../../firmware/agent/roots/bundle-error.ts';
import { MAX_UPDATE_KEYS } from '../../firmware/agent/roots/root-limits.ts';
import type { RootVerifier } from '../../firmware/agent/roots/root-verifier.ts';
import { readAnchor } from './anchor.ts';
import { decode, kidOf, parseEnvelope, signingInput, type Envelope } from './envelope.ts';
import { isSignedBy, keyOfPoint, splitPoints, type UpdateKey } from './update-key.ts';

/** What `firmware/native/verify.c` does on a device, by OpenSSL on the laptop: the owner sees what every device will say. */
export const nodeRootVerifier: RootVerifier = {
  openBundle(bundle, keys, threshold) {
    const envelope = parseEnvelope(new Uint8Array(bundle));
    if (countSigners(envelope, keysOf(keys)) < threshold) throw new BundleError('ERR_BUNDLE_SIGNATURES', 'too few distinct keys of the set before have signed');
    return toBuffer(decode(envelope.payload));
  },
  readBundle(bundle) {
    return toBuffer(decode(parseEnvelope(new Uint8Array(bundle)).payload));
  },
  confirmBundle(bundle, newKeys, threshold, oldKeys) {
    const envelope = parseEnvelope(new Uint8Array(bundle));
    const own = keysOf(newKeys);
    if (countSigners(envelope, own) < threshold) throw new BundleError('ERR_BUNDLE_NEW_KEYS', 'too few distinct keys of the new set have signed');
    const known = new Set([...own, ...keysOf(oldKeys)].map(({ kid }) => kid));
    if (!envelope.signatures.every(({ protected: header }) => known.has(kidOf(header)))) throw new BundleError('ERR_BUNDLE_KID', 'somebody has signed who belongs to neither set');
  },
  sha256(bytes) {
    return toBuffer(createHash('sha256').update(new Uint8Array(bytes)).digest());
  },
  decodeInPlace(bytes, offset, length) {
    const decoded = decode(Buffer.from(bytes.subarray(offset, offset + length)).toString('latin1'));
    bytes.set(decoded, offset);
    return decoded.length;
  },
  readCertificate(der) {
    const { notBeforeSeconds, notAfterSeconds } = readAnchor(der);
    return { sha256: toBuffer(createHash('sha256').update(der).digest()), notBeforeSeconds, notAfterSeconds };
  },
};

/** How many distinct keys have signed; of each key the first signature counts alone, as on a device. @throws BundleError for a header that no device takes */
export function countSigners(envelope: Envelope, keys: readonly UpdateKey[]): number {
  const kids = envelope.signatures.map(({ protected: header }) => kidOf(header));
  return keys.filter((key) => {
    const signed = envelope.signatures[kids.indexOf(key.kid)];
    return signed !== undefined && isSignedBy(key, signingInput(signed.protected, envelope.payload), Buffer.from(signed.signature, 'base64url'));
  }).length;
}

function keysOf(points: Uint8Array): readonly UpdateKey[] {
  const keys = splitPoints(points).map(keyOfPoint);
  if (keys.length > MAX_UPDATE_KEYS) throw new BundleError('ERR_BUNDLE_SIZE', `at most ${MAX_UPDATE_KEYS} keys`);
  if (new Set(keys.map(({ kid }) => kid)).size !== keys.length) throw new BundleError('ERR_BUNDLE_KEYS', 'a key stands there twice');
  return keys;
}

function toBuffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
