import { readdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';

import { projectPath } from '../board/project-path.ts';
import { FLASH_SIZE_BYTES, NVS_EFUSE_BLOCK, PARTITION_TABLE_OFFSET, SIGNER_EFUSE_BLOCKS } from './chips.ts';
import type { Chip } from './chips.ts';
import { besideManifest, listOf, projectPathOf, readManifestTree, readProjectFile } from './manifest-tree.ts';
import type { ManifestFile, ReadProjectFile } from './manifest-tree.ts';
import { repeatedNames } from './repeated-names.ts';
import { PARTITION, parsePartitionTable } from './partition-table.ts';
import type { Partition } from './partition-table.ts';
import { fragmentNames, mergeSdkconfig, parseSdkconfig } from './sdkconfig.ts';
import type { SdkconfigOptions } from './sdkconfig.ts';

/** What a rule found. */
export interface Finding {
  readonly rule: RuleName;
  readonly file: string;
  /** What is wrong, and what it would do on the chip. */
  readonly message: string;
}

export type RuleName =
  | 'missing-file' | 'repeated-name' | 'sdk-declarations' | 'tcp-listener' | 'preload-typescript' | 'preload-unknown' | 'build-block-last' | 'native-stack' | 'creation'
  | 'sdkconfig-comment' | 'sdkconfig-value' | 'date-checks' | 'dynamic-buffers' | 'buffer-sizes' | 'efuse-block' | 'image-validation' | 'rollback' | 'watchdog'
  | 'nvs-encryption' | 'debug-output' | 'hardening'
  | 'partition-missing' | 'partition-overlap' | 'partition-size' | 'partition-alignment' | 'signer-reachable' | 'signer-plain';

/** The JS task's C stack: 10 KB by default; a TLS handshake with a P-256 chain takes 6 to 7 KB of it below XS's own frames. */
export const MIN_NATIVE_STACK_BYTES = 16 * 1024;
const TLS_IN_BYTES = 16384;
const TLS_OUT_BYTES = 4096;
const TCP_MODULE = 'embedded:io/socket/tcp';
const LISTENER_MODULE = 'embedded:io/socket/listener';
/** Of `C_FLAGS` in the SDK's tools/mcconfig/make.esp32.mk; a manifest's `C_FLAGS` takes the place of all of it. */
const SDK_FLAGS = ['$(C_COMMON_FLAGS)', '-Wno-implicit-function-declaration', '-std=gnu17'];
const SECTOR_BYTES = 0x1000;
const APP_ALIGNMENT_BYTES = 0x10000;
/** The SDK's flash module opens partitions of this type by their label, and 0x40 with subtype 1. */
const DATA_TYPES = ['data', '1', '0x1', '0x01'];
const MODS_TYPES = ['0x40', '64'];

/** Looks at everything that an image is made of and that needs no SDK. */
export function checkImage(options: SdkconfigOptions, read: ReadProjectFile = readProjectFile): Finding[] {
  return [...checkManifests(options.chip, read), ...checkSdkconfig(options, read), ...checkPartitions(options.chip, read)];
}

function checkManifests(chip: Chip, read: ReadProjectFile): Finding[] {
  const findings: Finding[] = [];
  const add = (rule: RuleName, file: string, message: string): void => void findings.push({ rule, file, message });
  let tree: ManifestFile[];
  try {
    tree = readManifestTree(chip.manifest, read);
  } catch (error) {
    return [{ rule: 'missing-file', file: chip.manifest, message: (error as Error).message }];
  }
  for (const { path } of tree) {
    for (const name of repeatedNames(read(path) ?? '')) add('repeated-name', path, `"${name}" stands twice in one object: JSON keeps the last, and the first is lost without a word`);
  }
  const flags = tree.map(({ manifest }) => manifest.build?.C_FLAGS).find((value) => value !== undefined);
  if (flags !== undefined && !SDK_FLAGS.every((flag) => flags.split(' ').includes(flag))) {
    add('sdk-declarations', tree[0]!.path, `C_FLAGS replaces the SDK's own and is to keep ${SDK_FLAGS.join(' ')}: files of the SDK call functions that they do not declare, and do not compile otherwise`);
  }
  const specifiers = new Set(tree.flatMap(({ manifest }) => Object.keys(manifest.modules ?? {})));
  for (const { path, manifest } of tree) {
    for (const source of Object.values(manifest.modules ?? {}).flatMap(listOf)) {
      const file = projectPathOf(path, source);
      if (file !== undefined && !matchesFile(file)) add('missing-file', path, `${source} matches no file: mcconfig would only warn, and the linker fail or the module be missing`);
    }
    for (const specifier of listOf(manifest.preload)) {
      if (specifier.includes('*')) add('preload-typescript', path, `"${specifier}": a wildcard preloads .js files only, TypeScript ones stay in RAM; name each module`);
      else if (!specifiers.has(specifier)) add('preload-unknown', path, `"${specifier}" is preloaded and is no module of the manifests`);
    }
  }
  if (specifiers.has(TCP_MODULE) && !specifiers.has(LISTENER_MODULE)) {
    add('tcp-listener', tree[0]!.path, `${TCP_MODULE} is there without ${LISTENER_MODULE}: both are one C file, which then does not compile`);
  }
  const root = tree[0]!;
  const last = listOf(root.manifest.include).at(-1);
  const lastBuild = last === undefined ? undefined : tree.find(({ path }) => path === projectPathOf(root.path, last))?.manifest.build;
  if (lastBuild?.SDKCONFIGPATH === undefined || lastBuild.PARTITIONS_FILE === undefined || root.manifest.platforms !== undefined) {
    add('build-block-last', root.path, 'SDKCONFIGPATH and PARTITIONS_FILE are to be set by the last manifest in "include": the build block of an SDK target would override them');
  } else {
    const partitions = projectPathOf(besideManifest(root.path, basename(last!)), lastBuild.PARTITIONS_FILE);
    if (partitions === undefined || read(partitions) === undefined) add('missing-file', root.path, `${lastBuild.PARTITIONS_FILE} is missing`);
    else if (basename(partitions) !== chip.partitions) add('missing-file', root.path, `${chip.name} takes ${chip.partitions}, the manifest ${basename(partitions)}`);
  }
  checkCreation(tree, add);
  return findings;
}

function checkCreation(tree: readonly ManifestFile[], add: (rule: RuleName, file: string, message: string) => void): void {
  const blocks = tree.filter(({ manifest }) => manifest.creation !== undefined);
  const [block] = blocks;
  if (block === undefined || blocks.length > 1) return add('creation', tree[0]!.path, 'exactly one manifest is to have a "creation" block: the virtual board reads it too');
  const stack = block.manifest.creation?.nativeStack;
  if (typeof stack !== 'number' || stack < MIN_NATIVE_STACK_BYTES) {
    add('native-stack', block.path, `creation.nativeStack is ${String(stack)}: a TLS handshake overflows less than ${MIN_NATIVE_STACK_BYTES} bytes`);
  }
  if (block.manifest.creation?.static !== 0) add('creation', block.path, 'creation.static is to be 0: a static block would take the place of the sizes that the board is measured with');
}

/** `folder/name` of a module: a file of that name with any extension; `folder/*`: any file. */
function matchesFile(path: string): boolean {
  const name = basename(path);
  try {
    const names = readdirSync(projectPath(dirname(path)));
    return name === '*' ? names.length > 0 : names.some((file) => file === name || file.replace(/\.[^.]+$/, '') === name);
  } catch {
    return false;
  }
}

function checkSdkconfig(options: SdkconfigOptions, read: ReadProjectFile): Finding[] {
  const findings: Finding[] = [];
  const add = (rule: RuleName, file: string, message: string): void => void findings.push({ rule, file, message });
  const names = fragmentNames(options).map((name) => `manifests/sdkconfig/${name}.sdkconfig`);
  const texts: string[] = [];
  for (const name of names) {
    const text = read(name);
    if (text === undefined) add('missing-file', name, `${name} is missing`);
    else texts.push(text);
    for (const [index, line] of (text ?? '').split('\n').entries()) {
      if (/^#\s*CONFIG_\w+ is not set/.test(line)) add('sdkconfig-comment', name, `line ${index + 1}: mcconfig leaves comments out, the SDK's default stays; write CONFIG_X=n`);
    }
    for (const { name: option, value, line } of parseSdkconfig(text ?? '')) {
      if (!/^CONFIG_[A-Z0-9_]+$/.test(option) || value === '') add('sdkconfig-value', name, `line ${line}: expected CONFIG_X=value without spaces`);
    }
  }
  const merged = mergeSdkconfig(texts);
  const where = names[0]!;
  const want = (rule: RuleName, option: string, value: string, why: string): void => {
    if (merged.get(option) !== value) add(rule, where, `${option} is ${merged.get(option) ?? 'not set'}, not ${value}: ${why}`);
  };
  want('date-checks', 'CONFIG_MBEDTLS_HAVE_TIME_DATE', 'y', 'ESP-IDF leaves it off, and expired certificates are taken');
  want('date-checks', 'CONFIG_MBEDTLS_HAVE_TIME', 'y', 'there are no date checks without it');
  want('dynamic-buffers', 'CONFIG_MBEDTLS_DYNAMIC_BUFFER', 'n', 'it keeps header bytes on the stack across WANT_READ, which breaks a non-blocking engine');
  want('buffer-sizes', 'CONFIG_MBEDTLS_ASYMMETRIC_CONTENT_LEN', 'y', 'both buffers would be 16 KB');
  want('buffer-sizes', 'CONFIG_MBEDTLS_SSL_IN_CONTENT_LEN', String(TLS_IN_BYTES), 'servers send records of 16 KB');
  want('buffer-sizes', 'CONFIG_MBEDTLS_SSL_OUT_CONTENT_LEN', String(TLS_OUT_BYTES), 'the heap of two sessions is measured with it');
  want('partition-missing', 'CONFIG_PARTITION_TABLE_OFFSET', `0x${PARTITION_TABLE_OFFSET.toString(16)}`, 'manifests/partitions*.csv are laid out for it');
  checkEfuseBlocks(merged, where, add);
  if (options.release) checkProduction(options, merged, names[1]!, add, want);
  return findings;
}

type Add = (rule: RuleName, file: string, message: string) => void;
type Want = (rule: RuleName, option: string, value: string, why: string) => void;

function checkEfuseBlocks(merged: ReadonlyMap<string, string>, where: string, add: Add): void {
  const nvs = merged.get('CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID');
  if (nvs !== undefined && SIGNER_EFUSE_BLOCKS.some((block) => String(block) === nvs)) {
    add('efuse-block', where, `CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID=${nvs} is a block of the signer: NVS keys are HMACs of two public constants, which the signer could then be asked for`);
  } else if (nvs !== undefined && nvs !== String(NVS_EFUSE_BLOCK)) {
    add('efuse-block', where, `CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID is ${nvs}; firmware and provisioning reserve ${NVS_EFUSE_BLOCK}`);
  }
}

function checkProduction({ chip, hardened }: SdkconfigOptions, merged: ReadonlyMap<string, string>, where: string, add: Add, want: Want): void {
  want('image-validation', 'CONFIG_BOOTLOADER_SKIP_VALIDATE_ALWAYS', 'n', "the SDK's default starts an image that is damaged");
  want('image-validation', 'CONFIG_BOOTLOADER_SKIP_VALIDATE_ON_POWER_ON', 'n', 'an image that is damaged is started');
  want('rollback', 'CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE', 'y', 'a bad update stays');
  for (const option of ['CONFIG_ESP_INT_WDT', 'CONFIG_ESP_TASK_WDT_EN', 'CONFIG_ESP_TASK_WDT_INIT', 'CONFIG_ESP_TASK_WDT_PANIC', 'CONFIG_BOOTLOADER_WDT_ENABLE']) {
    want('watchdog', option, 'y', 'a program that hangs stays so');
  }
  want('nvs-encryption', 'CONFIG_NVS_ENCRYPTION', 'y', 'settings are plain text in flash');
  if (chip.hasHmac) {
    want('nvs-encryption', 'CONFIG_NVS_SEC_KEY_PROTECT_USING_HMAC', 'y', 'the keys of NVS would need flash encryption');
    if (!merged.has('CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID')) add('efuse-block', where, 'CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID is not set: ESP-IDF has no default that works');
  } else if (hardened === undefined) {
    add('nvs-encryption', where, `${chip.name} encrypts NVS only under flash encryption: --harden`);
  }
  want('debug-output', 'CONFIG_ESP_COREDUMP_ENABLE_TO_UART', 'n', 'a crash prints memory');
  want('debug-output', 'CONFIG_ESP_SYSTEM_PANIC_GDBSTUB', 'n', 'a crash opens a debugger');
  want('debug-output', 'CONFIG_ESP_DEBUG_OCDAWARE', 'n', 'a debugger at the pins is served');
  if (hardened === undefined) return;
  for (const [option, value] of Object.entries({
    CONFIG_SECURE_BOOT_V2_ENABLED: 'y', CONFIG_SECURE_FLASH_ENC_ENABLED: 'y', CONFIG_SECURE_FLASH_ENCRYPTION_MODE_RELEASE: 'y',
    CONFIG_SECURE_BOOT_ALLOW_JTAG: 'n', CONFIG_SECURE_INSECURE_ALLOW_DL_MODE: 'n',
  })) want('hardening', option, value, 'what --harden promises is not done');
  if (!chip.hasHmac && hardened.downloadMode === 'secure') add('hardening', where, 'a classic ESP32 has no secure download mode: --download-mode off');
}

function checkPartitions(chip: Chip, read: ReadProjectFile): Finding[] {
  const file = `manifests/${chip.partitions}`;
  const findings: Finding[] = [];
  const add = (rule: RuleName, message: string): void => void findings.push({ rule, file, message });
  let table: Partition[];
  try {
    table = parsePartitionTable(read(file) ?? '');
  } catch (error) {
    return [{ rule: 'partition-size', file, message: (error as Error).message }];
  }
  const needed = [PARTITION.nvs, PARTITION.otaData, PARTITION.signer, PARTITION.durable, 'ota_0', 'ota_1', ...(chip.hasHmac ? [] : [PARTITION.nvsKeys])];
  for (const label of needed) if (!table.some((partition) => partition.label === label)) add('partition-missing', `there is no partition "${label}"`);
  const sorted = [...table].sort((a, b) => a.offset - b.offset);
  let end = PARTITION_TABLE_OFFSET + SECTOR_BYTES;
  for (const { label, type, offset, sizeBytes } of sorted) {
    if (offset < end) add('partition-overlap', `"${label}" begins at 0x${offset.toString(16)}, inside what ends at 0x${end.toString(16)}`);
    end = Math.max(end, offset + sizeBytes);
    const alignment = type === 'app' ? APP_ALIGNMENT_BYTES : SECTOR_BYTES;
    if (offset % alignment !== 0 || sizeBytes % SECTOR_BYTES !== 0) add('partition-alignment', `"${label}" is not aligned to 0x${alignment.toString(16)}`);
  }
  if (end > FLASH_SIZE_BYTES) add('partition-size', `the table ends at 0x${end.toString(16)}, the flash at 0x${FLASH_SIZE_BYTES.toString(16)}`);
  const slots = table.filter(({ label }) => label === 'ota_0' || label === 'ota_1');
  if (slots.length === 2 && slots[0]!.sizeBytes !== slots[1]!.sizeBytes) add('partition-size', 'ota_0 and ota_1 differ: an image fits one of them only');
  const signer = table.find(({ label }) => label === PARTITION.signer);
  if (signer !== undefined && (DATA_TYPES.includes(signer.type) || MODS_TYPES.includes(signer.type))) {
    add('signer-reachable', `"signer" has type ${signer.type}, which JavaScript can open: give it 0x41`);
  }
  if (signer !== undefined && !signer.flags.includes('encrypted')) add('signer-plain', '"signer" is not flagged encrypted: flash encryption would leave its keys readable');
  return findings;
}
