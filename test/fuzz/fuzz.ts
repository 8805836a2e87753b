import { existsSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { projectPath } from '../../host-sim/board/project-path.ts';
import { SetupError } from '../../host-sim/debian-packages.mjs';
import { fuzzNative, tryNative } from './native-target.ts';
import { sumOf, type Crash, type FileEdges, type FuzzLimits, type FuzzOutcome } from './outcome.ts';
import { fuzzScript, tryScript } from './script-target.ts';
import { FUZZ_TARGETS, type FuzzTarget } from './targets.ts';

const EXIT_USAGE = 2;
const DEFAULT_SECONDS = 60;

const USAGE = `Fuzzes what takes bytes from outside, from a checked-in corpus, and says which edges were reached.

  npm run fuzz                             every target, ${DEFAULT_SECONDS} s each
  npm run fuzz -- --seconds 600            longer
  npm run fuzz -- --target signer          one of ${FUZZ_TARGETS.map(({ name }) => name).join(', ')}
  npm run fuzz -- --target signer --input F runs one input, such as one that crashed
  npm run fuzz -- --missed                 also says the places that were not reached
  npm run fuzz -- --runs N --seed N        the same inputs each time

Exit code 1: a crash, or a target that could not be run. What is found stays below .build/fuzz/.`;

/** @returns the exit code */
export async function runFuzz(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string', default: String(DEFAULT_SECONDS) },
      runs: { type: 'string', default: '0' },
      seed: { type: 'string', default: '1' },
      target: { type: 'string' },
      input: { type: 'string' },
      missed: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    print(USAGE);
    return 0;
  }
  const targets = FUZZ_TARGETS.filter(({ name }) => values.target === undefined || values.target === name);
  const [seconds, runs, seed] = [values.seconds, values.runs, values.seed].map(Number) as [number, number, number];
  const problem = problemOf({ seconds, runs, seed }, targets, values.input);
  if (problem !== undefined) {
    say(problem);
    return EXIT_USAGE;
  }
  if (values.input !== undefined) return runInput(targets[0]!, resolve(values.input));
  let failures = 0;
  for (const target of targets) {
    if (!(await fuzz(target, { seconds, runs, seed }, values.missed))) failures++;
  }
  return failures === 0 ? 0 : 1;
}

function problemOf({ seconds, runs, seed }: FuzzLimits, targets: readonly FuzzTarget[], input: string | undefined): string | undefined {
  if (!(seconds > 0 && Number.isInteger(seconds))) return '--seconds: expected a whole number above 0';
  if (!(runs >= 0 && Number.isInteger(runs))) return '--runs: expected a whole number';
  if (!(seed > 0 && Number.isInteger(seed))) return '--seed: expected a whole number above 0';
  if (targets.length === 0) return `--target: expected one of ${FUZZ_TARGETS.map(({ name }) => name).join(', ')}`;
  if (input === undefined) return undefined;
  if (targets.length > 1) return '--input needs --target';
  return existsSync(input) ? undefined : `--input: there is no file ${input}`;
}

/** @returns whether it ran and nothing crashed */
async function fuzz(target: FuzzTarget, limits: FuzzLimits, tellMissed: boolean): Promise<boolean> {
  say(`fuzzing ${target.name} …`);
  try {
    const outcome = target.kind === 'native' ? await fuzzNative(target.native, limits) : await fuzzScript(target, limits);
    printOutcome(target, limits, outcome, tellMissed);
    return outcome.crash === undefined;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    print(`${target.name}: not run: ${error.message}\n  ${error.remedy}`);
    return false;
  }
}

function printOutcome(target: FuzzTarget, { seed }: FuzzLimits, { executions, newInputs, files, crash }: FuzzOutcome, tellMissed: boolean): void {
  const { reached, of } = sumOf(files);
  const unit = target.kind === 'native' ? 'edges' : 'blocks';
  print(`${target.name}: ${executions} executions, ${reached} of ${of} ${unit} reached, ${newInputs} new inputs, ${crash === undefined ? 'no crash' : 'A CRASH'} (seed ${seed})`);
  for (const file of files) printFile(file, tellMissed);
  if (crash !== undefined) printCrash(target, crash);
}

function printFile({ file, reached, of, missed }: FileEdges, tellMissed: boolean): void {
  print(`  ${`${reached}/${of}`.padStart(9)}  ${file}`);
  if (tellMissed) for (const place of missed) print(`             not: ${place}`);
}

function printCrash({ name }: FuzzTarget, { file, talk }: Crash): void {
  print(talk.replace(/^/gm, '  | '));
  if (file !== undefined) print(`  again: npm run fuzz -- --target ${name} --input ${relative(projectPath('.'), file)}`);
}

async function runInput(target: FuzzTarget, input: string): Promise<number> {
  const { ok, talk } = target.kind === 'native' ? await tryNative(target.native, input) : await tryScript(target, input);
  if (talk !== '') print(talk.trimEnd());
  print(`${target.name}: ${input}: ${ok ? 'no crash' : 'A CRASH'}`);
  return ok ? 0 : 1;
}

function say(text: string): void {
  process.stderr.write(`fuzz: ${text}\n`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
