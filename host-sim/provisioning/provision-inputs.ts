import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { projectPath } from '../board/project-path.ts';
import type { Chip } from '../firmware/chips.ts';
import { readPartitionTable } from '../firmware/partition-table.ts';
import { generateNvsKeys, HMAC_KEY_BYTES } from '../nvs/nvs-keys.ts';
import { readFirstSet } from '../roots/first-set.ts';
import { deviceSettings, prefixesOf, type DeviceSetup, type DpsSetup } from '../simulation/device-folder.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import type { HostAndPort } from '../terminal/option-values.ts';
import { readRoots } from '../terminal/root-files.ts';
import { decodeDeviceKey, deriveRegistrationKey, generateDeviceSecret, type DeviceKey } from './device-key.ts';
import { findGatewayRoot } from './gateway-root.ts';
import type { KeyPlace, NvsProtection, ProvisionRequest } from './plan.ts';
import { wifiSettings, type Wifi } from './wifi.ts';

export interface DeviceIdentity {
  readonly hub: string;
  readonly deviceId: string;
  readonly moduleId?: string | undefined;
  readonly policyName?: string | undefined;
}

export type KeySource =
  | { readonly type: 'given'; readonly keyBase64: string; readonly owner: string }
  | { readonly type: 'group'; readonly keyBase64: string; readonly owner: string; readonly registrationId: string }
  | { readonly type: 'new' }
  /** The key on the board stays. */
  | { readonly type: 'kept' };

/** What the user said, checked; the secrets in it are the caller's to forget. */
export interface ProvisionInputs {
  readonly chip: Chip;
  readonly isRelease: boolean;
  readonly keyPlace?: KeyPlace | undefined;
  readonly signerBlock: number;
  readonly identity: DeviceIdentity;
  readonly dps?: DpsSetup | undefined;
  readonly key: KeySource;
  readonly wifi: Wifi | undefined;
  readonly gateway?: HostAndPort | undefined;
  readonly roots?: readonly string[] | undefined;
  /** A bundle whose roots and keys the board begins with, instead of `roots`. */
  readonly rootsBundle?: string | undefined;
  readonly recoveryHosts?: readonly string[] | undefined;
  readonly ntp: readonly string[];
  readonly date?: string | undefined;
  readonly tokenLifeSeconds?: number | undefined;
  readonly telemetryIntervalMs?: number | undefined;
  /** Holds the key that BLOCK_KEY5 was given on an earlier day. */
  readonly nvsKeyFile?: string | undefined;
  /** Which hub key a board derives whose key is a secret. */
  readonly keyNumber?: number | undefined;
  /** `thermostat` or `load`. */
  readonly application?: string | undefined;
}

export interface PreparedRequest {
  readonly request: ProvisionRequest;
  /** For hub keys that are derived from it; the caller wipes it. */
  readonly deviceKey: DeviceKey | undefined;
}

/** @throws ERR_KEY, ERR_ROOTS, ERR_PROVISION */
export function prepareRequest(inputs: ProvisionInputs): PreparedRequest {
  const { chip, identity, dps } = inputs;
  const deviceKey = makeKey(inputs.key);
  const settings = {
    ...deviceSettings({
      hub: identity.hub, deviceId: identity.deviceId, moduleId: identity.moduleId, dps,
      gateway: inputs.gateway?.host, port: inputs.gateway?.port ?? 8883,
      ...rootsOf(inputs),
      tokenLifeSeconds: inputs.tokenLifeSeconds, telemetryIntervalMs: inputs.telemetryIntervalMs, ntp: inputs.ntp, date: inputs.date,
    }),
    ...wifiSettings(inputs.wifi),
    ...(identity.policyName !== undefined && { skn: identity.policyName }),
    ...(inputs.application !== undefined && { app: inputs.application }),
    ...(inputs.keyNumber !== undefined && { keyn: String(inputs.keyNumber) }),
  };
  const place = inputs.keyPlace ?? (inputs.isRelease && chip.hasHmac ? 'efuse' : 'partition');
  return {
    request: {
      chip, settings, partitions: readPartitionTable(chip.partitions), signerBlock: inputs.signerBlock,
      key: deviceKey === undefined ? undefined : { deviceKey, place, prefixes: prefixesOf({ ...identity, dps }) },
      nvs: protectionOf(inputs),
    },
    deviceKey,
  };
}

/** The roots to begin with, and how others come. */
function rootsOf({ rootsBundle, recoveryHosts, roots, gateway }: ProvisionInputs): Pick<DeviceSetup, 'roots' | 'updates'> {
  if (rootsBundle !== undefined) return readFirstSet(rootsBundle, recoveryHosts);
  return { roots: roots === undefined && gateway !== undefined ? readRoots([findGatewayRoot(gateway.host)]) : readRoots(roots) };
}

/** @throws ERR_KEY */
export function makeKey(source: KeySource): DeviceKey | undefined {
  switch (source.type) {
    case 'given': return decodeDeviceKey(source.keyBase64, source.owner);
    case 'new': return generateDeviceSecret();
    case 'kept': return undefined;
    case 'group': {
      const group = decodeDeviceKey(source.keyBase64, source.owner);
      const bytes = deriveRegistrationKey(group.bytes, source.registrationId);
      group.bytes.fill(0);
      return { bytes };
    }
  }
}

function protectionOf({ chip, isRelease, nvsKeyFile, key }: ProvisionInputs): NvsProtection {
  if (!isRelease) return { type: 'plain' };
  if (!chip.hasHmac) return { type: 'keys', keys: generateNvsKeys() };
  if (nvsKeyFile !== undefined) return { type: 'hmac', hmacKey: readNvsKey(nvsKeyFile), isBurnt: true };
  if (key.type !== 'kept') return { type: 'hmac', hmacKey: randomBytes(HMAC_KEY_BYTES), isBurnt: false };
  throw new CliError(
    'ERR_PROVISION', EXIT.configuration, 'the settings of this board are encrypted under the key in BLOCK_KEY5, which nobody can read any more',
    'give the file that --save-nvs-key wrote when the board was provisioned: --nvs-key FILE',
  );
}

function readNvsKey(file: string): Buffer {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new CliError('ERR_FILE', EXIT.configuration, `cannot read ${file}`, 'check the path and that this user may read the file', { cause });
  }
  if (bytes.length === HMAC_KEY_BYTES) return bytes;
  throw new CliError('ERR_FILE', EXIT.configuration, `${file} has ${bytes.length} bytes, a key of NVS has ${HMAC_KEY_BYTES}`, 'give the file that --save-nvs-key wrote');
}

/** The folder that is taken when none is named. */
export function defaultFolder(deviceId: string): string {
  return projectPath(`.build/provision/${deviceId.replace(/[^A-Za-z0-9._-]/g, '_')}`);
}
