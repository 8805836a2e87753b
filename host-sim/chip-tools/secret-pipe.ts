import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { runCommand } from '../board/run-command.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';

const RETRY_MS = 20;

/**
 * Gives secrets to a program by named pipes in a folder that only this user can open: their bytes are in no file, no argument and no
 * environment. `run` gets one path for each secret; its program reads each once, from beginning to end.
 */
export async function withSecretPipes<T>(secrets: readonly Uint8Array[], run: (paths: readonly string[]) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-pipe-'));
  const ended = new AbortController();
  try {
    const paths = secrets.map((_, index) => join(folder, `key${index}`));
    const { code } = await runCommand('mkfifo', ['-m', '600', ...paths]);
    if (code !== 0) throw new CliError('ERR_TOOLS', EXIT.configuration, 'mkfifo is not there or cannot make a pipe', 'burn keys on Linux or macOS');
    const feeds = secrets.map((secret, index) => feed(paths[index] ?? '', secret, ended.signal));
    try {
      return await run(paths);
    } finally {
      ended.abort();
      await Promise.all(feeds);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Waits until somebody reads the pipe, without blocking, and gives up when `ended`. */
async function feed(path: string, secret: Uint8Array, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    const pipe = openForWriting(path);
    if (pipe !== undefined) {
      try {
        writeSync(pipe, secret); // 32 bytes: a pipe takes them at once (PIPE_BUF)
      } catch {
        // The reader has gone; its exit code says why.
      } finally {
        closeSync(pipe);
      }
      return;
    }
    await delay(RETRY_MS);
  }
}

function openForWriting(path: string): number | undefined {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return undefined; // ENXIO: nobody reads it yet
  }
}
