import type { CliContext } from './cli-context.ts';
import { EXIT } from './cli-error.ts';

/** After the first Ctrl-C, how long everything may take to end by itself. Longer than boards are given (STOP_LIMIT_MS). */
const END_LIMIT_MS = 10_000;

/**
 * The world of this process. The first Ctrl-C or SIGTERM aborts `interrupted`; the second, or a shutdown that hangs, ends the process
 * at once, and its boards with it.
 *
 * @param killChildren ends what this process has started, without waiting
 */
export function openProcessContext(killChildren: () => void): CliContext {
  const controller = new AbortController();
  const endNow = (): void => {
    killChildren();
    process.exit(EXIT.interrupted);
  };
  const interrupt = (): void => {
    if (controller.signal.aborted) return endNow();
    controller.abort();
    setTimeout(endNow, END_LIMIT_MS).unref();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  process.on('SIGHUP', interrupt);
  // The reader of a pipe went away (`| head`): nobody is left to talk to, which is an interruption and no fault.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    if (!controller.signal.aborted) interrupt();
  });
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    interrupted: controller.signal,
    exitCode: EXIT.ok,
  };
}
