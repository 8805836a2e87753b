import type { JsonLimits } from '../../../firmware/agent/json/json-limits.ts';

/** As wide as the guard goes: only the grammar refuses. */
export const WIDE_LIMITS: JsonLimits = { maxBytes: 10_000_000, maxDepth: 32, maxMembers: Infinity, maxNameBytes: 255 };

export type Verdict = { readonly ok: true; readonly value: unknown } | { readonly ok: false };

/** What Node says of these bytes: UTF-8 by TextDecoder, JSON by JSON.parse; and our two rules more: no half of a surrogate pair, no `__proto__`. */
export function judge(bytes: Uint8Array): Verdict {
  let value: unknown;
  let isRefused = false;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text, (name: string, inner: unknown) => {
      if (name === '__proto__' || isIllFormed(name) || (typeof inner === 'string' && isIllFormed(inner))) isRefused = true;
      return inner;
    });
    // A reviver does not see members that a later one of the same name replaced: the escapes are looked for in the text.
    if (hasHalfPair(text)) isRefused = true;
  } catch {
    return { ok: false };
  }
  return isRefused ? { ok: false } : { ok: true, value };
}

function isIllFormed(text: string): boolean {
  return /[\ud800-\udfff]/u.test(text);
}

/** The text is JSON: what follows a backslash is an escape. */
function hasHalfPair(text: string): boolean {
  const escapes = text.replace(/\\u([0-9a-fA-F]{4})|\\(.)/gs, (_, hex: string | undefined, other: string | undefined) =>
    hex === undefined ? (other ?? '') : String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return isIllFormed(escapes);
}
