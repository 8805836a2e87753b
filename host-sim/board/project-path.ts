import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** An absolute path from one relative to the project's root (where `package.json` is). */
export function projectPath(relative: string): string {
  return join(projectRoot(), relative);
}

/** Looked for upwards, since these modules also run from a bundle below `.build/`. */
function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('no package.json above this file: run it from the project');
    folder = parent;
  }
  return folder;
}
