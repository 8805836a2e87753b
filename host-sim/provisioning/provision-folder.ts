import { chmodSync, closeSync, existsSync, fsyncSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import { makeFolder } from '../board/make-folder.ts';
import { replaceFile } from '../board/replace-file.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import type { ChipName } from '../firmware/chips.ts';
import type { ProvisionPlan } from './plan.ts';

export const RECORD_FILE = 'provision.json';
const RECORD_VERSION = 1;
/** What provisioning writes into its folder; anything else in it is the user's, such as a saved key. */
const OURS = /^(?:(?:nvs|nvs_keys|signer|efuse-key\d)\.bin|(?:primary|secondary)\.key|provision\.json)$/;

export interface ProvisionRecord {
  readonly version: number;
  readonly chip: ChipName;
  readonly hub: string;
  readonly deviceId: string;
  /** Which hub key the board derives, where its key is a secret. */
  readonly keyNumber?: number | undefined;
  /** Settings under `--release` are encrypted, and only a firmware of that kind reads them. */
  readonly isNvsEncrypted: boolean;
  /** What `latchkey flash` writes; `file` is beside the record. */
  readonly images: readonly { readonly partition: string; readonly offset: number; readonly sizeBytes: number; readonly file: string }[];
  readonly erases: readonly { readonly partition: string; readonly offset: number; readonly sizeBytes: number }[];
  /** Blocks that the firmware expects to be burnt. */
  readonly blocks: readonly { readonly block: number; readonly use: 'signer' | 'nvs' }[];
}

/**
 * Writes what a board gets: folder 0700, files 0600. They hold the Wi-Fi password, and the device key where no eFuse takes it.
 * @throws ERR_PROVISION when the folder holds something else
 */
export function writeProvisionFolder(folder: string, plan: ProvisionPlan, identity: { readonly hub: string; readonly deviceId: string; readonly keyNumber?: number | undefined }): ProvisionRecord {
  if (existsSync(folder) && !existsSync(join(folder, RECORD_FILE)) && readdirSync(folder).length > 0) {
    throw new CliError('ERR_PROVISION', EXIT.configuration, `${folder} holds other files`, 'name an empty folder, or one that provision has made: --out FOLDER');
  }
  makeFolder(folder, 0o700);
  chmodSync(folder, 0o700);
  for (const file of readdirSync(folder).filter(isOurs)) wipeFile(join(folder, file));
  for (const { partition, bytes } of plan.images) replaceFile(join(folder, `${partition.label}.bin`), bytes);
  const record: ProvisionRecord = {
    version: RECORD_VERSION,
    chip: plan.chip.name,
    hub: identity.hub,
    deviceId: identity.deviceId,
    keyNumber: identity.keyNumber,
    isNvsEncrypted: plan.isNvsEncrypted,
    images: plan.images.map(({ partition }) => ({ partition: partition.label, offset: partition.offset, sizeBytes: partition.sizeBytes, file: `${partition.label}.bin` })),
    erases: plan.erases.map(({ label, offset, sizeBytes }) => ({ partition: label, offset, sizeBytes })),
    blocks: plan.burns.map(({ block, use }) => ({ block, use })),
  };
  replaceFile(join(folder, RECORD_FILE), `${JSON.stringify(record, undefined, 2)}\n`);
  return record;
}

/** @throws ERR_PROVISION */
export function readProvisionFolder(folder: string): ProvisionRecord {
  let record: unknown;
  try {
    record = JSON.parse(readFileSync(join(folder, RECORD_FILE), 'utf8'));
  } catch (cause) {
    throw new CliError('ERR_PROVISION', EXIT.configuration, `${folder} holds no ${RECORD_FILE}`, 'make it: latchkey provision', { cause });
  }
  if (!isRecord(record)) throw new CliError('ERR_PROVISION', EXIT.configuration, `${join(folder, RECORD_FILE)} is not of this version`, 'run latchkey provision again');
  return record;
}

const isOurs = (file: string): boolean => OURS.test(file);

/** Overwrites a file before it goes, as far as a file system lets one. */
function wipeFile(path: string): void {
  if (!existsSync(path)) return;
  const status = statSync(path);
  if (status.isFile()) {
    replaceInPlace(path, status.size);
    rmSync(path);
  }
}

function replaceInPlace(path: string, sizeBytes: number): void {
  const file = openSync(path, 'r+');
  try {
    writeSync(file, Buffer.alloc(sizeBytes), 0, sizeBytes, 0);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function isRecord(value: unknown): value is ProvisionRecord {
  if (typeof value !== 'object' || value === null || !('version' in value) || value.version !== RECORD_VERSION) return false;
  const { images, erases } = value as Partial<ProvisionRecord>;
  return Array.isArray(images) && Array.isArray(erases) && images.every(({ file, offset }) => typeof file === 'string' && basename(file) === file && Number.isInteger(offset));
}
