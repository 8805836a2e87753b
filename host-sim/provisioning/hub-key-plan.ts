import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EFUSE_KEY_BYTES } from '../firmware/chips.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { deriveHubKey, type DeviceKey } from './device-key.ts';
import type { DeviceIdentity, KeySource } from './provision-inputs.ts';
import { readProvisionFolder, RECORD_FILE } from './provision-folder.ts';

export interface HubKeyFlags {
  readonly keyNumber?: number;
  readonly secretFile?: string;
}

/** Two keys for the registry; the owner wipes them. */
export interface HubKeyPair {
  readonly primary: Buffer;
  readonly secondary: Buffer;
}

/**
 * Which hub key a board derives from its secret; undefined where the key is the hub's own.
 * A key that is kept keeps its number: it stands in what an earlier `provision` has left in `folder`.
 */
export function keyNumberOf(flags: HubKeyFlags, key: KeySource, folder: string): number | undefined {
  if (key.type === 'new') return flags.keyNumber ?? 1;
  if (key.type !== 'kept') return undefined;
  return flags.keyNumber ?? (existsSync(join(folder, RECORD_FILE)) ? readProvisionFolder(folder).keyNumber : undefined);
}

/** Hub keys n and n + 1: the one that the board signs with, and the one that it changes over to. @throws ERR_FILE */
export function deriveHubKeys(flags: HubKeyFlags, { hub, deviceId }: DeviceIdentity, number: number | undefined, deviceKey: DeviceKey | undefined): HubKeyPair | undefined {
  const secret = number === undefined ? undefined : (deviceKey?.bytes ?? (flags.secretFile === undefined ? undefined : readSecretFile(flags.secretFile)));
  if (number === undefined || secret === undefined) return undefined;
  const pair = { primary: deriveHubKey(secret, hub, deviceId, number), secondary: deriveHubKey(secret, hub, deviceId, number + 1) };
  if (deviceKey === undefined) secret.fill(0);
  return pair;
}

function readSecretFile(file: string): Buffer {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new CliError('ERR_FILE', EXIT.configuration, `cannot read ${file}`, 'check the path and that this user may read the file', { cause });
  }
  if (bytes.length === EFUSE_KEY_BYTES) return bytes;
  throw new CliError('ERR_FILE', EXIT.configuration, `${file} has ${bytes.length} bytes, a secret has ${EFUSE_KEY_BYTES}`, 'give the file that --save-secret wrote');
}
