import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PARTITION_TABLE_OFFSET, type Chip } from '../firmware/chips.ts';
import { PARTITION } from '../firmware/partition-table.ts';
import type { ProvisionRecord } from '../provisioning/provision-folder.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { checkImage } from './app-image.ts';
import { parsePartitionImage, type PlacedPartition } from './partition-image.ts';

/** What mcconfig leaves in its folder of output, and what takes part. */
const BOOTLOADER = 'bootloader.bin';
const TABLE = 'partition-table.bin';
const APPLICATIONS = ['xs_esp32.bin', 'latchkey.bin'];
const OTA_DATA = 'ota_data_initial.bin';
/** A sector is kept for the table. */
const PARTITION_TABLE_BYTES = 0x1000;
const FIRST_SLOT = 'ota_0';
/** Beside the folder of the image: what it was built with. */
const SDKCONFIG = 'sdkconfig/sdkconfig.defaults';

/** A file that goes to the flash. */
export interface FlashFile {
  readonly path: string;
  readonly name: string;
  readonly offset: number;
  readonly sizeBytes: number;
}

export interface FlashPlan {
  /** In ascending order, as esptool writes them. */
  readonly files: readonly FlashFile[];
  readonly erases: readonly PlacedPartition[];
}

/**
 * Puts the files of a build and of provisioning in their places, and checks all that can be checked before a board is touched.
 * @throws ERR_IMAGE, ERR_CHIP, ERR_PARTITIONS
 */
export function planFlash(firmwareFolder: string, chip: Chip, provision?: { readonly folder: string; readonly record: ProvisionRecord }): FlashPlan {
  const application = APPLICATIONS.find((name) => existsSync(join(firmwareFolder, name))) ?? APPLICATIONS[0] ?? '';
  for (const name of [BOOTLOADER, TABLE, application]) {
    if (existsSync(join(firmwareFolder, name))) continue;
    throw new CliError('ERR_IMAGE', EXIT.configuration, `${firmwareFolder} has no ${name}`, `build it: latchkey firmware build --chip ${chip.name}   (or name the folder: --firmware FOLDER)`);
  }
  const table = parsePartitionImage(readFileSync(join(firmwareFolder, TABLE)), join(firmwareFolder, TABLE));
  const place = (name: string, offset: number, roomBytes: number, folder = firmwareFolder): FlashFile => {
    const path = join(folder, name);
    const content = readFile(path);
    if (content.length > roomBytes) throw new CliError('ERR_IMAGE', EXIT.configuration, `${path} has ${content.length} bytes, its place in the flash has ${roomBytes}`, 'build a smaller one, or give it more room in manifests/partitions.csv');
    return { path, name, offset, sizeBytes: content.length };
  };
  checkImage(readFile(join(firmwareFolder, BOOTLOADER)), chip, join(firmwareFolder, BOOTLOADER));
  checkImage(readFile(join(firmwareFolder, application)), chip, join(firmwareFolder, application));
  if (provision !== undefined) checkSameKind(firmwareFolder, provision.record);
  const slot = find(table, FIRST_SLOT);
  const files = [
    place(BOOTLOADER, chip.bootloaderOffset, PARTITION_TABLE_OFFSET - chip.bootloaderOffset),
    place(TABLE, PARTITION_TABLE_OFFSET, PARTITION_TABLE_BYTES),
    place(application, slot.offset, slot.sizeBytes),
  ];
  if (existsSync(join(firmwareFolder, OTA_DATA))) {
    const otaData = find(table, PARTITION.otaData);
    files.push(place(OTA_DATA, otaData.offset, otaData.sizeBytes));
  }
  for (const { file, partition, offset } of provision?.record.images ?? []) {
    const found = agree(table, partition, offset);
    files.push(place(file, found.offset, found.sizeBytes, provision?.folder));
  }
  const erases = (provision?.record.erases ?? []).map(({ partition, offset }) => agree(table, partition, offset));
  return { files: files.sort((a, b) => a.offset - b.offset), erases };
}

/** A firmware with NVS encryption takes readable settings for damaged ones and erases them; the other way round it is the same. */
function checkSameKind(firmwareFolder: string, record: ProvisionRecord): void {
  const options = join(firmwareFolder, '..', SDKCONFIG);
  if (!existsSync(options)) return;
  const isEncrypted = /^CONFIG_NVS_ENCRYPTION=y$/m.test(readFileSync(options, 'utf8'));
  if (isEncrypted === record.isNvsEncrypted) return;
  const [build, device] = isEncrypted ? ['with', 'without'] : ['without', 'with'];
  throw new CliError('ERR_PROVISION', EXIT.configuration, `the firmware was built ${build} --release, the device was provisioned ${device} it: the settings could not be read`, `run latchkey provision ${build} --release, or build the firmware ${device} it`);
}

/** Provisioning and build must mean the same place. */
function agree(table: readonly PlacedPartition[], label: string, offset: number): PlacedPartition {
  const found = find(table, label);
  if (found.offset === offset) return found;
  throw new CliError('ERR_PARTITIONS', EXIT.configuration, `"${label}" lies at 0x${found.offset.toString(16)} in this build, but was provisioned for 0x${offset.toString(16)}`, 'run latchkey provision again, then latchkey flash');
}

function find(table: readonly PlacedPartition[], label: string): PlacedPartition {
  const found = table.find((partition) => partition.label === label);
  if (found !== undefined) return found;
  throw new CliError('ERR_PARTITIONS', EXIT.configuration, `the partition table of this build has no "${label}"`, 'build it with the manifests of this project: latchkey firmware build');
}

function readFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new CliError('ERR_FILE', EXIT.configuration, `cannot read ${path}`, 'run latchkey provision again, or check that this user may read the file', { cause });
  }
}
