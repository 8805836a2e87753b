import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { writeKeyFile } from '../../host-sim/board/key-file.ts';
import { writeSettings } from '../../host-sim/board/settings.ts';

export const HUB_NAME = 'agent-test.azure-devices.net';
export const DEVICE_ID = 'board-1';

/** A key-value pair of the sample application each (firmware/app/settings.ts); the application's defaults hold for the others. */
export interface DeviceSettings {
  readonly app?: 'thermostat';
  readonly hub?: string;
  readonly gateway?: string;
  readonly port?: number;
  readonly ttl?: number;
  readonly keepalive?: number;
  readonly window?: number;
  readonly queue?: number;
  readonly maxinbound?: number;
  readonly slots?: string;
  /** The key of slot 0 is a secret, and hub key n is derived from it. */
  readonly keyn?: number;
  readonly pipeline?: 1;
  readonly single?: 1;
  readonly ntp0?: string;
  readonly ntp1?: string;
  readonly date?: string;
  /** Milliseconds. */
  readonly interval?: number;
  readonly duration?: number;
  readonly size?: number;
  readonly qos?: 0 | 1;
  /** Of the update keys of `DeviceContents`. */
  readonly rneed?: number;
  readonly recovery?: string;
  readonly rfails?: number;
  readonly rover?: number;
  readonly rpause?: number;
  readonly 'dps-scope'?: string;
  readonly 'dps-id'?: string;
  readonly 'dps-host'?: string;
  readonly 'dps-port'?: number;
}

export interface DeviceContents {
  readonly settings?: DeviceSettings;
  /** DER. */
  readonly roots: readonly Uint8Array[];
  /** Of slots 0, 1, …. */
  readonly keys: readonly Uint8Array[];
  /** x and y of each key that signs root bundles; without them the roots stay as they are. */
  readonly updateKeys?: Uint8Array | undefined;
  /** What the keys may sign for; default the device at its hub. */
  readonly prefixes?: readonly string[] | undefined;
}

/** Makes the folder of a device as `latchkey sim` does, with every setting that the application reads. */
export function writeDevice(folder: string, { settings = {}, roots, keys, updateKeys, prefixes = [`${settings.hub ?? HUB_NAME}/devices/${DEVICE_ID}`] }: DeviceContents): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const hub = settings.hub ?? HUB_NAME;
  writeKeyFile(join(folder, 'keys.bin'), keys.map((key, slot) => ({ slot, keyBase64: Buffer.from(key).toString('base64'), prefixes })));
  const values: Record<string, string | Uint8Array> = { device: DEVICE_ID };
  for (const [name, value] of Object.entries({ hub, port: 8883, ...settings })) values[name] = String(value);
  if (updateKeys !== undefined) values.rkeys = updateKeys;
  for (const [index, root] of roots.entries()) values[`root${index}`] = root;
  writeSettings(join(folder, 'settings.kv'), { latchkey: values });
}
