import { createHash, createPublicKey, verify, X509Certificate } from 'node:crypto';

import { BundleError, type BundleErrorCode } from '../../firmware/agent/roots/bundle-error.ts';
import type { RootVerifier } from '../../firmware/agent/roots/root-verifier.ts';
import type { Envelope } from './root-bundles.ts';

const POINT_BYTES = 64;

/** What `firmware/native/verify.c` does, by OpenSSL, for tests that have no board. Its own rules are tested in test/board/verify-bundle.test.ts. */
export const nodeRootVerifier: RootVerifier = {
  openBundle(bundle, keys, threshold) {
    const envelope = parse(bundle);
    if (countSigners(envelope, keys) < threshold) fail('ERR_BUNDLE_SIGNATURES');
    return bytesOf(envelope.payload);
  },
  readBundle(bundle) {
    return bytesOf(parse(bundle).payload);
  },
  confirmBundle(bundle, newKeys, threshold, oldKeys) {
    const envelope = parse(bundle);
    if (countSigners(envelope, newKeys) < threshold) fail('ERR_BUNDLE_NEW_KEYS');
    const known = [...listKeys(newKeys), ...listKeys(oldKeys)].map(thumbprintOf);
    if (!envelope.signatures.every((signature) => known.includes(kidOf(signature.protected)))) fail('ERR_BUNDLE_KID');
  },
  sha256(bytes) {
    const digest = createHash('sha256').update(new Uint8Array(bytes)).digest();
    return new Uint8Array(digest).buffer;
  },
  decodeInPlace(bytes, offset, length) {
    const text = Buffer.from(bytes.subarray(offset, offset + length)).toString('latin1');
    const decoded = Buffer.from(text, 'base64url');
    if (decoded.toString('base64url') !== text) fail('ERR_BUNDLE_FORMAT');
    bytes.set(decoded, offset);
    return decoded.length;
  },
  readCertificate(der) {
    let certificate: X509Certificate;
    try {
      certificate = new X509Certificate(der);
    } catch {
      return fail('ERR_BUNDLE_ROOTS');
    }
    if (!certificate.ca || certificate.raw.length !== der.length) fail('ERR_BUNDLE_ROOTS');
    return { sha256: this.sha256(der), notBeforeSeconds: Date.parse(certificate.validFrom) / 1000, notAfterSeconds: Date.parse(certificate.validTo) / 1000 };
  },
};

function fail(code: BundleErrorCode): never {
  throw new BundleError(code, 'refused by the test verifier');
}

function parse(bundle: ArrayBuffer | Uint8Array): Envelope {
  try {
    return JSON.parse(Buffer.from(new Uint8Array(bundle)).toString('utf8')) as Envelope;
  } catch {
    return fail('ERR_BUNDLE_FORMAT');
  }
}

function bytesOf(text: string): ArrayBuffer {
  return new Uint8Array(Buffer.from(text, 'base64url')).buffer;
}

function kidOf(header: string): string {
  return (JSON.parse(Buffer.from(header, 'base64url').toString('utf8')) as { readonly kid: string }).kid;
}

function listKeys(points: Uint8Array): Uint8Array[] {
  return Array.from({ length: points.length / POINT_BYTES }, (_, index) => points.subarray(index * POINT_BYTES, (index + 1) * POINT_BYTES));
}

function jwkOf(point: Uint8Array): { readonly crv: string; readonly kty: string; readonly x: string; readonly y: string } {
  const [x, y] = [point.subarray(0, POINT_BYTES / 2), point.subarray(POINT_BYTES / 2)].map((bytes) => Buffer.from(bytes).toString('base64url'));
  return { crv: 'P-256', kty: 'EC', x: x ?? '', y: y ?? '' };
}

function thumbprintOf(point: Uint8Array): string {
  return createHash('sha256').update(JSON.stringify(jwkOf(point))).digest('base64url');
}

/** Signatures that were looked at before: a test of power cuts asks a thousand times about one bundle. */
const seen = new Map<string, number>();

function countSigners(envelope: Envelope, points: Uint8Array): number {
  const key = createHash('sha256').update(JSON.stringify(envelope)).update(points).digest('hex');
  const known = seen.get(key) ?? countSignersAnew(envelope, points);
  seen.set(key, known);
  return known;
}

function countSignersAnew(envelope: Envelope, points: Uint8Array): number {
  return listKeys(points).filter((point) =>
    envelope.signatures.some(({ protected: header, signature }) => {
      if (kidOf(header) !== thumbprintOf(point)) return false;
      const key = createPublicKey({ key: jwkOf(point), format: 'jwk' });
      return verify('sha256', Buffer.from(`${header}.${envelope.payload}`), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
    }),
  ).length;
}
