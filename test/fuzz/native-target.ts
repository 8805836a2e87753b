import { mkdirSync } from 'node:fs';

import { projectPath } from '../../host-sim/board/project-path.ts';
import { runCommand } from '../../host-sim/board/run-command.ts';
import { checkClang } from './clang.ts';
import { parseCoverage } from './native-coverage.ts';
import { buildNativeTarget, type NativeTarget } from './native-targets.ts';
import type { FileEdges, FuzzLimits, FuzzOutcome } from './outcome.ts';

/** An input that takes longer hangs. */
const HANG_SECONDS = 20;
const MEMORY_LIMIT_MB = 1024;
const TALK_CHARACTERS = 3000;

/** Fuzzes a C target from its corpus; what it finds stays below `.build/fuzz/`. @throws SetupError, Error */
export async function fuzzNative(target: NativeTarget, { seconds, runs, seed }: FuzzLimits): Promise<FuzzOutcome> {
  const program = await build(target);
  const found = newFolder(target, 'found');
  const folders = [found, projectPath(target.corpus)];
  const { code, output } = await runCommand(program, [
    ...[`-max_total_time=${seconds}`, `-runs=${runs === 0 ? -1 : runs}`, `-seed=${seed}`, `-max_len=${target.maxLengthBytes}`],
    ...[`-timeout=${HANG_SECONDS}`, `-rss_limit_mb=${MEMORY_LIMIT_MB}`, `-artifact_prefix=${newFolder(target, 'crashes')}/`],
    ...['-print_final_stats=1', ...folders],
  ]);
  return {
    executions: statistic(output, 'number_of_executed_units'),
    newInputs: statistic(output, 'new_units_added'),
    files: await countEdges(target, folders),
    crash: code === 0 ? undefined : { file: /Test unit written to (\S+)/.exec(output)?.[1], talk: endOf(output) },
  };
}

/** Runs one input. */
export async function tryNative(target: NativeTarget, input: string): Promise<{ readonly ok: boolean; readonly talk: string }> {
  const { code, output } = await runCommand(await build(target), [`-timeout=${HANG_SECONDS}`, input]);
  return { ok: code === 0, talk: output };
}

async function build(target: NativeTarget): Promise<string> {
  await checkClang();
  return buildNativeTarget(target, 'libfuzzer');
}

/** Runs the corpus and what was found once more, in a program whose only branches are our own. */
async function countEdges(target: NativeTarget, folders: readonly string[]): Promise<FileEdges[]> {
  const program = await buildNativeTarget(target, 'edges');
  const { output } = await runCommand(program, ['-runs=0', `-max_len=${target.maxLengthBytes}`, '-print_coverage=1', ...folders]);
  return parseCoverage(output, projectPath('.'));
}

function newFolder({ name }: NativeTarget, purpose: string): string {
  const folder = projectPath(`.build/fuzz/${name}/${purpose}`);
  mkdirSync(folder, { recursive: true });
  return folder;
}

function statistic(output: string, name: string): number {
  return Number(new RegExp(`^stat::${name}:\\s*(\\d+)`, 'm').exec(output)?.[1] ?? 0);
}

/** From the sanitizer's or libFuzzer's report on, its memory map left out. */
function endOf(output: string): string {
  const start = Math.max(0, output.search(/^==\d+== ?ERROR|runtime error:/m));
  return output.slice(start, start + TALK_CHARACTERS);
}
