import { createHmac, randomBytes } from 'node:crypto';
import { hubKeyLabel } from '../../firmware/agent/hub-key.ts';
import { EFUSE_KEY_BYTES } from '../firmware/chips.ts';
import { decodeKey } from '../hub/access/symmetric-key.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';

/** What the device will sign with. The owner wipes it: `wipeKey`. */
export interface DeviceKey {
  readonly bytes: Buffer;
}

/** @throws ERR_KEY; the text does not hold the key */
export function decodeDeviceKey(base64: string, owner: string): DeviceKey {
  return { bytes: Buffer.from(decodeKey(base64, owner)) };
}

/** A new secret; hub keys are derived from it, so that they can be replaced where the secret cannot (docs/security.md). */
export function generateDeviceSecret(): DeviceKey {
  return { bytes: randomBytes(EFUSE_KEY_BYTES) };
}

export function wipeKey(key: DeviceKey): void {
  key.bytes.fill(0);
}

/** Hub key n, for the registry. The owner wipes it. */
export function deriveHubKey(secret: Uint8Array, hub: string, deviceId: string, n: number): Buffer {
  return createHmac('sha256', secret).update(hubKeyLabel(hub, deviceId, n)).digest();
}

/**
 * The key of one registration of a DPS enrolment group; the group's key stays on this machine.
 * @see Azure: "Symmetric key attestation", group enrolments
 */
export function deriveRegistrationKey(groupKey: Uint8Array, registrationId: string): Buffer {
  return createHmac('sha256', groupKey).update(registrationId).digest();
}

/**
 * The key as an eFuse block holds it: HMAC pads a key with zeros, so a shorter one signs the same when the block does.
 * @throws ERR_KEY when it is longer
 */
export function toEfuseKey(key: DeviceKey): Buffer {
  if (key.bytes.length > EFUSE_KEY_BYTES) {
    throw new CliError(
      'ERR_KEY', EXIT.configuration, `a key of ${key.bytes.length} bytes does not fit an eFuse block, which holds ${EFUSE_KEY_BYTES}`,
      'let provision make one that fits and give it to the hub: --new-key',
    );
  }
  const block = Buffer.alloc(EFUSE_KEY_BYTES);
  key.bytes.copy(block);
  return block;
}
