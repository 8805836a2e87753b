import { statSync } from 'node:fs';

import { buildFirmware } from '../../host-sim/board/bundle.ts';
import type { Row } from './row.ts';

/** What of the image can be told without the SDK's toolchain: the source of the two scripts. */
export async function measureImage(): Promise<readonly Row[]> {
  const { preload, main } = await buildFirmware({ minify: true });
  const row = (name: string, what: string, file: string): Row => ({ row: `bundle-${name}`, what, unit: 'bytes', measured: statSync(file).size });
  return [
    { row: 'image', what: 'static RAM and flash of the image without Wi-Fi', unit: 'bytes', measured: undefined, note: 'unknown (needs the ESP32 build)' },
    row('preload', 'source of preload.js (agent and codecs), minified', preload),
    row('main', 'source of main.js (port and application), minified', main),
  ];
}
