import type { Chip } from '../firmware/chips.ts';

/** eFuse key blocks of the chips with an HMAC peripheral. */
export const EFUSE_KEY_BLOCKS = 6;

/**
 * `esp_chip_id_t`, in the header of every image.
 * @see ESP-IDF components/bootloader_support/include/esp_app_format.h
 */
export const IMAGE_CHIP_IDS: Readonly<Record<Chip['family'], number>> = { esp32: 0x0000, esp32c3: 0x0005, esp32s3: 0x0009, esp32c6: 0x000d };

/** As it is printed on the chip: `ESP32-C3`. */
export function titleOf({ family }: Pick<Chip, 'family'>): string {
  return familyTitle(family);
}

export function familyTitle(family: string): string {
  const variant = family.slice('esp32'.length);
  return `ESP32${variant === '' ? '' : `-${variant.toUpperCase()}`}`;
}
