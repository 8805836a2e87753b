import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, verify, type KeyObject } from 'node:crypto';
import { BundleError } from '../../firmware/agent/roots/bundle-error.ts';
import { POINT_BYTES } from '../../firmware/agent/roots/root-limits.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';

/** The public half of a key that signs bundles. */
export interface UpdateKey {
  readonly publicKey: KeyObject;
  readonly jwk: UpdateKeyJwk;
  /** RFC 7638. */
  readonly kid: string;
  /** x and y, 64 bytes: what a device keeps. */
  readonly point: Buffer;
}

export interface UpdateKeyJwk {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
}

/** @throws ERR_KEY unless it is a key of P-256 */
export function toUpdateKey(key: KeyObject): UpdateKey {
  const publicKey = key.type === 'public' ? key : createPublicKey(key);
  if (publicKey.asymmetricKeyType !== 'ec' || publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new CliError('ERR_KEY', EXIT.configuration, 'this is no key of P-256', 'make one: latchkey roots keygen --out key.pem');
  }
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const jwk = { kty: 'EC', crv: 'P-256', x, y } as const;
  return { publicKey, jwk, kid: thumbprintOf(jwk), point: Buffer.concat([Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]) };
}

/**
 * A public key: PEM, JWK, or a certificate.
 * @throws ERR_KEY also for a private key, whose public half is in it: what goes into bundles lies on machines where no private key belongs
 */
export function parsePublicKey(text: string, source: string): UpdateKey {
  if (isPrivate(text)) throw new CliError('ERR_KEY', EXIT.usage, `${source} is a private key, and a public one is asked for`, 'give the .pub file beside it; keep the private key where it signs');
  try {
    return toUpdateKey(text.trimStart().startsWith('{') ? createPublicKey({ key: JSON.parse(text) as UpdateKeyJwk & Record<string, string>, format: 'jwk' }) : createPublicKey(text));
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    throw new CliError('ERR_KEY', EXIT.configuration, `${source} holds no public key of P-256`, 'give the .pub file that "latchkey roots keygen" wrote, PEM or JWK', { cause });
  }
}

/** PEM of any kind (PKCS #8, SEC 1, encrypted or not), or a JWK with its private member. */
function isPrivate(text: string): boolean {
  return /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text) || (text.trimStart().startsWith('{') && /"d"\s*:/.test(text));
}

/** @throws ERR_KEY; the text holds neither key nor passphrase */
export function parsePrivateKey(pem: string, passphrase: string | undefined, source: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, format: 'pem', ...(passphrase === undefined ? {} : { passphrase }) });
  } catch {
    // OpenSSL's own text says nothing more.
    throw new CliError('ERR_KEY', EXIT.configuration, `${source} cannot be opened: no private key in PEM, or the wrong passphrase`, 'check the file and type the passphrase again');
  }
  toUpdateKey(key);
  return key;
}

export function isEncrypted(pem: string): boolean {
  return pem.includes('ENCRYPTED');
}

export interface GeneratedKey {
  readonly publicKey: UpdateKey;
  /** PKCS #8, encrypted when there is a passphrase. */
  readonly privatePem: string;
  readonly publicPem: string;
}

export function generateUpdateKey(passphrase: string | undefined): GeneratedKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const encryption = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase };
  return {
    publicKey: toUpdateKey(publicKey),
    privatePem: privateKey.export({ type: 'pkcs8', format: 'pem', ...encryption }) as string,
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }) as string,
  };
}

/** A key out of its 64 bytes. @throws BundleError ERR_BUNDLE_KEYS for a point that is not on the curve */
export function keyOfPoint(point: Uint8Array): UpdateKey {
  const [x = '', y = ''] = [point.subarray(0, POINT_BYTES / 2), point.subarray(POINT_BYTES / 2)].map((bytes) => Buffer.from(bytes).toString('base64url'));
  let key: KeyObject;
  try {
    key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
  } catch {
    throw new BundleError('ERR_BUNDLE_KEYS', 'a key is no point of P-256');
  }
  return toUpdateKey(key);
}

export function pointsOf(keys: readonly UpdateKey[]): Uint8Array {
  return new Uint8Array(Buffer.concat(keys.map(({ point }) => point)));
}

export function splitPoints(points: Uint8Array): Uint8Array[] {
  return Array.from({ length: points.length / POINT_BYTES }, (_, index) => points.subarray(index * POINT_BYTES, (index + 1) * POINT_BYTES));
}

/** Whether `signature` (r and s) is this key's over `message`. */
export function isSignedBy(key: UpdateKey, message: Uint8Array, signature: Uint8Array): boolean {
  return verify('sha256', message, { key: key.publicKey, dsaEncoding: 'ieee-p1363' }, signature);
}

function thumbprintOf({ crv, kty, x, y }: UpdateKeyJwk): string {
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
}
