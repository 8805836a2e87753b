/** The chips and emulated boards that there are manifests for. `manifests/<name>/` holds their own. */
export type ChipName = 'esp32' | 'esp32s3' | 'esp32c3' | 'esp32c6' | 'esp32-qemu' | 'esp32c3-qemu';

export interface Chip {
  readonly name: ChipName;
  /** As esptool, ESP-IDF and the SDK's ESP32_SUBCLASS call it. */
  readonly family: 'esp32' | 'esp32s3' | 'esp32c3' | 'esp32c6';
  /** What `mcconfig -p` is given; relative to the project, since mcconfig makes the whole text lower case. */
  readonly platform: string;
  /** The application's manifest, relative to the project. */
  readonly manifest: string;
  readonly partitions: 'partitions.csv' | 'partitions-esp32.csv';
  /** Where the ROM looks for the second-stage bootloader. */
  readonly bootloaderOffset: number;
  /** Whether keys can be burnt into eFuse blocks that nothing but the HMAC peripheral can read. */
  readonly hasHmac: boolean;
  readonly isEmulated: boolean;
}

/** Where ESP-IDF keeps the HMAC key of the encrypted NVS (CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID); never the signer's. */
export const NVS_EFUSE_BLOCK = 5;
/** The signer's first and second block (primary and secondary key). KEY0 to KEY2 are left to flash encryption and secure boot. */
export const SIGNER_EFUSE_BLOCKS = [4, 3] as const;
/** Bytes of an eFuse key block: an HMAC key has exactly as many. */
export const EFUSE_KEY_BYTES = 32;
export const FLASH_SIZE_BYTES = 4 * 1024 * 1024;
/** CONFIG_PARTITION_TABLE_OFFSET of manifests/sdkconfig/common.sdkconfig. */
export const PARTITION_TABLE_OFFSET = 0x10000;

function chip(name: ChipName, family: Chip['family'], bootloaderOffset: number): Chip {
  const isEmulated = name !== family;
  const hasHmac = family !== 'esp32';
  const folder = `manifests/${name}`;
  return {
    name,
    family,
    platform: isEmulated ? `esp32:./${folder}` : family === 'esp32' ? 'esp32' : `esp32/${family}`,
    manifest: `${folder}/${isEmulated ? 'application' : 'manifest'}.json`,
    partitions: hasHmac ? 'partitions.csv' : 'partitions-esp32.csv',
    bootloaderOffset,
    hasHmac,
    isEmulated,
  };
}

export const CHIPS: readonly Chip[] = [
  chip('esp32', 'esp32', 0x1000),
  chip('esp32s3', 'esp32s3', 0),
  chip('esp32c3', 'esp32c3', 0),
  chip('esp32c6', 'esp32c6', 0),
  chip('esp32-qemu', 'esp32', 0x1000),
  chip('esp32c3-qemu', 'esp32c3', 0),
];

/** `undefined` when there is no such chip. */
export function findChip(name: string): Chip | undefined {
  return CHIPS.find((entry) => entry.name === name);
}
