import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder that a person has named, and those above it. One at a time: below `/proc` the system says "no such file" of a
 * name in a folder that exists, and that must be an error.
 *
 * @throws what `mkdir` throws
 */
export function makeFolder(folder: string, mode = 0o777): void {
  const missing: string[] = [];
  for (let path = resolve(folder); !existsSync(path); path = dirname(path)) missing.unshift(path);
  for (const path of missing) {
    try {
      mkdirSync(path, { mode });
    } catch (error) {
      // Somebody else has made it meanwhile.
      if ((error as { readonly code?: unknown }).code !== 'EEXIST') throw error;
    }
  }
}
