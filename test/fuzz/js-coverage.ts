import { readFileSync } from 'node:fs';
import { Session, type Profiler } from 'node:inspector';
import { fileURLToPath } from 'node:url';

export interface FileCoverage {
  /** Relative to the project. */
  readonly file: string;
  /** Blocks as V8 tells them apart: functions, branches, loop bodies. */
  readonly blocks: number;
  readonly reached: number;
  /** The first line of each block that was not. */
  readonly missed: readonly string[];
}

/**
 * Runs `action` and says which blocks of the sources below one of `folders` it reached. Works in an esbuild bundle that is
 * not minified, where a comment names each source.
 */
export function measureBlocks<T>(bundleUrl: string, folders: readonly string[], action: () => T): { result: T; files: FileCoverage[] } {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  const result = action();
  let scripts: readonly Profiler.ScriptCoverage[] = [];
  session.post('Profiler.takePreciseCoverage', (error, taken) => {
    if (error !== null) throw error;
    scripts = taken.result;
  });
  session.disconnect();
  const functions = scripts.find(({ url }) => url === bundleUrl)?.functions ?? [];
  return { result, files: filesOf(readFileSync(fileURLToPath(bundleUrl), 'utf8'), functions, folders) };
}

function filesOf(bundle: string, functions: readonly Profiler.FunctionCoverage[], folders: readonly string[]): FileCoverage[] {
  const sources = [...bundle.matchAll(/^\/\/ (\S+\.[cm]?[jt]s)$/gm)].map(({ 1: file, index }) => ({ file: file!, index }));
  const files = new Map<string, { blocks: number; reached: number; missed: string[] }>();
  for (const { ranges } of functions) {
    for (const { startOffset, count } of ranges) {
      const file = sources.findLast(({ index }) => index <= startOffset)?.file;
      if (file === undefined || !folders.some((folder) => file.startsWith(folder))) continue;
      const entry = files.get(file) ?? { blocks: 0, reached: 0, missed: [] };
      files.set(file, entry);
      entry.blocks++;
      if (count > 0) entry.reached++;
      else entry.missed.push(bundle.slice(startOffset).trimStart().split('\n', 1)[0]!.trim());
    }
  }
  return [...files].map(([file, entry]) => ({ file, ...entry }));
}
