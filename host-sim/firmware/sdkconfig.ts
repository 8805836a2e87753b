import { readFileSync } from 'node:fs';

import { projectPath } from '../board/project-path.ts';
import type { Chip } from './chips.ts';

/** What a build is for. */
export interface SdkconfigOptions {
  readonly chip: Chip;
  readonly release: boolean;
  /** Secure boot v2, flash encryption, JTAG off: burnt at the first start, for good. */
  readonly hardened?: HardenOptions | undefined;
}

export interface HardenOptions {
  /** PEM of the key that signs images. */
  readonly signingKey: string;
  /** What the ROM's download mode becomes. `secure` still writes flash, and reads nothing; a classic ESP32 knows `off` only. */
  readonly downloadMode: 'off' | 'secure';
}

/** Names of the fragments in `manifests/sdkconfig`, in the order in which they are merged: a later one wins. */
export function fragmentNames({ chip, release, hardened }: SdkconfigOptions): string[] {
  return [
    'common',
    release ? 'production' : 'development',
    ...(release ? [chip.hasHmac ? 'production-hmac' : 'production-esp32'] : []),
    ...(hardened === undefined ? [] : ['hardened']),
    ...(chip.isEmulated ? ['emulated'] : []),
    ...(chip.isEmulated && chip.family === 'esp32' ? ['emulated-esp32'] : []),
  ];
}

/** One option and its value, and where it stands. */
export interface SdkconfigLine {
  readonly name: string;
  readonly value: string;
  readonly line: number;
}

/** The lines of a fragment that mcconfig takes. Comments are left out, as mcconfig does: `# CONFIG_X is not set` says nothing. */
export function parseSdkconfig(text: string): SdkconfigLine[] {
  return text.split(/\r?\n/).flatMap((content, index) => {
    const [name = '', value = ''] = content.split('=');
    return content === '' || content.startsWith('#') ? [] : [{ name, value, line: index + 1 }];
  });
}

/** The options of all fragments; the last value of a name counts. */
export function mergeSdkconfig(texts: readonly string[]): Map<string, string> {
  const merged = new Map<string, string>();
  for (const { name, value } of texts.flatMap(parseSdkconfig)) {
    merged.delete(name);
    merged.set(name, value);
  }
  return merged;
}

export function readFragment(name: string): string {
  return readFileSync(projectPath(`manifests/sdkconfig/${name}.sdkconfig`), 'utf8');
}

/** The `sdkconfig.defaults` of a build. */
export function formatSdkconfig(options: SdkconfigOptions): string {
  const names = fragmentNames(options);
  const merged = mergeSdkconfig(names.map(readFragment));
  const { hardened } = options;
  if (hardened !== undefined) {
    merged.set('CONFIG_SECURE_BOOT_SIGNING_KEY', `"${hardened.signingKey}"`);
    merged.set(hardened.downloadMode === 'off' ? 'CONFIG_SECURE_DISABLE_ROM_DL_MODE' : 'CONFIG_SECURE_ENABLE_SECURE_ROM_DL_MODE', 'y');
  }
  const lines = [...merged].map(([name, value]) => `${name}=${value}`);
  return [`# Made by latchkey firmware build from ${names.join(', ')}. Do not edit.`, ...lines, ''].join('\n');
}
