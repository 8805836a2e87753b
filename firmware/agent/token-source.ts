import type { AgentConfig } from './config.ts';
import type { Identity } from './identity.ts';
import type { Port } from './port.ts';
import { encodeResource, expiryOf, expiryOfToken, formatSasToken, resourceOf } from './sas-token.ts';

/** A token as it is about to leave in a CONNECT. Times are monotonic. */
export interface FreshToken {
  readonly password: string;
  readonly signedAtMs: number;
  readonly endsAtMs: number;
}

/** Where the password of a CONNECT comes from: the signer, or the ready-made token that the application gave last. */
export class TokenSource {
  readonly #config: AgentConfig;
  readonly #port: Port;
  #encodedResource: string;
  #readyMade: string | undefined;

  constructor(config: AgentConfig, port: Port) {
    this.#config = config;
    this.#port = port;
    this.#encodedResource = encodeResource(resourceOf(config.identity));
    this.#readyMade = config.credential.type === 'token' ? config.credential.token : undefined;
  }

  /** Of tokens from now on. */
  useIdentity(identity: Identity): void {
    this.#encodedResource = encodeResource(resourceOf(identity));
  }

  get keyCount(): number {
    const { credential } = this.#config;
    return credential.type === 'key' ? credential.slots.length : 1;
  }

  /** Whether there is a token that has not ended and that is not `used`, the one of the connection to be replaced. */
  isReady(used: string | undefined): boolean {
    if (this.#config.credential.type === 'key') return true;
    if (this.#readyMade === undefined || this.#readyMade === used) return false;
    return (expiryOfToken(this.#readyMade) ?? 0) * 1000 > this.#port.wallMs();
  }

  /** @throws TypeError when the agent signs its own */
  useReadyMade(token: string): void {
    if (this.#config.credential.type !== 'token') throw new TypeError('useToken: this agent signs its own tokens');
    this.#readyMade = token;
  }

  /** @throws the signer's error: an empty slot, a resource outside the key's prefixes */
  take(keyIndex: number, nowMs: number): FreshToken {
    const { credential, tokenLifeSeconds } = this.#config;
    const wallMs = this.#port.wallMs();
    if (credential.type === 'token') {
      const password = this.#readyMade ?? '';
      return { password, signedAtMs: nowMs, endsAtMs: nowMs + (expiryOfToken(password) ?? 0) * 1000 - wallMs };
    }
    const expirySeconds = expiryOf(wallMs, tokenLifeSeconds);
    const encodedResource = this.#encodedResource;
    const signature = this.#port.signer.signSas(credential.slots[keyIndex] ?? 0, encodedResource, expirySeconds);
    const password = formatSasToken({ encodedResource, signature, expirySeconds, policyName: credential.policyName });
    return { password, signedAtMs: nowMs, endsAtMs: nowMs + expirySeconds * 1000 - wallMs };
  }
}
