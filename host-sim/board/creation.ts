import { readFileSync } from 'node:fs';

import { projectPath } from './project-path.ts';

/** A region of the XS machine: its first size and what it grows by (0: never). */
export interface Region {
  readonly initial: number;
  readonly incremental: number;
}

/** The `creation` block of a Moddable manifest: bytes for chunks; slots for heap and stack; entries for keys. */
export interface Creation {
  readonly chunk: Region;
  readonly heap: Region;
  readonly stack: number;
  readonly keys: Region;
}

/** The figures of `manifests/manifest.json`, the same that a chip's image is built with. */
export function readCreation(manifest: string = projectPath('manifests/manifest.json')): Creation {
  const parsed: unknown = JSON.parse(readFileSync(manifest, 'utf8'));
  const creation = field(parsed, 'creation');
  return {
    chunk: region(field(creation, 'chunk')),
    heap: region(field(creation, 'heap')),
    stack: count(creation, 'stack'),
    keys: region(field(creation, 'keys')),
  };

  function region(value: unknown): Region {
    return { initial: count(value, 'initial'), incremental: count(value, 'incremental') };
  }

  function count(value: unknown, name: string): number {
    const number = field(value, name);
    if (typeof number === 'number' && Number.isInteger(number) && number >= 0) return number;
    throw new RangeError(`${manifest}: creation: "${name}" is to be a whole number`);
  }

  function field(value: unknown, name: string): unknown {
    if (typeof value === 'object' && value !== null && name in value) return (value as Record<string, unknown>)[name];
    throw new RangeError(`${manifest}: creation: "${name}" is missing`);
  }
}

/** As the board's `--creation` takes it. */
export function formatCreation(creation: Creation): string {
  const { chunk, heap, stack, keys } = creation;
  return [
    `chunk=${chunk.initial}+${chunk.incremental}`,
    `heap=${heap.initial}+${heap.incremental}`,
    `stack=${stack}`,
    `keys=${keys.initial}+${keys.incremental}`,
  ].join(',');
}
