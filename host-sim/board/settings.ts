import { readFileSync } from 'node:fs';

import { replaceFile } from './replace-file.ts';

/** Limits of `settings-file.h`: those of NVS. */
const MAX_NAME_BYTES = 15;
const MAX_VALUE_BYTES = 4000;

/** Domain to key to value; a text is read with format "string", bytes with format "buffer". */
export type Settings = Readonly<Record<string, Readonly<Record<string, string | Uint8Array>>>>;

/** A line that is no entry, or an entry that the chip's key-value storage would refuse. The text holds no value. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly code = 'ERR_SETTINGS';
}

/**
 * The text of a `settings.kv`: one entry a line, `domain TAB key TAB type TAB base64`, type `s` or `b`.
 * @throws SettingsError
 */
export function formatSettings(settings: Settings): string {
  let text = '';
  for (const [domain, values] of Object.entries(settings)) {
    checkName(domain);
    for (const [key, value] of Object.entries(values)) {
      checkName(key);
      const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : Buffer.from(value);
      if (bytes.length > MAX_VALUE_BYTES) throw new SettingsError(`${domain}/${key}: a value has at most ${MAX_VALUE_BYTES} bytes, not ${bytes.length}`);
      text += `${domain}\t${key}\t${typeof value === 'string' ? 's' : 'b'}\t${bytes.toString('base64')}\n`;
    }
  }
  return text;
}

/** @throws SettingsError */
export function parseSettings(text: string): Settings {
  const settings = new Map<string, Map<string, string | Uint8Array>>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '') continue;
    const [domain, key, type, base64, ...more] = line.split('\t');
    const isEntry = domain !== undefined && key !== undefined && base64 !== undefined && more.length === 0;
    if (!isEntry || (type !== 's' && type !== 'b') || Buffer.from(base64, 'base64').toString('base64') !== base64) {
      throw new SettingsError(`line ${index + 1} is no entry (domain, key, s or b, base64; separated by tabs)`);
    }
    const values = settings.get(domain) ?? new Map<string, string | Uint8Array>();
    const bytes = Buffer.from(base64, 'base64');
    settings.set(domain, values.set(key, type === 's' ? bytes.toString('utf8') : new Uint8Array(bytes)));
  }
  return Object.fromEntries([...settings].map(([domain, values]) => [domain, Object.fromEntries(values)]));
}

/** Replaces the file whole: a reader finds the old one or the new one. @throws SettingsError */
export function writeSettings(path: string, settings: Settings): void {
  replaceFile(path, formatSettings(settings));
}

/** @throws SettingsError */
export function readSettings(path: string): Settings {
  return parseSettings(readFileSync(path, 'utf8'));
}

function checkName(name: string): void {
  const length = Buffer.byteLength(name, 'utf8');
  if (length === 0 || length > MAX_NAME_BYTES) throw new SettingsError(`"${name}": a name has 1 to ${MAX_NAME_BYTES} bytes, not ${length}`);
  if (/[\t\n\r\0]/.test(name)) throw new SettingsError(`${JSON.stringify(name)}: a name has no tab and no line end`);
}
