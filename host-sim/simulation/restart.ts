import { join } from 'node:path';
import { readSettings, writeSettings } from '../board/settings.ts';
import { SETTINGS_DOMAIN } from './device-folder.ts';

/** Exit code of a board whose firmware wants to start anew, as a chip does by itself (firmware/app/main.ts). */
export const EXIT_RESTART = 80;
/** Seeds of a device's lives are this far apart: message ids must not repeat. */
const LIFE_STRIDE = 1_000_003;
/** The application stops by itself after this setting; 0 or nothing: never. Milliseconds. */
const DURATION = 'duration';

/** The device's next life ends when its first would have: takes `livedMs` from what is left. */
export function shortenDuration(folder: string, livedMs: number): void {
  const path = join(folder, 'settings.kv');
  const settings = readSettings(path);
  const values = settings[SETTINGS_DOMAIN] ?? {};
  const durationMs = Number(values[DURATION] ?? 0);
  if (durationMs === 0) return;
  writeSettings(path, { ...settings, [SETTINGS_DOMAIN]: { ...values, [DURATION]: String(Math.max(1, Math.round(durationMs - livedMs))) } });
}

/** The seed of a device's life, counted from 0. */
export function seedOfLife(seed: number | undefined, life: number): number | undefined {
  return seed === undefined ? undefined : (seed + life * LIFE_STRIDE) % 2 ** 31;
}
