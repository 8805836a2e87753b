import type { Random } from '../../host-sim/time/seeded-random.ts';

/** Bytes that mean something in MQTT: first bytes, lengths around their limits, wildcards, bytes of UTF-8. */
const TELLING = [0x00, 0x01, 0x02, 0x03, 0x20, 0x23, 0x2b, 0x30, 0x32, 0x34, 0x36, 0x3b, 0x40, 0x7f, 0x80, 0x81, 0x90, 0xb0, 0xbf, 0xc3, 0xd0, 0xed, 0xf0, 0xff];

/** One of `list`. */
export function pick<T>(list: readonly T[], random: Random): T {
  return list[Math.floor(random() * list.length)]!;
}

/** `bytes` with one to eight changes, each at a drawn place; parts come from `other`, too. At most `maxBytes` long. */
export function mutate(bytes: Uint8Array, other: Uint8Array, maxBytes: number, random: Random): Uint8Array {
  let out = bytes;
  const changes = 1 + Math.floor(random() * random() * 8);
  for (let i = 0; i < changes; i++) out = change(out, other, random);
  return out.subarray(0, maxBytes);
}

function change(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const place = (length: number): number => Math.floor(random() * (length + 1));
  const at = place(bytes.length);
  const end = Math.min(bytes.length, at + place(8));
  switch (Math.floor(random() * 7)) {
    case 0:
      return withByte(bytes, at, (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8)));
    case 1:
      return withByte(bytes, at, pick(TELLING, random));
    case 2:
      return withByte(bytes, at, (bytes[at] ?? 0) + (random() < 0.5 ? 1 : 255));
    case 3:
      return join(bytes.subarray(0, at), bytes.subarray(end));
    case 4:
      return join(bytes.subarray(0, at), Uint8Array.of(pick(TELLING, random), pick(TELLING, random)), bytes.subarray(at));
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
