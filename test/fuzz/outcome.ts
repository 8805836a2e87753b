/** Branches of one source: libFuzzer's edges in C, V8's blocks in JavaScript. */
export interface FileEdges {
  /** From the project's root. */
  readonly file: string;
  readonly reached: number;
  readonly of: number;
  /** Places that were not reached. */
  readonly missed: readonly string[];
}

/** What fuzzing one target came to. */
export interface FuzzOutcome {
  readonly executions: number;
  /** Inputs that reached something new; they stay below `.build/fuzz/` where the target keeps them. */
  readonly newInputs: number;
  /** Of our own code only. */
  readonly files: readonly FileEdges[];
  /** `undefined`: none. */
  readonly crash: Crash | undefined;
}

export interface Crash {
  /** The input, below `.build/fuzz/`; `undefined` when the program ended without naming one. */
  readonly file: string | undefined;
  /** The end of what was said. */
  readonly talk: string;
}

export interface FuzzLimits {
  /** For one target. */
  readonly seconds: number;
  /** Ends earlier when so many inputs were tried; 0: only time counts. */
  readonly runs: number;
  readonly seed: number;
}

export function sumOf(files: readonly FileEdges[]): { readonly reached: number; readonly of: number } {
  return {
    reached: files.reduce((sum, { reached }) => sum + reached, 0),
    of: files.reduce((sum, file) => sum + file.of, 0),
  };
}
