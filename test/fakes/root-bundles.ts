import { GeneralSign, calculateJwkThumbprint, exportJWK, generateKeyPair, type CryptoKey, type JWSHeaderParameters } from 'jose';

/** A key of an update set, made by jose. */
export interface UpdateKey {
  readonly privateKey: CryptoKey;
  readonly jwk: { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string };
  /** RFC 7638. */
  readonly kid: string;
  /** x and y, 64 bytes. */
  readonly point: Buffer;
}

export async function makeUpdateKey(): Promise<UpdateKey> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const { x = '', y = '' } = await exportJWK(publicKey);
  const jwk = { kty: 'EC', crv: 'P-256', x, y } as const;
  return { privateKey, jwk, kid: await calculateJwkThumbprint(jwk), point: Buffer.concat([Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]) };
}

export function pointsOf(keys: readonly UpdateKey[]): Buffer {
  return Buffer.concat(keys.map((key) => key.point));
}

export const BUNDLE_TYPE = 'latchkey-roots+jws';

export interface Signature {
  readonly protected: string;
  readonly signature: string;
}

export interface Envelope {
  readonly payload: string;
  readonly signatures: readonly Signature[];
}

/** Signs as somebody else's JOSE library does; `header` replaces members of the protected header. */
export async function signBundle(payload: string, keys: readonly UpdateKey[], header: Readonly<Record<string, unknown>> = {}): Promise<Envelope> {
  const sign = new GeneralSign(Buffer.from(payload));
  for (const key of keys) {
    sign.addSignature(key.privateKey).setProtectedHeader({ alg: 'ES256', kid: key.kid, typ: BUNDLE_TYPE, ...header } as JWSHeaderParameters);
  }
  const { payload: encoded, signatures } = await sign.sign();
  return { payload: encoded ?? '', signatures: signatures.map(({ protected: own = '', signature }) => ({ protected: own, signature })) };
}

/** base64url of a header that no library would make. */
export function rawHeader(text: string): string {
  return Buffer.from(text).toString('base64url');
}

/** Members of a payload, before they become JSON. */
export interface BundleMembers {
  readonly version: number;
  readonly roots: readonly object[];
  readonly keys: readonly UpdateKey[];
  readonly threshold: number;
  readonly issuedAt?: string;
  readonly expires?: string;
  readonly audience?: object;
}

export const BUNDLE_HUB = 'latchkey-hub.test';

export function trusted(der: Uint8Array, purposes: readonly string[] = ['hub']): object {
  return { der: Buffer.from(der).toString('base64url'), purposes };
}

export function revoked(sha256: Uint8Array): object {
  return { sha256: Buffer.from(sha256).toString('hex'), revoked: true };
}

export function formatPayload(members: BundleMembers): string {
  const { version, roots, keys, threshold } = members;
  return JSON.stringify({
    version,
    issuedAt: members.issuedAt ?? '2026-11-01T00:00:00Z',
    expires: members.expires ?? '2027-11-01T00:00:00Z',
    audience: members.audience ?? { hubs: [BUNDLE_HUB], idScopes: [], devices: '*' },
    roots,
    keys: keys.map(({ jwk }) => jwk),
    threshold,
  });
}

/** A bundle as it travels. */
export async function makeBundle(members: BundleMembers, signers: readonly UpdateKey[]): Promise<Uint8Array> {
  return Buffer.from(JSON.stringify(await signBundle(formatPayload(members), signers)));
}
