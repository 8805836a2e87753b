import type { AuthenticationType } from '../access/sas.ts';
import { decodeKey, generateKeyPair, type KeyPair } from '../access/symmetric-key.ts';
import { ServiceError } from '../service-error.ts';
import { STATUS_REASON_CHARACTERS } from './limits.ts';
import type { Authentication } from './registered-identity.ts';
import type { IdentityOptions } from './registry.ts';

/** The members of a JSON object: own ones only, so that none is inherited. */
export type Members = Readonly<Record<string, unknown>>;

/** @throws ServiceError 400005 */
export function readMembers(value: unknown, what: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ServiceError(400, 400_005, 'ArgumentNull', `${what} must be a JSON object.`);
  return Object.assign(Object.create(null) as Record<string, unknown>, value);
}

/**
 * Reads what a service may set of an identity. It is all that the identity has from now on: keys that are left out are
 * generated anew, as IoT Hub does it.
 * @throws ServiceError 400004; no message holds a key
 */
export function readIdentityOptions(body: Members): IdentityOptions & { readonly keys: KeyPair } {
  const { status, statusReason, managedBy } = body;
  if (readMembersOrNone(body.capabilities).iotEdge === true) throw new ServiceError(400, 400_003, 'InvalidOperation', 'This hub has no IoT Edge devices.');
  const authentication = readMembersOrNone(body.authentication);
  return {
    enabled: readStatus(status),
    authentication: readAuthentication(authentication),
    keys: readKeys(readMembersOrNone(authentication.symmetricKey)),
    ...(isAbsent(statusReason) ? {} : { statusReason: readText(statusReason, 'statusReason', STATUS_REASON_CHARACTERS) }),
    ...(isAbsent(managedBy) ? {} : { managedBy: readText(managedBy, 'managedBy', STATUS_REASON_CHARACTERS) }),
  };
}

function readStatus(status: unknown): boolean {
  const text = isAbsent(status) ? 'enabled' : readWord(status);
  if (text !== 'enabled' && text !== 'disabled') throw invalid('status must be enabled or disabled.');
  return text === 'enabled';
}

const TYPES: Readonly<Record<string, AuthenticationType>> = { sas: 'sas', selfsigned: 'selfSigned', certificateauthority: 'certificateAuthority', none: 'none' };

/** SHA-1 or SHA-256 of a certificate. */
const THUMBPRINT = /^(?:[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$/;

function readAuthentication(members: Members): Authentication {
  const { primaryThumbprint, secondaryThumbprint } = readMembersOrNone(members.x509Thumbprint);
  const thumbprints = {
    ...(isAbsent(primaryThumbprint) ? {} : { primaryThumbprint: readThumbprint(primaryThumbprint) }),
    ...(isAbsent(secondaryThumbprint) ? {} : { secondaryThumbprint: readThumbprint(secondaryThumbprint) }),
  };
  const hasThumbprint = Object.keys(thumbprints).length > 0;
  const name = isAbsent(members.type) ? (hasThumbprint ? 'selfsigned' : 'sas') : readWord(members.type);
  const type = Object.hasOwn(TYPES, name) ? TYPES[name] : undefined;
  if (type === undefined) throw invalid('authentication.type must be sas, selfSigned, certificateAuthority or none.');
  if (type === 'selfSigned' && !hasThumbprint) throw invalid('selfSigned authentication needs a thumbprint.');
  return type === 'selfSigned' ? { type, ...thumbprints } : { type };
}

function readThumbprint(value: unknown): string {
  if (typeof value !== 'string' || !THUMBPRINT.test(value)) throw invalid('A thumbprint must be the SHA-1 or SHA-256 of a certificate, in hexadecimal digits.');
  return value;
}

function readKeys({ primaryKey, secondaryKey }: Members): KeyPair {
  const generated = generateKeyPair();
  return {
    primary: isAbsent(primaryKey) ? generated.primary : readKey(primaryKey, 'primaryKey'),
    secondary: isAbsent(secondaryKey) ? generated.secondary : readKey(secondaryKey, 'secondaryKey'),
  };
}

function readKey(value: unknown, name: string): Uint8Array {
  try {
    if (typeof value === 'string') return decodeKey(value, name);
  } catch {
    // The reason is the same whatever it is.
  }
  throw invalid(`${name} must be 16 to 64 bytes in base64.`);
}

function readText(value: unknown, name: string, maxCharacters: number): string {
  if (typeof value !== 'string' || value.length > maxCharacters) throw invalid(`${name} must be text of ${maxCharacters} characters at most.`);
  return value;
}

function readMembersOrNone(value: unknown): Members {
  return isAbsent(value) ? {} : readMembers(value, 'authentication and capabilities');
}

/** One of a few words, in any case; nothing for what is no text. */
export function readWord(value: unknown): string {
  return typeof value === 'string' ? value.toLowerCase() : '';
}

/** SDKs send `null` or an empty text for what they do not set. */
function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function invalid(message: string): ServiceError {
  return new ServiceError(400, 400_004, 'ArgumentInvalid', message);
}
