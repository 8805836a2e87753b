import { BundleError } from './bundle-error.ts';
import { PayloadReader } from './payload-reader.ts';
import * as limits from './root-limits.ts';
import type { RootVerifier } from './root-verifier.ts';

/** What a root may be an anchor for. */
export type RootPurpose = 'hub' | 'dps' | 'storage' | 'custom';

const PURPOSES: readonly RootPurpose[] = ['hub', 'dps', 'storage', 'custom'];

export interface TrustedRoot {
  /** A view of the payload: no copy of it is made while a bundle is checked. */
  readonly der: Uint8Array;
  readonly purposes: readonly RootPurpose[];
}

/** Who a bundle is for. */
export interface Audience {
  /** Host names, in lower case. */
  readonly hubs: readonly string[];
  readonly idScopes: readonly string[];
  /** Device ids; `*` stands for any characters. */
  readonly devices: string;
}

/** Keys that sign the next bundle: 64 bytes each (x and y of P-256), one behind another, and how many must. */
export interface UpdateKeys {
  readonly points: Uint8Array;
  readonly threshold: number;
}

/** The payload of a bundle. @see docs/roots.md */
export interface RootBundle {
  readonly version: number;
  readonly issuedAtMs: number;
  readonly expiresMs: number;
  readonly audience: Audience;
  readonly roots: readonly TrustedRoot[];
  /** SHA-256 of each root that is revoked. */
  readonly revoked: readonly Uint8Array[];
  readonly keys: UpdateKeys;
}

const MEMBERS = ['version', 'issuedAt', 'expires', 'audience', 'roots', 'keys', 'threshold'];

/**
 * Reads a payload whose signatures are verified, and decodes its roots where they stand: the bytes are the bundle's from now
 * on. What stands in it is checked for its form; whether it may be used is
 * `checkBundle`'s affair.
 * @throws BundleError
 */
export function readPayload(payload: Uint8Array, verifier: RootVerifier): RootBundle {
  const reader = new PayloadReader(payload);
  let version = 0;
  let issuedAtMs = 0;
  let expiresMs = 0;
  let audience: Audience = { hubs: [], idScopes: [], devices: '' };
  let points = new Uint8Array(0);
  let threshold = 0;
  const roots: TrustedRoot[] = [];
  const revoked: Uint8Array[] = [];
  reader.object(MEMBERS, (name) => {
    switch (name) {
      case 'version':
        version = reader.whole(limits.MAX_ROOT_VERSION);
        return;
      case 'issuedAt':
        issuedAtMs = readTime(reader);
        return;
      case 'expires':
        expiresMs = readTime(reader);
        return;
      case 'audience':
        audience = readAudience(reader);
        return;
      case 'roots':
        return reader.list(limits.MAX_ROOTS, 'roots', () => readRoot(reader, verifier, roots, revoked));
      case 'keys':
        points = readKeys(reader, verifier);
        return;
      case 'threshold':
        threshold = reader.whole(limits.MAX_ROOT_VERSION);
    }
  });
  reader.end();
  if (version === 0) reader.fail('version 0');
  if (threshold === 0 || threshold * limits.POINT_BYTES > points.length) {
    throw new BundleError('ERR_BUNDLE_THRESHOLD', `threshold ${threshold} of ${points.length / limits.POINT_BYTES} keys`);
  }
  if (roots.length === 0) throw new BundleError('ERR_BUNDLE_ROOTS', 'no root is left to trust');
  return { version, issuedAtMs, expiresMs, audience, roots, revoked, keys: { points, threshold } };
}

function readAudience(reader: PayloadReader): Audience {
  let devices = '';
  const hubs: string[] = [];
  const idScopes: string[] = [];
  reader.object(['hubs', 'idScopes', 'devices'], (name) => {
    if (name === 'devices') devices = reader.text(limits.MAX_NAME_CHARACTERS);
    else if (name === 'hubs') reader.list(limits.MAX_AUDIENCE_NAMES, name, () => hubs.push(reader.text(limits.MAX_NAME_CHARACTERS).toLowerCase()));
    else reader.list(limits.MAX_AUDIENCE_NAMES, name, () => idScopes.push(reader.text(limits.MAX_NAME_CHARACTERS)));
  });
  if (hubs.length + idScopes.length === 0) reader.fail('an audience of nobody');
  if (devices === '' || devices.split('*').length - 1 > limits.MAX_PATTERN_STARS) reader.fail(`devices: expected a pattern with at most ${limits.MAX_PATTERN_STARS} stars`);
  return { hubs, idScopes, devices };
}

/** `{der, purposes}`, or `{sha256, revoked}` with or without its `der`. */
function readRoot(reader: PayloadReader, verifier: RootVerifier, roots: TrustedRoot[], revoked: Uint8Array[]): void {
  let der: Uint8Array | undefined;
  let sha256: Uint8Array | undefined;
  let purposes: RootPurpose[] | undefined;
  let isRevoked = false;
  reader.object(['der?', 'purposes?', 'sha256?', 'revoked?'], (name) => {
    if (name === 'der') {
      der = readBytes(reader, verifier, limits.MAX_BUNDLE_BYTES);
    } else if (name === 'sha256') {
      sha256 = readHex(reader);
    } else if (name === 'purposes') {
      const list: RootPurpose[] = [];
      reader.list(PURPOSES.length, name, () => list.push(readPurpose(reader, list)));
      purposes = list;
    } else {
      reader.yes();
      isRevoked = true;
    }
  });
  if (isRevoked) {
    if (sha256 === undefined || purposes !== undefined) reader.fail('a revoked root has its sha256 and no purposes');
    revoked.push(sha256);
  } else {
    if (der === undefined || sha256 !== undefined || purposes === undefined || purposes.length === 0) reader.fail('a root has its der and its purposes');
    if (der.length > limits.MAX_ROOT_BYTES) throw new BundleError('ERR_BUNDLE_SIZE', `a root of ${der.length} bytes`);
    roots.push({ der, purposes });
  }
}

/** base64url, as a view of the payload. */
function readBytes(reader: PayloadReader, verifier: RootVerifier, maxCharacters: number): Uint8Array {
  const { start, length } = reader.span(maxCharacters);
  return reader.bytes.subarray(start, start + verifier.decodeInPlace(reader.bytes, start, length));
}

function readPurpose(reader: PayloadReader, before: readonly RootPurpose[]): RootPurpose {
  const text = reader.text(limits.MAX_NAME_CHARACTERS);
  const purpose = PURPOSES.find((known) => known === text);
  if (purpose === undefined || before.includes(purpose)) reader.fail(`purposes: ${JSON.stringify(text)}; they are ${PURPOSES.join(', ')}, each once`);
  return purpose;
}

function readKeys(reader: PayloadReader, verifier: RootVerifier): Uint8Array<ArrayBuffer> {
  const points: Uint8Array[] = [];
  const coordinate = (): Uint8Array => {
    const bytes = readBytes(reader, verifier, limits.MAX_NAME_CHARACTERS);
    if (bytes.length !== limits.POINT_BYTES / 2) reader.fail('a coordinate has 32 bytes');
    return bytes;
  };
  reader.list(limits.MAX_UPDATE_KEYS, 'keys', () => {
    const point = new Uint8Array(limits.POINT_BYTES);
    reader.object(['kty', 'crv', 'x', 'y'], (name) => {
      if (name === 'x') point.set(coordinate(), 0);
      else if (name === 'y') point.set(coordinate(), limits.POINT_BYTES / 2);
      else if (reader.text(limits.MAX_NAME_CHARACTERS) !== (name === 'kty' ? 'EC' : 'P-256')) reader.fail('a key is of kty EC and crv P-256');
    });
    if (points.some((other) => equalBytes(other, point))) throw new BundleError('ERR_BUNDLE_KEYS', 'a key stands there twice');
    points.push(point);
  });
  const all = new Uint8Array(points.length * limits.POINT_BYTES);
  points.forEach((point, index) => all.set(point, index * limits.POINT_BYTES));
  return all;
}

/** `2026-11-22T00:00:00Z`, and no other form of it. */
function readTime(reader: PayloadReader): number {
  const text = reader.text(limits.MAX_NAME_CHARACTERS);
  const ms = text.length === 20 ? Date.parse(text) : NaN;
  if (!Number.isFinite(ms) || `${new Date(ms).toISOString().slice(0, 19)}Z` !== text) reader.fail(`${JSON.stringify(text)} is no time like 2026-11-22T00:00:00Z`);
  return ms;
}

function readHex(reader: PayloadReader): Uint8Array {
  const text = reader.text(2 * limits.SHA256_BYTES);
  const bytes = new Uint8Array(limits.SHA256_BYTES);
  if (text.length !== 2 * bytes.length) reader.fail('sha256: expected 64 hex digits');
  for (let i = 0; i < text.length; i++) {
    const digit = '0123456789abcdef'.indexOf(text.charAt(i));
    if (digit < 0) reader.fail('sha256: expected 64 hex digits in lower case');
    bytes[i >> 1] = ((bytes[i >> 1] ?? 0) << 4) | digit;
  }
  return bytes;
}

/** Of public things only: it stops at the first difference. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
