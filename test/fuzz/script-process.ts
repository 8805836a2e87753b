/** Framer and codec under mutation, in a process of their own: one JSON argument, one JSON line at the end. */
import { readFileSync } from 'node:fs';

import { measureBlocks } from './js-coverage.ts';
import { FuzzFailure, fuzzFramerAndCodec, runInput } from './js-framer-codec.ts';
import type { FileEdges, FuzzLimits } from './outcome.ts';

export type ScriptReport =
  | { readonly executions: number; readonly newInputs: number; readonly files: readonly FileEdges[] }
  /** Hexadecimal. */
  | { readonly failedInput: string; readonly talk: string };

export function fuzzScript({ seconds, runs, seed }: FuzzLimits): void {
  print(
    guarded(() => {
      const { result, files } = measureBlocks(import.meta.url, ['firmware/'], () =>
        fuzzFramerAndCodec({ seed, runs: runs === 0 ? Infinity : runs, untilMs: Date.now() + seconds * 1000 }),
      );
      return { executions: result.inputs, newInputs: result.newInputs, files: files.map(({ file, blocks, reached, missed }) => ({ file, reached, of: blocks, missed })) };
    }),
  );
}

/** Runs one input, as whole and cut at every byte. */
export function tryScript({ file }: { readonly file: string }): void {
  print(
    guarded(() => {
      runInput(Uint8Array.from(readFileSync(file)), Math.random, new Map());
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
