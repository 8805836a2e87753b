import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

import { projectPath } from '../board/project-path.ts';

/** A manifest of the Moddable SDK, as far as the rules look at it. */
export interface Manifest {
  readonly build?: Readonly<Record<string, string>>;
  readonly include?: string | readonly string[];
  readonly modules?: Readonly<Record<string, string | readonly string[]>>;
  readonly preload?: string | readonly string[];
  readonly creation?: Readonly<Record<string, unknown>>;
  readonly platforms?: Readonly<Record<string, Omit<Manifest, 'platforms'>>>;
}

export interface ManifestFile {
  /** From the project's root. */
  readonly path: string;
  readonly manifest: Manifest;
}

/** Reads a file of the project; the tests of the rules give broken copies. */
export type ReadProjectFile = (path: string) => string | undefined;

export const readProjectFile: ReadProjectFile = (path) => (existsSync(projectPath(path)) ? readFileSync(projectPath(path), 'utf8') : undefined);

/** An array, a single value or nothing: the SDK takes all three. */
export function listOf(value: string | readonly string[] | undefined): readonly string[] {
  return value === undefined ? [] : typeof value === 'string' ? [value] : value;
}

/** A path of a manifest from the project's root; `undefined` when it lies in the SDK or is made by the build. */
export function projectPathOf(manifestPath: string, path: string): string | undefined {
  if (path.startsWith('$(')) return undefined;
  return relative(projectPath('.'), resolve(projectPath(dirname(manifestPath)), path)).split('\\').join('/');
}

/**
 * The manifest and those of ours that it includes, in the order in which mcconfig reads their `build` blocks: a later one wins.
 * @throws Error naming the manifest that is missing or no JSON
 */
export function readManifestTree(path: string, read: ReadProjectFile = readProjectFile): ManifestFile[] {
  const text = read(path);
  if (text === undefined) throw new Error(`${path} is missing`);
  let manifest: Manifest;
  try {
    manifest = JSON.parse(text) as Manifest;
  } catch (error) {
    throw new Error(`${path} is no JSON`, { cause: error });
  }
  const included = listOf(manifest.include).flatMap((include) => {
    const file = projectPathOf(path, include);
    return file === undefined ? [] : readManifestTree(file, read);
  });
  return [{ path, manifest }, ...included];
}

/** Joins a folder and a name as manifests do. */
export function besideManifest(manifestPath: string, name: string): string {
  return join(dirname(manifestPath), name).split('\\').join('/');
}
