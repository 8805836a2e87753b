import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { covers, parseResource, type Resource } from './resource-scope.ts';
import { decodePercentOnce, parseSasToken, type SasSyntaxFault } from './sas-token.ts';
import type { KeyPair } from './symmetric-key.ts';

export const PERMISSIONS = ['RegistryRead', 'RegistryWrite', 'ServiceConnect', 'DeviceConnect', 'ModuleConnect'] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** How an identity proves who it is. `sas` ones have keys, no other takes a token; `none` is a module that another vouches for. */
export type AuthenticationType = 'sas' | 'selfSigned' | 'certificateAuthority' | 'none';

/** Whose keys may have signed: the identity's own, or a shared access policy's. */
export interface SasKeyring {
  /** The identity that the resource names; `undefined` when the hub knows none. */
  readonly identity: { readonly keys: KeyPair; readonly enabled: boolean; readonly authentication?: { readonly type: AuthenticationType } } | undefined;
  /** The policy named `skn`. */
  policy(name: string): { readonly keys: KeyPair; readonly permissions: readonly Permission[] } | undefined;
  /** Signed with when nobody's key is known, so that the work is the same. */
  readonly dummyKeys: KeyPair;
}

export type SasRefusal =
  | SasSyntaxFault
  | 'expiry-malformed'
  | 'resource-malformed'
  | 'resource-not-covered'
  | 'resource-too-wide'
  | 'identity-unknown'
  | 'policy-unknown'
  | 'policy-missing'
  | 'signature-wrong'
  | 'permission-missing'
  | 'identity-disabled'
  | 'identity-uses-certificate'
  | 'shared-access-denied'
  | 'token-expired';

export type SasVerdict =
  | {
      readonly accepted: true;
      /** The resource of the token. */
      readonly scope: Resource;
      readonly expirySeconds: number;
      readonly key: 'primary' | 'secondary';
      readonly policy: string | undefined;
    }
  | { readonly accepted: false; readonly reason: SasRefusal; readonly expirySeconds?: number };

export interface SasRequest {
  readonly token: Uint8Array | string | undefined;
  /** What is asked for. */
  readonly resource: Resource;
  /** Parts of it of which covering one is enough. */
  readonly parts?: readonly Resource[];
  /** One of these is enough when a policy signed. */
  readonly permissions: readonly Permission[];
  /** Who may have signed; with `policies` no identity is asked for. Default `policies-and-identity`. */
  readonly signers?: 'policies-and-identity' | 'policies';
  readonly keyring: SasKeyring;
  /** The hub's clock. */
  readonly nowSeconds: number;
}

/** base64 of HMAC-SHA256; a test counts its calls. */
export type SignSas = (key: Uint8Array, stringToSign: string) => string;

const signWithNode: SignSas = (key, stringToSign) => createHmac('sha256', key).update(stringToSign).digest('base64');

/** Whole seconds; twelve digits reach the year 33,658. */
const EXPIRY = /^[0-9]{1,12}$/;

/**
 * Decides whether `token` opens `resource`, by the rules of IoT Hub: the signature is over `sr` exactly as it stands, then
 * `sr` is decoded once and must cover the resource by segment. An unknown identity or policy and a wrong key take the same
 * steps: two signatures, two comparisons; only the reason, which no peer sees, tells them apart.
 * @see https://learn.microsoft.com/azure/iot-hub/authenticate-authorize-sas
 */
export function verifySas(request: SasRequest, sign: SignSas = signWithNode): SasVerdict {
  const fields = parseSasToken(request.token);
  if (typeof fields === 'string') return refuse(fields);
  if (!EXPIRY.test(fields.se)) return refuse('expiry-malformed');
  const expirySeconds = Number(fields.se);
  const scopeText = decodePercentOnce(fields.sr);
  const signature = decodePercentOnce(fields.sig);
  const policyName = decodePercentOnce(fields.skn ?? '');
  if (scopeText === undefined) return refuse('resource-malformed', expirySeconds);
  if (signature === undefined || policyName === undefined) return refuse('token-malformed', expirySeconds);
  const scope = parseResource(scopeText);
  if (![request.resource, ...(request.parts ?? [])].some((resource) => covers(scope, resource))) return refuse('resource-not-covered', expirySeconds);

  const { identity, dummyKeys } = request.keyring;
  const byPolicy = policyName !== '';
  const policy = request.keyring.policy(policyName);
  const signer = byPolicy ? policy : identity;
  const keys = signer?.keys ?? dummyKeys;
  const stringToSign = `${fields.sr}\n${fields.se}`;
  const isPrimary = equalInConstantTime(sign(keys.primary, stringToSign), signature);
  const isSecondary = equalInConstantTime(sign(keys.secondary, stringToSign), signature);

  const isForIdentity = request.signers !== 'policies';
  if (signer === undefined) return refuse(byPolicy ? 'policy-unknown' : isForIdentity ? 'identity-unknown' : 'policy-missing', expirySeconds);
  if (!isPrimary && !isSecondary) return refuse('signature-wrong', expirySeconds);
  if (byPolicy && !request.permissions.some((permission) => policy?.permissions.includes(permission))) {
    return refuse('permission-missing', expirySeconds);
  }
  if (isForIdentity) {
    if (identity === undefined) return refuse('identity-unknown', expirySeconds);
    if ((identity.authentication?.type ?? 'sas') !== 'sas') return refuse('identity-uses-certificate', expirySeconds);
    if (!identity.enabled) return refuse('identity-disabled', expirySeconds);
  }
  if (expirySeconds <= request.nowSeconds) return refuse('token-expired', expirySeconds);
  return { accepted: true, scope, expirySeconds, key: isPrimary ? 'primary' : 'secondary', policy: byPolicy ? policyName : undefined };
}

/** Names a token in events and logs without telling anything of it: 64 bits of its SHA-256. */
export function digestToken(token: Uint8Array | string): string {
  return createHash('sha256').update(token).digest('hex').slice(0, 16);
}

function refuse(reason: SasRefusal, expirySeconds?: number): SasVerdict {
  return expirySeconds === undefined ? { accepted: false, reason } : { accepted: false, reason, expirySeconds };
}

/** Compares base64 texts: decoded, 2 unused bits of the last character would not count. Only the length, which is public, ends it early. */
function equalInConstantTime(expected: string, got: string): boolean {
  const expectedBytes = Buffer.from(expected, 'latin1');
  const gotBytes = Buffer.from(got, 'latin1');
  // A character above U+00FF would be cut to one byte: base64 has none.
  const isLatin1 = gotBytes.toString('latin1') === got;
  return expectedBytes.length === gotBytes.length && timingSafeEqual(expectedBytes, gotBytes) && isLatin1;
}
