import { EFUSE_KEY_BLOCKS, titleOf } from '../chip-tools/esp-chips.ts';
import { NVS_EFUSE_BLOCK, type Chip } from '../firmware/chips.ts';
import { formatKeyImage, type ChipKeyEntry } from '../firmware/key-image.ts';
import { PARTITION, type Partition } from '../firmware/partition-table.ts';
import type { NvsEntry } from '../nvs/format.ts';
import { deriveNvsKeys, encodeNvsKeys, type NvsKeys } from '../nvs/nvs-keys.ts';
import { encodeNvs } from '../nvs/nvs-writer.ts';
import { KEY_SLOT, SETTINGS_DOMAIN } from '../simulation/device-folder.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { toEfuseKey, type DeviceKey } from './device-key.ts';

export type KeyPlace = 'efuse' | 'partition';

/** How NVS is kept: as it is, under keys from an eFuse HMAC key, or under keys in the partition `nvs_keys`. */
export type NvsProtection =
  | { readonly type: 'plain' }
  | { readonly type: 'hmac'; readonly hmacKey: Buffer; /** Burnt already, on an earlier day. */ readonly isBurnt: boolean }
  | { readonly type: 'keys'; readonly keys: NvsKeys };

export interface ProvisionRequest {
  readonly chip: Chip;
  readonly partitions: readonly Partition[];
  /** Under the keys of firmware/app/settings.ts. */
  readonly settings: Readonly<Record<string, string | Uint8Array>>;
  /** `undefined`: the key on the board stays. */
  readonly key: { readonly deviceKey: DeviceKey; readonly place: KeyPlace; readonly prefixes: readonly string[] } | undefined;
  readonly signerBlock: number;
  readonly nvs: NvsProtection;
}

/** A partition that is written whole. */
export interface PlannedImage {
  readonly partition: Partition;
  readonly what: string;
  readonly bytes: Buffer;
}

/** An eFuse block that is written once and for ever, read- and write-protected. */
export interface PlannedBurn {
  readonly block: number;
  readonly purpose: 'HMAC_UP';
  readonly use: 'signer' | 'nvs';
  readonly key: Buffer;
}

/** All that changes on a board. Holds secrets: `wipePlan`. */
export interface ProvisionPlan {
  readonly chip: Chip;
  readonly images: readonly PlannedImage[];
  /** Partitions that are erased: what an earlier device has left there. */
  readonly erases: readonly Partition[];
  readonly burns: readonly PlannedBurn[];
  readonly settingNames: readonly string[];
  readonly isNvsEncrypted: boolean;
}

/** @throws ERR_EFUSE, ERR_KEY, ERR_PARTITIONS, and what NvsError and KeyFileError say */
export function planProvisioning(request: ProvisionRequest): ProvisionPlan {
  const { chip, partitions, settings, key, nvs } = request;
  checkBlocks(request);
  const burns: PlannedBurn[] = [];
  const images: PlannedImage[] = [planNvs(findPartition(partitions, PARTITION.nvs), settings, nvs)];
  if (nvs.type === 'keys') {
    const partition = findPartition(partitions, PARTITION.nvsKeys);
    images.push({ partition, what: 'the keys of the encrypted settings', bytes: Buffer.from(encodeNvsKeys(nvs.keys, partition.sizeBytes)) });
  }
  if (key !== undefined) {
    images.push(planSigner(findPartition(partitions, PARTITION.signer), request, key));
    if (key.place === 'efuse') burns.push({ block: request.signerBlock, purpose: 'HMAC_UP', use: 'signer', key: toEfuseKey(key.deviceKey) });
  }
  if (nvs.type === 'hmac' && !nvs.isBurnt) burns.push({ block: NVS_EFUSE_BLOCK, purpose: 'HMAC_UP', use: 'nvs', key: Buffer.from(nvs.hmacKey) });
  const erases = key === undefined ? [] : [findPartition(partitions, PARTITION.durable)];
  return { chip, images, erases, burns, settingNames: Object.keys(settings), isNvsEncrypted: nvs.type !== 'plain' };
}

export function wipePlan(plan: ProvisionPlan): void {
  for (const { bytes } of plan.images) bytes.fill(0);
  for (const { key } of plan.burns) key.fill(0);
}

function checkBlocks({ chip, key, nvs, signerBlock }: ProvisionRequest): void {
  const usesEfuse = key?.place === 'efuse' || nvs.type === 'hmac';
  if (usesEfuse && !chip.hasHmac) throw refused(`${titleOf(chip)} has no HMAC peripheral`, 'its keys lie in encrypted partitions: --key-store partition');
  if (chip.hasHmac && nvs.type === 'keys') throw refused(`${titleOf(chip)} takes the keys of NVS from an eFuse block`, 'leave the keys partition to the classic ESP32');
  if (key?.place !== 'efuse') return;
  if (!Number.isInteger(signerBlock) || signerBlock < 0 || signerBlock >= EFUSE_KEY_BLOCKS) throw refused(`BLOCK_KEY${signerBlock} is no key block`, `give 0 to ${EFUSE_KEY_BLOCKS - 1}`);
  if (signerBlock === NVS_EFUSE_BLOCK) {
    throw refused(
      `BLOCK_KEY${NVS_EFUSE_BLOCK} is that of NVS encryption: its HMACs of two public constants are the keys of the settings, so the signer must not use it`,
      `give another one: --signer-block 0 to ${NVS_EFUSE_BLOCK - 1}`,
    );
  }
}

function planNvs(partition: Partition, settings: ProvisionRequest['settings'], nvs: NvsProtection): PlannedImage {
  const entries = Object.entries(settings).map(([key, value]): NvsEntry => {
    const place = { namespace: SETTINGS_DOMAIN, key };
    return typeof value === 'string' ? { ...place, type: 'string', value } : { ...place, type: 'blob', value };
  });
  const keys = nvs.type === 'plain' ? undefined : nvs.type === 'keys' ? nvs.keys : deriveNvsKeys(nvs.hmacKey);
  const bytes = encodeNvs(entries, { sizeBytes: partition.sizeBytes, keys });
  if (nvs.type === 'hmac') keys?.fill(0);
  return { partition, what: `${entries.length} settings, ${nvs.type === 'plain' ? 'readable' : 'encrypted'}`, bytes };
}

function planSigner(partition: Partition, { signerBlock }: ProvisionRequest, key: NonNullable<ProvisionRequest['key']>): PlannedImage {
  const { prefixes } = key;
  const entry: ChipKeyEntry = key.place === 'efuse'
    ? { slot: KEY_SLOT, efuseBlock: signerBlock, prefixes }
    : { slot: KEY_SLOT, keyBase64: key.deviceKey.bytes.toString('base64'), prefixes };
  const bytes = formatKeyImage([entry], partition.sizeBytes);
  return { partition, what: key.place === 'efuse' ? `where the key is (BLOCK_KEY${signerBlock}) and what it may sign for` : 'the key, and what it may sign for', bytes };
}

const refused = (message: string, remedy: string): CliError => new CliError('ERR_EFUSE', EXIT.configuration, message, remedy);

function findPartition(partitions: readonly Partition[], label: string): Partition {
  const found = partitions.find((partition) => partition.label === label);
  if (found !== undefined) return found;
  throw new CliError('ERR_PARTITIONS', EXIT.configuration, `the partition table has no partition "${label}"`, 'compare it with manifests/partitions.csv');
}
