import { createHash } from 'node:crypto';
import type { Chip } from '../firmware/chips.ts';
import type { PlannedBurn } from './plan.ts';

/**
 * The file in which Espressif's QEMU keeps the eFuses of an ESP32-C3: the read registers from `EFUSE_RD_WR_DIS` on.
 * @see ESP-IDF components/soc/esp32c3/register/soc/efuse_reg.h; tools/idf_py_actions/qemu_ext.py
 */
const C3 = {
  bytes: 1024,
  writeDisable: 0x00,
  readDisable: 0x04,
  /** Purposes of KEY0 and KEY1 end one word, those of KEY2 to KEY5 begin the next; four bits each. */
  purposeBit: (block: number) => (block < 2 ? 0x08 * 8 + 24 + block * 4 : 0x0c * 8 + (block - 2) * 4),
  block1: 0x18,
  /** WAFER_VERSION_MINOR of block 1: revision 0.3, which QEMU is. */
  revision: { offset: 0x18 + 14, value: 0x0c },
  key: (block: number) => 0x70 + block * 0x20,
  /** Bits of `EFUSE_WR_DIS`. */
  purposeLockBit: 8,
  keyLockBit: 23,
} as const;

/** The same of a classic ESP32: block 0, with MAC, its CRC and revision 3.0; then three blocks that stay empty. */
const CLASSIC = { bytes: 124, mac: 0x04, macCrc: 0x0a, revision1: { offset: 0x0d, value: 0x80 }, revision2: { offset: 0x16, value: 0x10 } } as const;

const HMAC_UP = 8;

/** A locally administered address that is always the same for a device: its network knows it again. */
export function emulatedMac(deviceId: string): Buffer {
  const mac = createHash('sha256').update(`latchkey-mac\n${deviceId}`).digest().subarray(0, 6);
  mac.writeUInt8((mac.readUInt8(0) & 0xfc) | 0x02, 0);
  return Buffer.from(mac);
}

/** The eFuse file of an emulated chip, with `burns` burnt and protected. It holds the keys in clear: the owner wipes it. */
export function encodeEmulatedEfuses({ family }: Pick<Chip, 'family'>, mac: Uint8Array, burns: readonly PlannedBurn[]): Buffer {
  const macBackwards = Buffer.from(mac).reverse();
  if (family === 'esp32') {
    const file = Buffer.alloc(CLASSIC.bytes);
    macBackwards.copy(file, CLASSIC.mac);
    file.writeUInt8(macCrc(mac), CLASSIC.macCrc);
    file.writeUInt8(CLASSIC.revision1.value, CLASSIC.revision1.offset);
    file.writeUInt8(CLASSIC.revision2.value, CLASSIC.revision2.offset);
    return file;
  }
  const file = Buffer.alloc(C3.bytes);
  macBackwards.copy(file, C3.block1);
  file.writeUInt8(C3.revision.value, C3.revision.offset);
  for (const { block, key } of burns) {
    setBits(file, C3.writeDisable * 8 + C3.purposeLockBit + block, 1);
    setBits(file, C3.writeDisable * 8 + C3.keyLockBit + block, 1);
    setBits(file, C3.readDisable * 8 + block, 1);
    setBits(file, C3.purposeBit(block), HMAC_UP);
    key.copy(file, C3.key(block));
  }
  return file;
}

function setBits(file: Buffer, bit: number, value: number): void {
  file.writeUInt8(file.readUInt8(bit >> 3) | (value << (bit & 7)), bit >> 3);
}

/** `esp_crc8` of the ROM, over the address as it is written. */
function macCrc(mac: Uint8Array): number {
  let crc = 0;
  for (const byte of mac) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0x8c : crc >> 1;
  }
  return crc;
}
