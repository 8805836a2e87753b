import type { AuthenticationType } from '../access/sas.ts';
import { decodeKey, encodeKey, type KeyPair } from '../access/symmetric-key.ts';
import { isIdentityName, type Identity } from '../identity.ts';

/** How an identity proves who it is. Thumbprints are kept as data: this hub takes no certificates. */
export interface Authentication {
  readonly type: AuthenticationType;
  readonly primaryThumbprint?: string;
  readonly secondaryThumbprint?: string;
}

/** A device or module that the hub knows. A module is enabled as its device is. */
export interface RegisteredIdentity extends Identity {
  /** Of authentication other than `sas` too, where nobody ever sees or uses them. */
  readonly keys: KeyPair;
  readonly enabled: boolean;
  readonly authentication: Authentication;
  /** Another one for an identity that was deleted and made again. */
  readonly generationId: string;
  /** Another one after every change; base64 as IoT Hub's. */
  readonly etag: string;
  /** 128 characters at most. */
  readonly statusReason?: string;
  /** When `enabled` changed last, milliseconds since 1970. */
  readonly statusUpdatedMs?: number;
  /** Of modules. */
  readonly managedBy?: string;
}

/** What is kept of it: JSON, keys in base64. */
export function formatIdentityRecord({ deviceId, moduleId, keys, ...rest }: RegisteredIdentity): object {
  return { deviceId, ...(moduleId === undefined ? {} : { moduleId }), ...rest, primaryKey: encodeKey(keys.primary), secondaryKey: encodeKey(keys.secondary) };
}

const AUTHENTICATION_TYPES: readonly unknown[] = ['sas', 'selfSigned', 'certificateAuthority', 'none'] satisfies AuthenticationType[];

/** @throws TypeError for what is no identity, without its keys in the message */
export function parseIdentityRecord(value: unknown): RegisteredIdentity {
  const record = (value ?? {}) as Record<string, unknown>;
  const { deviceId, moduleId, enabled, authentication, generationId, etag, statusReason, statusUpdatedMs, managedBy, primaryKey, secondaryKey } = record;
  if (typeof deviceId !== 'string' || !isIdentityName(deviceId)) throw new TypeError('no valid deviceId');
  if (moduleId !== undefined && (typeof moduleId !== 'string' || !isIdentityName(moduleId))) throw new TypeError(`no valid moduleId of ${deviceId}`);
  if (typeof enabled !== 'boolean' || typeof generationId !== 'string' || typeof etag !== 'string') throw new TypeError(`no valid identity ${deviceId}`);
  if (typeof primaryKey !== 'string' || typeof secondaryKey !== 'string') throw new TypeError(`no keys of ${deviceId}`);
  return {
    deviceId,
    ...(moduleId === undefined ? {} : { moduleId }),
    keys: { primary: decodeKey(primaryKey, deviceId), secondary: decodeKey(secondaryKey, deviceId) },
    enabled, authentication: parseAuthentication(authentication, deviceId), generationId, etag,
    ...(typeof statusReason === 'string' ? { statusReason } : {}),
    ...(typeof statusUpdatedMs === 'number' ? { statusUpdatedMs } : {}),
    ...(typeof managedBy === 'string' ? { managedBy } : {}),
  };
}

function parseAuthentication(value: unknown, owner: string): Authentication {
  const { type, primaryThumbprint, secondaryThumbprint } = (value ?? {}) as Record<string, unknown>;
  if (!AUTHENTICATION_TYPES.includes(type)) throw new TypeError(`no authentication of ${owner}`);
  return {
    type: type as AuthenticationType,
    ...(typeof primaryThumbprint === 'string' ? { primaryThumbprint } : {}),
    ...(typeof secondaryThumbprint === 'string' ? { secondaryThumbprint } : {}),
  };
}
