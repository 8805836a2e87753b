import type { CliContext } from './cli-context.ts';

const ENTER = /[\r\n]/;
const INTERRUPT = '\u0003';
const ERASE = new Set(['\u0008', '\u007f']);

interface RawInput {
  setRawMode?(isRaw: boolean): unknown;
}

/**
 * Asks a person on the terminal; the question goes to stderr. With `hidden` what is typed does not show.
 * @returns the line without its end, or undefined when the input ended or Ctrl-C was typed
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
  return new Promise((resolve) => {
    let typed = '';
    const finish = (line: string | undefined): void => {
      stdin.off('data', take).off('end', stop).off('close', stop);
      interrupted.removeEventListener('abort', stop);
      stdin.pause();
      resolve(line);
    };
    const stop = (): void => finish(undefined);
    const take = (chunk: Buffer | string): void => {
      const text = chunk.toString('utf8' as never);
      for (const [index, character] of [...text].entries()) {
        if (ENTER.test(character)) {
          const rest = [...text].slice(index + 1).join('').replace(/^\n/, '');
          finish(typed);
          if (rest !== '') stdin.unshift(rest);
          return;
        }
        if (character === INTERRUPT) return stop();
        if (ERASE.has(character)) typed = [...typed].slice(0, -1).join('');
        else typed += character;
      }
    };
    stdin.on('data', take).once('end', stop).once('close', stop);
    interrupted.addEventListener('abort', stop, { once: true });
    stdin.resume();
  });
}
