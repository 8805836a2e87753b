import type { Random } from '../../host-sim/time/seeded-random.ts';

export interface MutateOptions {
  readonly maxInputBytes: number;
  /** Bytes that mean something to what is fuzzed. */
  readonly telling: readonly number[];
}

/** One of `list`. */
export function pick<T>(list: readonly T[], random: Random): T {
  return list[Math.floor(random() * list.length)]!;
}

/** `bytes` with one to eight changes, each at a drawn place; parts come from `other`, too. */
export function mutate(bytes: Uint8Array, other: Uint8Array, { maxInputBytes, telling }: MutateOptions, random: Random): Uint8Array {
  let out = bytes;
  const changes = 1 + Math.floor(random() * random() * 8);
  for (let i = 0; i < changes; i++) out = change(out, other, telling, random);
  return out.subarray(0, maxInputBytes);
}

function change(bytes: Uint8Array, other: Uint8Array, telling: readonly number[], random: Random): Uint8Array {
  const place = (length: number): number => Math.floor(random() * (length + 1));
  const at = place(bytes.length);
  const end = Math.min(bytes.length, at + place(8));
  switch (Math.floor(random() * 7)) {
    case 0:
      return withByte(bytes, at, (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8)));
    case 1:
      return withByte(bytes, at, pick(telling, random));
    case 2:
      return withByte(bytes, at, (bytes[at] ?? 0) + (random() < 0.5 ? 1 : 255));
    case 3:
      return join(bytes.subarray(0, at), bytes.subarray(end));
    case 4:
      return join(bytes.subarray(0, at), Uint8Array.of(pick(telling, random), pick(telling, random)), bytes.subarray(at));
    case 5: {
      const from = place(other.length);
      return join(bytes.subarray(0, at), other.subarray(from, from + place(64)), bytes.subarray(at));
    }
    default:
      return join(bytes.subarray(0, end), bytes.subarray(at));
  }
}

function withByte(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const out = Uint8Array.from(bytes);
  if (at < out.length) out[at] = value;
  return out;
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}
