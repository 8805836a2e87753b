/** JavaScript of the firmware under mutation, in a process of its own: one JSON argument, one JSON line at the end. */
import { readFileSync } from 'node:fs';

import { measureBlocks } from './js-coverage.ts';
import { framerAndCodec } from './js-framer-codec.ts';
import { FuzzFailure, fuzzInputs, runInput, type ScriptFuzzer } from './js-fuzz.ts';
import { jsonScanners } from './js-json.ts';
import type { FileEdges, FuzzLimits } from './outcome.ts';
import type { ScriptTarget } from './targets.ts';

export type ScriptReport =
  | { readonly executions: number; readonly newInputs: number; readonly files: readonly FileEdges[] }
  /** Hexadecimal. */
  | { readonly failedInput: string; readonly talk: string };

const FUZZERS: Readonly<Record<ScriptTarget['name'], ScriptFuzzer>> = { 'framer-codec': framerAndCodec, json: jsonScanners };

export function fuzzScript({ target, seconds, runs, seed }: FuzzLimits & { readonly target: ScriptTarget['name'] }): void {
  print(
    guarded(() => {
      const { result, files } = measureBlocks(import.meta.url, ['firmware/'], () =>
        fuzzInputs(FUZZERS[target], { seed, runs: runs === 0 ? Infinity : runs, untilMs: Date.now() + seconds * 1000 }),
      );
      return { executions: result.inputs, newInputs: result.newInputs, files: files.map(({ file, blocks, reached, missed }) => ({ file, reached, of: blocks, missed })) };
    }),
  );
}

/** Runs one input, as a whole and cut at every byte. */
export function tryScript({ target, file }: { readonly target: ScriptTarget['name']; readonly file: string }): void {
  print(
    guarded(() => {
      runInput(FUZZERS[target], Uint8Array.from(readFileSync(file)), Math.random, new Map());
      return { executions: 1, newInputs: 0, files: [] };
    }),
  );
}

function guarded(action: () => ScriptReport): ScriptReport {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof FuzzFailure)) throw error;
    return { failedInput: error.input, talk: `${error.message}\n${error.cause instanceof Error ? error.cause.stack : ''}` };
  }
}

function print(report: ScriptReport): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
