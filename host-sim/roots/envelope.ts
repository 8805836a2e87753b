import { BundleError } from '../../firmware/agent/roots/bundle-error.ts';
import { MAX_BUNDLE_BYTES, MAX_BUNDLE_SIGNATURES } from '../../firmware/agent/roots/root-limits.ts';

/** One signature of a bundle: general JWS JSON, RFC 7515 7.2.1. */
export interface EnvelopeSignature {
  /** base64url of the protected header. */
  readonly protected: string;
  /** base64url of r and s. */
  readonly signature: string;
}

/** A root bundle as it travels. */
export interface Envelope {
  /** base64url of the payload's JSON. */
  readonly payload: string;
  /** None in a draft. */
  readonly signatures: readonly EnvelopeSignature[];
}

/** Typ of every protected header. */
export const BUNDLE_TYPE = 'latchkey-roots+jws';

/** As in firmware/native/verify.c: 120 bytes and some white space. */
const MAX_HEADER_BYTES = 192;
const BASE64URL = /^[A-Za-z0-9_-]*$/;

/**
 * Reads an envelope as strictly as a device does (firmware/native/envelope.c); one without signatures is a draft.
 * @throws BundleError
 */
export function parseEnvelope(bytes: Uint8Array): Envelope {
  if (bytes.length === 0 || bytes.length > MAX_BUNDLE_BYTES) throw new BundleError('ERR_BUNDLE_SIZE', `a bundle has 1 to ${MAX_BUNDLE_BYTES} bytes, this one has ${bytes.length}`);
  const text = Buffer.from(bytes).toString('latin1');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw notAnEnvelope();
  }
  // Nothing needs an escape: a device reads none.
  if (text.includes('\\')) throw notAnEnvelope();
  const { payload, signatures } = membersOf(value, ['payload', 'signatures']);
  if (!isBase64url(payload) || !Array.isArray(signatures)) throw notAnEnvelope();
  if (signatures.length > MAX_BUNDLE_SIGNATURES) throw new BundleError('ERR_BUNDLE_SIZE', `at most ${MAX_BUNDLE_SIGNATURES} signatures`);
  const list = signatures.map((each: unknown): EnvelopeSignature => {
    const { protected: header, signature } = membersOf(each, ['protected', 'signature']);
    if (!isBase64url(header) || !isBase64url(signature)) throw notAnEnvelope();
    return { protected: header, signature };
  });
  // Values hold no quotation mark: each name stands in the text as often as there are members, unless one came twice.
  const counts = { payload: 1, signatures: 1, protected: list.length, signature: list.length };
  for (const [name, count] of Object.entries(counts)) {
    if (text.split(`"${name}"`).length - 1 !== count) throw new BundleError('ERR_BUNDLE_DUPLICATE', `"${name}" stands there twice`);
  }
  return { payload, signatures: list };
}

/** One line of JSON; what a device gets. */
export function formatEnvelope({ payload, signatures }: Envelope): string {
  return `${JSON.stringify({ payload, signatures: signatures.map(({ protected: header, signature }) => ({ protected: header, signature })) })}\n`;
}

/** The signing input of RFC 7515 5.1. */
export function signingInput(header: string, payload: string): Buffer {
  return Buffer.from(`${header}.${payload}`, 'latin1');
}

/** The protected header of a key: exactly these members. */
export function protectedHeader(kid: string): string {
  return Buffer.from(JSON.stringify({ alg: 'ES256', kid, typ: BUNDLE_TYPE })).toString('base64url');
}

/** The key id of a protected header. @throws BundleError for anything but alg, kid and typ */
export function kidOf(header: string): string {
  let text: string;
  let value: unknown;
  try {
    text = decode(header).toString('latin1');
    value = JSON.parse(text);
  } catch {
    throw badHeader();
  }
  if (text.length > MAX_HEADER_BYTES || text.includes('\\')) throw badHeader();
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value);
  const { alg, kid, typ, ...more } = (isRecord ? value : {}) as Readonly<Record<string, unknown>>;
  if (alg !== 'ES256' || typ !== BUNDLE_TYPE || typeof kid !== 'string' || Object.keys(more).length > 0) throw badHeader();
  // Six names and values: a name that came twice would have more.
  if (text.split('"').length !== 13) throw new BundleError('ERR_BUNDLE_DUPLICATE', 'a member of a protected header stands there twice');
  if (kid.length !== 43 || decode(kid).length !== 32) throw new BundleError('ERR_BUNDLE_KID', 'a key id is no thumbprint of RFC 7638');
  return kid;
}

/** Canonical base64url. @throws BundleError */
export function decode(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) throw notAnEnvelope();
  return bytes;
}

function membersOf(value: unknown, names: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw notAnEnvelope();
  if (Object.keys(value).sort().join() !== [...names].sort().join()) throw notAnEnvelope();
  return value as Readonly<Record<string, unknown>>;
}

function isBase64url(value: unknown): value is string {
  return typeof value === 'string' && BASE64URL.test(value);
}

function notAnEnvelope(): BundleError {
  return new BundleError('ERR_BUNDLE_FORMAT', 'not the JWS JSON of a root bundle');
}

function badHeader(): BundleError {
  return new BundleError('ERR_BUNDLE_HEADER', 'a protected header is not exactly alg ES256, kid and typ');
}
