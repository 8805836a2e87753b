import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

/** USB bridges and the chips' own USB; on Linux and macOS. */
const PORT_NAMES = /^(?:ttyUSB\d+|ttyACM\d+|cu\.(?:usb|wchusb|SLAB).*)$/;

/** Ports that a board may be at; links of /dev/serial/by-id are the same ports again. */
export function listSerialPorts(folder = '/dev'): readonly string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => PORT_NAMES.test(name)).sort();
  return [...new Set(names.map((name) => realpathSync(join(folder, name))))];
}
