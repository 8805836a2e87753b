import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Plugin } from 'esbuild';

import { AMENDMENTS, SHIMS } from './codec-amendments.ts';
import { projectPath } from '../board/project-path.ts';

/** Puts the shims of `firmware/codecs` in place of what mqtt-packet and tweetnacl-util import, and amends their sources. */
export function codecPlugin(): Plugin {
  const folder = projectPath('firmware/codecs');
  const files = [...new Set(AMENDMENTS.map(({ file }) => file))];
  return {
    name: 'latchkey-codecs',
    setup(build) {
      build.onResolve({ filter: new RegExp(`^(?:${Object.keys(SHIMS).map(escapeRegExp).join('|')})$`) }, ({ path, importer }) => {
        const own = path.startsWith('.') && !importer.includes('mqtt-packet');
        return own ? undefined : { path: join(folder, SHIMS[path]!) };
      });
      build.onLoad({ filter: new RegExp(`[/\\\\]node_modules[/\\\\](?:${files.map(pathPattern).join('|')})$`) }, async ({ path }) => {
        const file = files.find((name) => new RegExp(`${pathPattern(name)}$`).test(path))!;
        return amend(file, await readFile(path, 'utf8'));
      });
    },
  };
}

/** The source of `file` as it goes into the bundle, or why not. */
export function amend(file: string, source: string): { contents: string; loader: 'js' } | { errors: { text: string }[] } {
  let contents = source;
  for (const { find, count, replace } of AMENDMENTS.filter((amendment) => amendment.file === file)) {
    const found = contents.match(find)?.length ?? 0;
    if (found !== count) {
      const text = `${file} is not as it was (${find} is there ${found} times, not ${count}): look at host-sim/bundling/codec-amendments.ts`;
      return { errors: [{ text }] };
    }
    contents = contents.replace(find, () => replace);
  }
  return { contents, loader: 'js' };
}

function pathPattern(path: string): string {
  return path.split('/').map(escapeRegExp).join('[/\\\\]');
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
