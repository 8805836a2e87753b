import type { AccessDenial, AccessGrant } from '../access/authorize.ts';
import { parseResource, type Resource } from '../access/resource-scope.ts';
import { decodePercentOnce } from '../access/sas-token.ts';

/** Whether a token lets a service do something with `resource`. */
export type AuthorizeToken = (token: string, resource: Resource) => AccessGrant | AccessDenial;

/** Schemes that stand before a host in an audience; `sb://` belongs to what Event Hubs clients sign, so it stays. */
const SCHEMES = /^(?:amqps?|https):\/\//i;

/** The tokens that one connection has shown. They are verified again for every link, against the clock and keys of that moment. */
export class Claims {
  readonly #authorize: AuthorizeToken;
  readonly #maxClaims: number;
  readonly #tokens = new Map<string, { readonly token: string; readonly expirySeconds: number }>();

  constructor(authorize: AuthorizeToken, maxClaims: number) {
    this.#authorize = authorize;
    this.#maxClaims = maxClaims;
  }

  /** Takes a token that is good for `audience`, in place of an older one for it; `undefined` when there are too many. */
  put(audience: string, token: string): AccessGrant | AccessDenial | undefined {
    const verdict = this.#authorize(token, parseAudience(audience));
    if (!verdict.accepted) return verdict;
    if (!this.#tokens.has(audience) && this.#tokens.size >= this.#maxClaims) return undefined;
    this.#tokens.set(audience, { token, expirySeconds: verdict.expirySeconds });
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

  /** When the last of them ends, seconds since 1970; `undefined` without any. */
  lastExpirySeconds(): number | undefined {
    const expiries = [...this.#tokens.values()].map(({ expirySeconds }) => expirySeconds);
    return expiries.length === 0 ? undefined : Math.max(...expiries);
  }
}

/** `name` of put-token: a resource, percent-encoded or not, with or without a scheme. */
function parseAudience(audience: string): Resource {
  const text = (decodePercentOnce(audience) ?? audience).replace(SCHEMES, '');
  return parseResource(text.endsWith('/') ? text.slice(0, -1) : text);
}
