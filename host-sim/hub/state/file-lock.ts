import { closeSync, openSync, readFileSync, realpathSync, rmSync, writeSync } from 'node:fs';
import { HubError } from '../hub-error.ts';

/** Of this process: what else has its number is of a process that has ended, as in a container that is started again. */
const held = new Set<string>();

/**
 * Takes `{path}.lock` for this process; a holder that has died does not count.
 * @returns a function that gives it back. @throws ERR_STATE_FILE while another process has it
 */
export function takeLock(path: string): () => void {
  const lock = `${path}.lock`;
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const fd = openSync(lock, 'wx', 0o600);
      writeSync(fd, String(process.pid));
      closeSync(fd);
      const name = realpathSync(lock);
      held.add(name);
      return () => {
        held.delete(name);
        rmSync(lock, { force: true });
      };
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw explainLockError(path, cause as NodeJS.ErrnoException);
      const holder = readHolder(lock);
      if (holder !== undefined && (holder === process.pid ? held.has(realpathSync(lock)) : isAlive(holder))) {
        throw new HubError('ERR_STATE_FILE', `${path} is in use by process ${holder}`, `end that hub first, or give this one another file; remove ${lock} if that process is no hub`);
      }
      rmSync(lock, { force: true });
    }
  }
  throw new HubError('ERR_STATE_FILE', `${path} is in use`, 'try again');
}

function readHolder(lock: string): number | undefined {
  try {
    return Number(readFileSync(lock, 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function explainLockError(path: string, cause: NodeJS.ErrnoException): HubError {
  return new HubError('ERR_STATE_WRITE', `cannot save ${path}: ${cause.code ?? cause.message}`, 'check the folder, its rights and the disk', { cause });
}
