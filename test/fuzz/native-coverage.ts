import { relative } from 'node:path';

import type { FileEdges } from './outcome.ts';

/**
 * libFuzzer's own account at the end: `COVERED_FUNC: hits: 12 edges: 5/8 name path:line`, below it `UNCOVERED_PC: path:line`, which may
 * be of a header. Without llvm-symbolizer it has no names, and nothing is read from it.
 */
export function parseCoverage(output: string, root: string): FileEdges[] {
  const files = new Map<string, { reached: number; of: number; missed: Set<string> }>();
  for (const line of output.split('\n')) {
    const [, reached, of, name, path, start] = /^(?:UN)?COVERED_FUNC: hits: \d+ edges: (\d+)\/(\d+) (\S+) (\/.+?):(\d+)$/.exec(line) ?? [];
    if (path !== undefined) {
      const file = relative(root, path);
      const entry = files.get(file) ?? { reached: 0, of: 0, missed: new Set<string>() };
      files.set(file, entry);
      entry.reached += Number(reached);
      entry.of += Number(of);
      if (reached === '0') entry.missed.add(`${name}, line ${start}`);
    }
    const [, missedPath, missedLine] = /^\s*UNCOVERED_PC: (\/.+?):([1-9]\d*)/.exec(line) ?? [];
    if (missedPath !== undefined) files.get(relative(root, missedPath))?.missed.add(`line ${missedLine}`);
  }
  return [...files].filter(([file]) => !file.startsWith('test/')).map(([file, { missed, ...edges }]) => ({ file, ...edges, missed: [...missed] }));
}
