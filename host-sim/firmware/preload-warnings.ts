import { readFileSync } from 'node:fs';

import { projectPath } from '../board/project-path.ts';

/** What xsl says of preloaded variables that are not constant and objects that are not frozen: each takes four bytes of RAM, for ever. */
const WARNING = /^### warning: (.+)$/gm;

/** The warnings in the output of a build: sorted, each once. Numbers that esbuild gives to names that collide are left out. */
export function parsePreloadWarnings(output: string): string[] {
  const found = [...output.matchAll(WARNING)].map(([, text = '']) => text.replaceAll(/([A-Za-z_$])\d+(?=[.():[ ]|$)/g, '$1').trim());
  return [...new Set(found)].sort();
}

/** The warnings that are known: `manifests/preload-warnings.txt`, which may only shrink. */
export function readKnownWarnings(): string[] {
  return readFileSync(projectPath('manifests/preload-warnings.txt'), 'utf8').split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

/** What is new, and what is known and gone (to be taken out of the list). */
export function compareWarnings(found: readonly string[], known: readonly string[]): { readonly added: string[]; readonly gone: string[] } {
  return { added: found.filter((warning) => !known.includes(warning)), gone: known.filter((warning) => !found.includes(warning)) };
}
