import type { CliContext } from './cli-context.ts';
import { CliError, EXIT } from './cli-error.ts';

const ENTER = /[\r\n]/;
const INTERRUPT = '\u0003';
const ERASE = new Set(['\u0008', '\u007f']);

interface RawInput {
  setRawMode?(isRaw: boolean): unknown;
}

/**
 * Asks a person on the terminal; the question goes to stderr. With `hidden` what is typed does not show.
 * @returns the line without its end, or undefined when the input ended
 * @throws ERR_CONFIRMATION when Ctrl-C was typed, which is a character while the terminal hides what is typed
 */
export async function promptLine(context: CliContext, question: string, { hidden = false } = {}): Promise<string | undefined> {
  const { stdin } = context;
  const raw = stdin as RawInput;
  const setRaw = (isRaw: boolean): void => {
    if (hidden) raw.setRawMode?.(isRaw);
  };
  context.stderr.write(question);
  setRaw(true);
  try {
    return await readTyped(context);
  } finally {
    setRaw(false);
    if (hidden) context.stderr.write('\n');
  }
}

function readTyped({ stdin, interrupted }: CliContext): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let typed = '';
    const release = (): void => {
      stdin.off('data', take).off('end', stop).off('close', stop);
      interrupted.removeEventListener('abort', stop);
      stdin.pause();
    };
    const finish = (line: string | undefined): void => {
      release();
      resolve(line);
    };
    const stop = (): void => finish(undefined);
    const take = (chunk: Buffer | string): void => {
      const text = typeof chunk === 'string' ? chunk : chunk.toString('utf8');
      for (const [index, character] of [...text].entries()) {
        if (ENTER.test(character)) {
          const rest = [...text].slice(index + 1).join('').replace(/^\n/, '');
          finish(typed);
          if (rest !== '') stdin.unshift(rest);
          return;
        }
        if (character === INTERRUPT) {
          release();
          return reject(new CliError('ERR_CONFIRMATION', EXIT.interrupted, 'interrupted while it was asked for', 'run it again'));
        }
        if (ERASE.has(character)) typed = [...typed].slice(0, -1).join('');
        else typed += character;
      }
    };
    stdin.on('data', take).once('end', stop).once('close', stop);
    interrupted.addEventListener('abort', stop, { once: true });
    stdin.resume();
  });
}
