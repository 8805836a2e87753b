const NTP_TO_UNIX_SECONDS = 2_208_988_800;

/** The answer of a good server of stratum 2 to `query`. @see RFC 5905, section 7.3 */
export function ntpAnswer(query: Uint8Array, unixMs: number): Uint8Array {
  const bytes = Buffer.alloc(48);
  bytes[0] = 0x24;
  bytes[1] = 2;
  bytes.set(query.subarray(40, 48), 24);
  bytes.writeUInt32BE((Math.floor(unixMs / 1000) + NTP_TO_UNIX_SECONDS) % 2 ** 32, 40);
  bytes.writeUInt32BE(Math.floor(((unixMs % 1000) / 1000) * 2 ** 32), 44);
  return bytes;
}
