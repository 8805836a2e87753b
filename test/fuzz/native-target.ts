import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

import { projectPath } from '../../host-sim/board/project-path.ts';
import { runCommand } from '../../host-sim/board/run-command.ts';
import { buildTarget } from './native-build.ts';
import type { FileEdges, FuzzLimits, FuzzOutcome } from './outcome.ts';
import type { NativeTarget } from './targets.ts';

/** An input that takes longer hangs. */
const HANG_SECONDS = 20;
const MEMORY_LIMIT_MB = 1024;
const TALK_TAIL_CHARACTERS = 4000;
/** Exit code of libFuzzer when it went through. */
const EXIT_DONE = 0;

/** Fuzzes a C target from its corpus; what it finds stays below `.build/fuzz/`. @throws SetupError, Error */
export async function fuzzNative(target: NativeTarget, { seconds, runs, seed }: FuzzLimits, say: (text: string) => void): Promise<FuzzOutcome> {
  const program = await buildTarget(target, say);
  const { found, seeds, crashes } = prepareFolders(target);
  const { code, output } = await runCommand(program, [
    ...[`-max_total_time=${seconds}`, `-runs=${runs === 0 ? -1 : runs}`, `-seed=${seed}`, `-max_len=${target.maxBytes}`],
    ...[`-timeout=${HANG_SECONDS}`, `-rss_limit_mb=${MEMORY_LIMIT_MB}`, `-artifact_prefix=${crashes}/`],
    ...['-print_final_stats=1', '-print_coverage=1', '-use_value_profile=1', found, seeds],
  ]);
  const input = /Test unit written to (\S+)/.exec(output)?.[1];
  return {
    executions: statistic(output, 'number_of_executed_units'),
    newInputs: statistic(output, 'new_units_added'),
    files: parseCoverage(output),
    crash: code === EXIT_DONE ? undefined : { file: input, talk: output.slice(-TALK_TAIL_CHARACTERS) },
  };
}

/** Runs one input. */
export async function tryNative(target: NativeTarget, input: string, say: (text: string) => void): Promise<{ readonly ok: boolean; readonly talk: string }> {
  const { code, output } = await runCommand(await buildTarget(target, say), [`-timeout=${HANG_SECONDS}`, input]);
  return { ok: code === EXIT_DONE, talk: output };
}

/** The checked-in corpus as bytes, and the folders of what is found. */
function prepareFolders({ name, corpus }: NativeTarget): { readonly found: string; readonly seeds: string; readonly crashes: string } {
  const base = projectPath(`.build/fuzz/${name}`);
  const folders = { found: join(base, 'found'), seeds: join(base, 'seeds'), crashes: join(base, 'crashes') };
  for (const folder of Object.values(folders)) mkdirSync(folder, { recursive: true });
  const source = projectPath(corpus);
  for (const file of existsSync(source) ? readdirSync(source) : []) {
    const isHex = file.endsWith('.hex');
    const text = readFileSync(join(source, file));
    writeFileSync(join(folders.seeds, file.replace(/\.hex$/, '')), isHex ? Buffer.from(text.toString('ascii').replace(/\s+/g, ''), 'hex') : text);
  }
  return folders;
}

function statistic(output: string, name: string): number {
  return Number(new RegExp(`^stat::${name}:\\s*(\\d+)`, 'm').exec(output)?.[1] ?? 0);
}

/**
 * libFuzzer's own account at the end: `COVERED_FUNC: hits: 12 edges: 5/8 name path:line`, below it `UNCOVERED_PC: path:line:column`.
 * Without llvm-symbolizer it has no names, and nothing is read from it.
 */
function parseCoverage(output: string): FileEdges[] {
  const files = new Map<string, { reached: number; of: number; missed: string[] }>();
  const entryOf = (path: string): { reached: number; of: number; missed: string[] } => {
    const file = relative(projectPath('.'), path);
    const entry = files.get(file) ?? { reached: 0, of: 0, missed: [] };
    files.set(file, entry);
    return entry;
  };
  for (const line of output.split('\n')) {
    const [, reached, of, path] = /^(?:UN)?COVERED_FUNC: hits: \d+ edges: (\d+)\/(\d+) \S+ (\/.+?):\d+$/.exec(line) ?? [];
    if (path !== undefined) {
      const entry = entryOf(path);
      entry.reached += Number(reached);
      entry.of += Number(of);
    }
    const [, missedPath, place] = /^\s*UNCOVERED_PC: (\/.+?):(\d+:\d+)$/.exec(line) ?? [];
    if (missedPath !== undefined) entryOf(missedPath).missed.push(`line ${place!.split(':')[0]}`);
  }
  return [...files].filter(([file]) => file.startsWith('firmware/')).map(([file, entry]) => ({ file, ...entry, missed: [...new Set(entry.missed)] }));
}
