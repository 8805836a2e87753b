import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { projectPath } from '../../host-sim/board/project-path.ts';
import { seededRandom, type Random } from '../../host-sim/time/seeded-random.ts';
import { mutate, pick } from './js-mutate.ts';

/** Inputs that were answered in a new way join the corpus of the run, up to this many. */
const MAX_KEPT_INPUTS = 2000;

/** What is fuzzed, and its judges. */
export interface ScriptFuzzer {
  readonly corpus: () => readonly Uint8Array[];
  readonly maxInputBytes: number;
  /** Bytes that mean something to it. */
  readonly telling: readonly number[];
  /** Runs one input, as a whole and in pieces. @throws Error for what no input may do */
  readonly run: (input: Uint8Array, random: Random, seen: Map<string, number>) => void;
}

export interface FuzzOptions {
  /** The same seed and runs give the same inputs. */
  readonly seed: number;
  /** Inputs to try; or with `untilMs` as many as fit. */
  readonly runs: number;
  /** Stop when the clock says so (milliseconds since 1970). */
  readonly untilMs?: number;
}

export interface FuzzReport {
  readonly inputs: number;
  /** Those that joined the corpus of the run. */
  readonly newInputs: number;
  /** How often each way to be answered was seen. */
  readonly seen: ReadonlyMap<string, number>;
}

/** An input that did what no input may do. */
export class FuzzFailure extends Error {
  override readonly name = 'FuzzFailure';
  /** Hexadecimal; a file of it in the corpus pins the case. */
  readonly input: string;

  constructor(input: Uint8Array, cause: unknown) {
    const hex = Buffer.from(input).toString('hex');
    super(`${cause instanceof Error ? cause.message : String(cause)}; input ${hex}`, { cause });
    this.input = hex;
  }
}

/** Mutates the corpus and runs what is fuzzed over it. @throws FuzzFailure */
export function fuzzInputs(fuzzer: ScriptFuzzer, { seed, runs, untilMs = Infinity }: FuzzOptions): FuzzReport {
  const random = seededRandom(seed);
  const corpus = [...fuzzer.corpus()];
  const checkedIn = corpus.length;
  const seen = new Map<string, number>();
  for (const input of corpus) runInput(fuzzer, input, random, seen);
  let inputs = corpus.length;
  for (let run = 0; run < runs && (run % 256 !== 0 || Date.now() < untilMs); run++) {
    const input = mutate(pick(corpus, random), pick(corpus, random), fuzzer, random);
    const kindsBefore = seen.size;
    runInput(fuzzer, input, random, seen);
    if ((seen.size > kindsBefore || random() < 0.001) && corpus.length < MAX_KEPT_INPUTS) corpus.push(input);
    inputs++;
  }
  return { inputs, newInputs: corpus.length - checkedIn, seen };
}

/** @throws FuzzFailure */
export function runInput(fuzzer: ScriptFuzzer, input: Uint8Array, random: Random, seen: Map<string, number>): void {
  try {
    fuzzer.run(input, random, seen);
  } catch (error) {
    throw new FuzzFailure(input, error);
  }
}

/** Checked in below test/fuzz/corpus: one input a file, as hexadecimal text. */
export function readCorpus(folder: string): Uint8Array[] {
  const path = projectPath(`test/fuzz/corpus/${folder}`);
  return readdirSync(path)
    .sort()
    .map((name) => Uint8Array.from(Buffer.from(readFileSync(join(path, name), 'utf8').replace(/\s+/g, ''), 'hex')));
}

/** As one piece, in drawn pieces and byte by byte. */
export function cutsOf(input: Uint8Array, random: Random): Uint8Array[][] {
  const ends = [...input.keys()].slice(1);
  return [[], ends.filter(() => random() < 0.1), ends].map((chosen) => cut(input, chosen));
}

function cut(bytes: Uint8Array, ends: readonly number[]): Uint8Array[] {
  const all = [...ends, bytes.length];
  return all.map((end, index) => bytes.slice(all[index - 1] ?? 0, end));
}
