import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { projectPath } from '../../host-sim/board/project-path.ts';
import { seededRandom, type Random } from '../../host-sim/time/seeded-random.ts';
import { mutate, pick } from './js-mutate.ts';
import { runFramerAndCodec } from './js-framer-oracle.ts';

/** Checked in: one input a file, as hexadecimal text. */
const CORPUS = projectPath('test/fuzz/corpus/framer');
const MAX_INPUT_BYTES = 2048;
/** Inputs that were answered in a new way join the corpus of the run, up to this many. */
const MAX_KEPT_INPUTS = 2000;

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
  /** How often each frame kind, packet type and refusal was seen. */
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

/**
 * Mutates the corpus and runs framer and codec over it, in one chunk, in drawn chunks and byte by byte.
 * @throws FuzzFailure unless all three give the same frames and the same ERR_PROTOCOL, no array above the limit is held, and
 * mqtt-packet on Node reads the same packets.
 */
export function fuzzFramerAndCodec({ seed, runs, untilMs = Infinity }: FuzzOptions): FuzzReport {
  const random = seededRandom(seed);
  const corpus = readCorpus();
  const checkedIn = corpus.length;
  const seen = new Map<string, number>();
  for (const input of corpus) runInput(input, random, seen);
  let inputs = corpus.length;
  for (let run = 0; run < runs && (run % 256 !== 0 || Date.now() < untilMs); run++) {
    const input = mutate(pick(corpus, random), pick(corpus, random), MAX_INPUT_BYTES, random);
    const kindsBefore = seen.size;
    runInput(input, random, seen);
    if ((seen.size > kindsBefore || random() < 0.001) && corpus.length < MAX_KEPT_INPUTS) corpus.push(input);
    inputs++;
  }
  return { inputs, newInputs: corpus.length - checkedIn, seen };
}

export function readCorpus(): Uint8Array[] {
  return readdirSync(CORPUS)
    .sort()
    .map((name) => Uint8Array.from(Buffer.from(readFileSync(join(CORPUS, name), 'utf8').replace(/\s+/g, ''), 'hex')));
}

/** Runs one input, as a whole, in drawn chunks and byte by byte. @throws FuzzFailure */
export function runInput(input: Uint8Array, random: Random, seen: Map<string, number>): void {
  try {
    const whole = JSON.stringify(runFramerAndCodec([input.slice()], seen));
    const ends = [...input.keys()].slice(1);
    const unseen = new Map<string, number>();
    for (const chosen of [ends.filter(() => random() < 0.1), ends]) {
      if (JSON.stringify(runFramerAndCodec(cut(input, chosen), unseen)) !== whole) throw new Error('frames depend on the chunks');
    }
  } catch (error) {
    throw new FuzzFailure(input, error);
  }
}

function cut(bytes: Uint8Array, ends: readonly number[]): Uint8Array[] {
  const all = [...ends, bytes.length];
  return all.map((end, index) => bytes.slice(all[index - 1] ?? 0, end));
}
