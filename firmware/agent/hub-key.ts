/**
 * The label of hub key `n`: HMAC-SHA256 of it with the device's secret is the key that the registry knows. Derived in C, never seen by
 * JavaScript; a new `n` is a new key for the same secret.
 */
export function hubKeyLabel(hub: string, deviceId: string, n: number): string {
  return `latchkey-hub-key-v1\n${hub}\n${deviceId}\n${n}`;
}
