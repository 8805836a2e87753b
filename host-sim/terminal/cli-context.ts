import type { Readable, Writable } from 'node:stream';

/** The world of one run of the program, so that commands can be run by a test too. */
export interface CliContext {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly interrupted: AbortSignal;
  /** What the process will exit with; a command may set it, and an error that it throws overrides it. */
  exitCode: number;
}

/** Data, for the next program: one line on stdout. */
export function printLine(context: CliContext, text: string): void {
  context.stdout.write(`${text}\n`);
}

/** Talk, for the person: one line on stderr. */
export function sayLine(context: CliContext, text: string): void {
  context.stderr.write(`${text}\n`);
}

/** A `--json` line. */
export function printJson(context: CliContext, value: object): void {
  printLine(context, JSON.stringify(value));
}

/** Whether a person reads stdout. */
export function isTerminal(context: CliContext): boolean {
  return context.stdout.isTTY === true;
}

/** ANSI styles, or none: not a terminal, `TERM=dumb`, or `NO_COLOR` with any value that is not empty (no-color.org). */
export function makeStyle(context: CliContext): Style {
  const { NO_COLOR, TERM } = context.env;
  const isPlain = !isTerminal(context) || TERM === 'dumb' || (NO_COLOR !== undefined && NO_COLOR !== '');
  const wrap = (open: number, close: number) => (text: string) => (isPlain ? text : `\u001b[${open}m${text}\u001b[${close}m`);
  return { bold: wrap(1, 22), dim: wrap(2, 22), red: wrap(31, 39), green: wrap(32, 39), yellow: wrap(33, 39), cyan: wrap(36, 39) };
}

export type Style = Readonly<Record<'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan', (text: string) => string>>;
