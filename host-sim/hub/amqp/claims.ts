import type { AccessDenial, AccessGrant } from '../access/authorize.ts';
import { covers, parseResource, type Resource } from '../access/resource-scope.ts';
import { decodePercentOnce } from '../access/sas-token.ts';

/** Whether a token lets a service do something with `resource`. */
export type AuthorizeToken = (token: string, resource: Resource) => AccessGrant | AccessDenial;

/** Schemes that stand before a host in an audience; `sb://` belongs to what Event Hubs clients sign, so it stays. */
const SCHEMES = /^(?:amqps?|https):\/\//i;

interface Claim {
  readonly token: string;
  readonly scope: Resource;
  readonly expirySeconds: number;
}

/** The tokens that one connection has shown. They are verified again for every link, against the clock and keys of that moment. */
export class Claims {
  readonly #authorize: AuthorizeToken;
  readonly #maxClaims: number;
  readonly #tokens = new Map<string, Claim>();

  constructor(authorize: AuthorizeToken, maxClaims: number) {
    this.#authorize = authorize;
    this.#maxClaims = maxClaims;
  }

  /** Takes a token that is good for `audience`, in place of an older one for it; `undefined` when there are too many. */
  put(audience: string, token: string): AccessGrant | AccessDenial | undefined {
    const verdict = this.#authorize(token, parseAudience(audience));
    if (!verdict.accepted) return verdict;
    if (!this.#tokens.has(audience) && this.#tokens.size >= this.#maxClaims) return undefined;
    this.#tokens.set(audience, { token, scope: verdict.scope, expirySeconds: verdict.expirySeconds });
    return verdict;
  }

  /** The token that opens `resource` for longest, or why none does. */
  find(resource: Resource): AccessGrant | AccessDenial | undefined {
    let best: AccessGrant | AccessDenial | undefined;
    for (const { token } of this.#tokens.values()) {
      const verdict = this.#authorize(token, resource);
      const isBetter = verdict.accepted && (best?.accepted !== true || verdict.expirySeconds > best.expirySeconds);
      if (best === undefined || isBetter) best = verdict;
    }
    return best;
  }

  /** Whether one of them is for `resource`, be it that it has ended and its time of grace has not. */
  covers(resource: Resource): boolean {
    return [...this.#tokens.values()].some(({ scope }) => covers(scope, resource));
  }

  /** Whether none is left. */
  get isEmpty(): boolean {
    return this.#tokens.size === 0;
  }

  /** When the first of them ends, seconds since 1970; `undefined` without any. */
  firstExpirySeconds(): number | undefined {
    const expiries = [...this.#tokens.values()].map(({ expirySeconds }) => expirySeconds);
    return expiries.length === 0 ? undefined : Math.min(...expiries);
  }

  /** Forgets those that ended at this time or earlier. */
  forgetEnded(bySeconds: number): void {
    for (const [audience, { expirySeconds }] of this.#tokens) if (expirySeconds <= bySeconds) this.#tokens.delete(audience);
  }
}

/** `name` of put-token: a resource, percent-encoded or not, with or without a scheme. */
function parseAudience(audience: string): Resource {
  const text = (decodePercentOnce(audience) ?? audience).replace(SCHEMES, '');
  return parseResource(text.endsWith('/') ? text.slice(0, -1) : text);
}
