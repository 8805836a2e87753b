import { readFile } from 'node:fs/promises';
import type { CliContext } from './cli-context.ts';
import { CliError, EXIT } from './cli-error.ts';
import { promptLine } from './prompt.ts';

const MAX_SECRET_BYTES = 4096;

/**
 * A secret of one line: from a file (`-` is stdin), else asked for on the terminal without showing it.
 * @param what for question and errors: "the Wi-Fi password"
 * @param option the option that names a file
 * @throws ERR_FILE
 */
export async function readSecret(context: CliContext, what: string, option: string, file: string | undefined): Promise<string> {
  if (file === '-') return oneLine(await readAll(context), what);
  if (file !== undefined) {
    try {
      return oneLine(await readFile(file, 'utf8'), what);
    } catch (cause) {
      if (cause instanceof CliError) throw cause;
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
      throw new CliError('ERR_FILE', EXIT.configuration, `cannot read ${file}: ${code}`, 'check the path and that this user may read the file', { cause });
    }
  }
  const typed = context.stdin.isTTY === true ? await promptLine(context, `${what}: `, { hidden: true }) : undefined;
  if (typed !== undefined) return typed;
  throw new CliError('ERR_FILE', EXIT.configuration, `there is nobody to ask for ${what}`, `give a file that holds it: ${option} FILE (or "-" for stdin)`);
}

async function readAll({ stdin }: CliContext): Promise<string> {
  const chunks: Buffer[] = [];
  let byteCount = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk as Uint8Array | string);
    byteCount += bytes.length;
    if (byteCount > MAX_SECRET_BYTES) break;
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function oneLine(text: string, what: string): string {
  const line = text.replace(/\r?\n$/, '');
  if (line === '' || line.includes('\n') || line.length > MAX_SECRET_BYTES) throw new CliError('ERR_FILE', EXIT.configuration, `${what} must be one line, and not an empty one`, 'put it into the file and nothing else');
  return line;
}
