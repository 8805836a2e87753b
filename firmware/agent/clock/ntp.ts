/** SNTP, the client's side. @see RFC 5905, section 7.3 */

export const NTP_PACKET_BYTES = 48;
/** Seconds from 1900 to 1970. */
const NTP_TO_UNIX_SECONDS = 2_208_988_800;
const NTP_ERA_SECONDS = 2 ** 32;

const LEAP_UNSYNCHRONISED = 3;
const MODE_CLIENT = 3;
const MODE_SERVER = 4;
const VERSION = 4;
const ORIGINATE = 24;
const TRANSMIT = 40;

/**
 * A query whose transmit timestamp is `nonce` (8 bytes, random): it tells nobody our clock, and the answer must repeat it.
 */
export function encodeNtpQuery(nonce: Uint8Array): Uint8Array {
  const query = new Uint8Array(NTP_PACKET_BYTES);
  query[0] = (VERSION << 3) | MODE_CLIENT;
  query.set(nonce, TRANSMIT);
  return query;
}

/**
 * The server's time in milliseconds since 1970, in the era that does not lie before `floorMs`; `undefined` when the
 * answer is not one to the query of `nonce`, or says that the server has no time.
 */
export function parseNtpAnswer(bytes: Uint8Array, nonce: Uint8Array, floorMs: number): number | undefined {
  if (bytes.length < NTP_PACKET_BYTES) return undefined;
  const first = bytes[0] ?? 0;
  const stratum = bytes[1] ?? 0;
  if ((first & 7) !== MODE_SERVER || first >> 6 === LEAP_UNSYNCHRONISED || stratum === 0 || stratum > 15) return undefined;
  for (let i = 0; i < 8; i++) {
    if (bytes[ORIGINATE + i] !== nonce[i]) return undefined;
  }
  const seconds = readUint32(bytes, TRANSMIT);
  const fraction = readUint32(bytes, TRANSMIT + 4);
  if (seconds === 0 && fraction === 0) return undefined;
  let unixMs = (seconds - NTP_TO_UNIX_SECONDS) * 1000 + Math.round((fraction * 1000) / NTP_ERA_SECONDS);
  while (unixMs < floorMs) unixMs += NTP_ERA_SECONDS * 1000;
  return unixMs;
}

function readUint32(bytes: Uint8Array, offset: number): number {
  let value = 0;
  for (let i = 0; i < 4; i++) value = value * 256 + (bytes[offset + i] ?? 0);
  return value;
}
