import { BundleError } from './bundle-error.ts';
import { parseBundleUrl, type BundlePlace } from './root-place.ts';
import { MAX_PARTS, MAX_ROOT_VERSION, SHA256_BYTES } from './root-limits.ts';

/** A bundle that lies on a server. */
export interface UrlOffer {
  readonly kind: 'url';
  readonly version: number;
  readonly place: BundlePlace;
}

/** A part of a bundle, still as text. It says all that is needed to begin with it, since parts come in any order. */
export interface PartOffer {
  readonly kind: 'part';
  readonly version: number;
  readonly digest: Uint8Array;
  readonly count: number;
  readonly index: number;
  /** base64url without padding. */
  readonly text: string;
}

export type RootOffer = UrlOffer | PartOffer;

/** Desired properties: `roots` is an offer, `rootsPart0` … hold parts; the same objects come as payload of `updateRoots` and as messages. */
export const ROOTS_PROPERTY = 'roots';
export const PART_PROPERTIES: readonly string[] = Array.from({ length: MAX_PARTS }, (_, index) => `rootsPart${index}`);
export const UPDATE_METHOD = 'updateRoots';
/** The application property that says what a cloud-to-device message is. */
export const MESSAGE_PROPERTY = 'latchkey';
export const MESSAGE_VALUE = 'roots';

/**
 * `{"version": 3, "url": "http://…/3.json"}` or `{"version": 3, "sha256": "…", "parts": 2, "index": 0, "part": "…"}`.
 * @throws BundleError ERR_BUNDLE_FORMAT, ERR_BUNDLE_PART
 */
export function parseOffer(value: unknown): RootOffer {
  if (typeof value !== 'object' || value === null) throw new BundleError('ERR_BUNDLE_FORMAT', 'an offer is an object');
  const { version, url, sha256, parts, index, part } = value as Readonly<Record<string, unknown>>;
  if (!isWhole(version, 1, MAX_ROOT_VERSION)) throw new BundleError('ERR_BUNDLE_FORMAT', 'version: expected a whole number from 1');
  if (typeof url === 'string') {
    const place = parseBundleUrl(url);
    if (place === undefined) throw new BundleError('ERR_BUNDLE_FORMAT', 'url: expected http://host/path; the signatures protect what comes');
    return { kind: 'url', version, place };
  }
  const digest = typeof sha256 === 'string' ? parseDigest(sha256) : undefined;
  if (digest === undefined || !isWhole(parts, 1, MAX_PARTS) || !isWhole(index, 0, parts - 1) || typeof part !== 'string' || part === '') {
    throw new BundleError('ERR_BUNDLE_PART', 'expected a url, or sha256, parts, index and part');
  }
  return { kind: 'part', version, digest, count: parts, index, text: part };
}

/** Where the bundle `version` lies, when `place` is that of `last`: beside it, under its own number. */
export function placeOf(version: number, last: number, place: BundlePlace): BundlePlace | undefined {
  if (version === last) return place;
  const name = `/${last}.json`;
  const at = place.path.lastIndexOf(name);
  if (at < 0) return undefined;
  return { ...place, path: `${place.path.slice(0, at)}/${version}.json${place.path.slice(at + name.length)}` };
}

function isWhole(value: unknown, low: number, high: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high;
}

function parseDigest(hex: string): Uint8Array | undefined {
  if (hex.length !== 2 * SHA256_BYTES) return undefined;
  const bytes = new Uint8Array(SHA256_BYTES);
  for (let i = 0; i < hex.length; i++) {
    const digit = '0123456789abcdef'.indexOf(hex.charAt(i));
    if (digit < 0) return undefined;
    bytes[i >> 1] = ((bytes[i >> 1] ?? 0) << 4) | digit;
  }
  return bytes;
}
