import { explainSystemError, isSystemError, type SystemError } from './system-error.ts';

/** What the process says to the shell. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  /** Configuration refused: a file, a connection string, a key, a missing tool. */
  configuration: 3,
  /** A port or a peer cannot be had. */
  unreachable: 4,
  timedOut: 124,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What a run's ending (simulation/run.ts) is to the shell. */
export const EXIT_OF_ENDING = { complete: EXIT.ok, interrupted: EXIT.interrupted, 'timed-out': EXIT.timedOut, 'board-failed': EXIT.failed } as const;

export type CliErrorCode =
  | 'ERR_BOARD_ENDED'
  | 'ERR_BUNDLE'
  | 'ERR_CHIP'
  | 'ERR_CONFIRMATION'
  | 'ERR_CONNECTION_STRING'
  | 'ERR_DPS'
  | 'ERR_EFUSE'
  | 'ERR_FILE'
  | 'ERR_FLASH'
  | 'ERR_HUB_REFUSED'
  | 'ERR_HUB_UNREACHABLE'
  | 'ERR_IMAGE'
  | 'ERR_JSON'
  | 'ERR_KEY'
  | 'ERR_NAME'
  | 'ERR_NO_BOARD'
  | 'ERR_NO_HUB'
  | 'ERR_NOT_ONLINE'
  | 'ERR_PARTITIONS'
  | 'ERR_PROVISION'
  | 'ERR_REGISTRY'
  | 'ERR_ROOTS'
  | 'ERR_SCENARIO'
  | 'ERR_TIMED_OUT'
  | 'ERR_TOOLS'
  | 'ERR_WIFI';

/** An expected failure of a command, with the way out. The text never holds a key, a token or a signature. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code: CliErrorCode;
  readonly exitCode: ExitCode;
  /** What to do about it, one sentence. */
  readonly remedy: string;

  constructor(code: CliErrorCode, exitCode: ExitCode, message: string, remedy: string, options?: { readonly cause: unknown }) {
    super(message, options);
    this.code = code;
    this.exitCode = exitCode;
    this.remedy = remedy;
  }
}

/** Codes of the hub (hub-error.ts) and of the system that mean "not reachable"; other coded errors are refused configuration. */
const UNREACHABLE_CODES = new Set(['ERR_PORT_IN_USE', 'ERR_PORT_FORBIDDEN', 'ERR_ADDRESS', 'EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL', 'ECONNREFUSED']);

interface ExplainedError extends Error {
  readonly code: string;
  readonly remedy: string;
}

function isExplained(error: unknown): error is ExplainedError {
  return error instanceof Error && 'code' in error && 'remedy' in error && typeof error.code === 'string' && typeof error.remedy === 'string';
}

/** The exit code for what a command threw. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CliError) return error.exitCode;
  if (!isExplained(error)) return isSystemError(error) ? exitCodeOfSystemError(error) : EXIT.failed;
  return UNREACHABLE_CODES.has(error.code) ? EXIT.unreachable : EXIT.configuration;
}

/** Calls that want a port or a peer; all others are about files. */
const NETWORK_CALLS = new Set(['bind', 'connect', 'getaddrinfo', 'listen']);

const exitCodeOfSystemError = ({ syscall }: SystemError): ExitCode => (NETWORK_CALLS.has(syscall) ? EXIT.unreachable : EXIT.configuration);

/** What the user reads: the message, and the remedy on a line of its own. A stack only where the fault is ours. */
export function describeError(error: unknown): string {
  if (isExplained(error)) return `error: ${error.message} (${error.code})\n  ${error.remedy}`;
  if (isSystemError(error)) {
    const { message, remedy } = explainSystemError(error);
    return `error: ${message} (${error.code})\n  ${remedy}`;
  }
  return `error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}
