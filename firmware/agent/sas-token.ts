import type { Identity } from './identity.ts';

/** What a SAS token is made of; `encodedResource` and `policyName` as they were signed. */
export interface SasTokenParts {
  /** Percent-encoded resource URI, exactly as signed. */
  readonly encodedResource: string;
  /** base64, not yet percent-encoded. */
  readonly signature: string;
  /** `se`: whole seconds since 1970, UTC. */
  readonly expirySeconds: number;
  /** `skn`: the shared access policy, when it was not a device key that signed. */
  readonly policyName?: string | undefined;
}

/**
 * Percent-encodes a resource URI as Microsoft's Node SDK does: encodeURIComponent, and `! ' ( ) *` with lower-case hex,
 * so that a token is the same byte for byte.
 */
export function encodeResource(resource: string): string {
  const encoded = encodeURIComponent(resource);
  let out = '';
  let start = 0;
  for (let i = 0; i < encoded.length; i++) {
    const code = encoded.charCodeAt(i);
    const strict = code === 0x21 || (code >= 0x27 && code <= 0x2a);
    if (!strict) continue;
    out += encoded.slice(start, i) + '%' + code.toString(16);
    start = i + 1;
  }
  return start === 0 ? encoded : out + encoded.slice(start);
}

/** `{hub}/devices/{deviceId}[/modules/{moduleId}]`, not encoded. */
export function resourceOf(identity: Identity): string {
  const device = `${identity.hub}/devices/${identity.deviceId}`;
  return identity.moduleId === undefined ? device : `${device}/modules/${identity.moduleId}`;
}

/** `SharedAccessSignature sr=…&sig=…[&skn=…]&se=…` in the order of Microsoft's Node SDK. */
export function formatSasToken(parts: SasTokenParts): string {
  const policy = parts.policyName === undefined ? '' : `&skn=${encodeResource(parts.policyName)}`;
  return `SharedAccessSignature sr=${parts.encodedResource}&sig=${encodeResource(parts.signature)}${policy}&se=${parts.expirySeconds}`;
}

/** The expiry of a token signed at `wallMs` to live `lifeSeconds`: rounded up, so that no life is lost. */
export function expiryOf(wallMs: number, lifeSeconds: number): number {
  return Math.ceil(wallMs / 1000) + lifeSeconds;
}

/** The `se` of a ready-made token, or `undefined` when it has none that is a whole number of seconds. */
export function expiryOfToken(token: string): number | undefined {
  const body = token.slice(token.indexOf(' ') + 1);
  for (const field of body.split('&')) {
    if (!field.startsWith('se=')) continue;
    const seconds = Number(field.slice(3));
    return Number.isSafeInteger(seconds) && seconds > 0 ? seconds : undefined;
  }
  return undefined;
}
