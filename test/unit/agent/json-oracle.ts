import type { JsonLimits } from '../../../firmware/agent/json/json-limits.ts';

/** As wide as the guard goes: only the grammar refuses. */
export const WIDE_LIMITS: JsonLimits = { maxBytes: 10_000_000, maxDepth: 32, maxMembers: Infinity, maxNameBytes: 255 };

export type Verdict = { readonly ok: true; readonly value: unknown; readonly hasProto: boolean } | { readonly ok: false };

/** What Node says of these bytes: UTF-8 by TextDecoder, JSON by JSON.parse; and one rule more: no half of a surrogate pair. */
export function judge(bytes: Uint8Array): Verdict {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const value: unknown = JSON.parse(text);
    const plain = withoutEscapes(text);
    // Its members may have been replaced by later ones of the same name: the escapes are looked for in the text.
    return /\p{Surrogate}/u.test(plain) ? { ok: false } : { ok: true, value, hasProto: /"__proto__"\s*:/.test(plain) };
  } catch {
    return { ok: false };
  }
}

/** The text is JSON: what follows a backslash is an escape. An escaped quotation mark is left out, so that it ends nothing. */
function withoutEscapes(text: string): string {
  return text.replace(/\\u([0-9a-fA-F]{4})|\\(.)/gs, (_, hex: string | undefined, other: string | undefined) => {
    if (hex === undefined) return other === '"' ? '' : (other ?? '');
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return character === '"' ? '' : character;
  });
}

/** `bytes` in pieces that end at `cuts`. */
export function cutAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...ends, bytes.length].map((end, index) => bytes.slice(ends[index - 1] ?? 0, end));
}

/** `bytes` in pieces of `size`. */
export function cutEvery(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.slice(index * size, (index + 1) * size));
}

export interface TwinJudgement {
  readonly desired: { readonly version: number; readonly values: ReadonlyMap<string, unknown> };
  readonly reported: { readonly version: number; readonly values: ReadonlyMap<string, unknown> } | undefined;
}

/** What JSON.parse gives of a twin answer or patch, reduced to what was registered. `undefined`: Node refuses it, or it is no twin. */
export function judgeTwin(bytes: Uint8Array, form: 'answer' | 'patch', desired: readonly string[], reported: readonly string[]): TwinJudgement | undefined {
  const verdict = judge(bytes);
  if (!verdict.ok || !isObject(verdict.value)) return undefined;
  const twin = form === 'answer' ? verdict.value : { desired: verdict.value };
  if (!isObject(twin['desired']) || (Object.hasOwn(twin, 'reported') && !isObject(twin['reported']))) return undefined;
  const [first, second] = [sectionOf(twin['desired'], desired), isObject(twin['reported']) ? sectionOf(twin['reported'], reported) : undefined];
  return first === undefined || (isObject(twin['reported']) && second === undefined) ? undefined : { desired: first, reported: second };
}

function sectionOf(part: Readonly<Record<string, unknown>>, names: readonly string[]): TwinJudgement['desired'] | undefined {
  const version = part['$version'];
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 0) return undefined;
  return { version, values: new Map(names.filter((name) => Object.hasOwn(part, name)).map((name) => [name, part[name]])) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
