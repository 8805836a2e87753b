import { readFile } from 'node:fs/promises';
import type { CliContext } from './cli-context.ts';
import { CliError, EXIT } from './cli-error.ts';
import { parseConnectionString, type ConnectionString } from './connection-string.ts';

/** Bytes after which stdin is no connection string. */
const MAX_STDIN_BYTES = 65_536;

export interface ConnectionStringPlaces {
  /** `--connection-string`; `-` reads stdin. */
  readonly flag?: string | undefined;
  /** `--connection-string-file`. */
  readonly file?: string | undefined;
  /** `IOTHUB_DEVICE_CONNECTION_STRING`, or `IOTHUB_CONNECTION_STRING` for a policy. */
  readonly environmentName: string;
}

export interface FoundConnectionString {
  readonly connection: ConnectionString;
  /** For error texts. */
  readonly source: string;
}

/** The text of the flag, then the file, then environment, then stdin where it is no terminal: what was typed comes before what was set once. @throws ERR_CONNECTION_STRING, ERR_FILE */
export async function readConnectionString(context: CliContext, places: ConnectionStringPlaces): Promise<FoundConnectionString> {
  const { flag, file, environmentName } = places;
  const fromEnvironment = context.env[environmentName];
  if (flag !== undefined && flag !== '-') return found(flag, '--connection-string');
  if (flag === '-') return found(await readStdin(context), 'stdin');
  if (file !== undefined) return found(await readTextFile(file), file);
  if (fromEnvironment !== undefined && fromEnvironment !== '') return found(fromEnvironment, environmentName);
  if (context.stdin.isTTY !== true) return found(await readStdin(context), 'stdin');
  throw new CliError(
    'ERR_CONNECTION_STRING',
    EXIT.configuration,
    'there is no connection string',
    `set ${environmentName}, or give --connection-string-file FILE, or pipe it in (a flag is seen by everybody on this machine)`,
  );
}

function found(text: string, source: string): FoundConnectionString {
  return { connection: parseConnectionString(text, source), source };
}

async function readTextFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new CliError('ERR_FILE', EXIT.configuration, `cannot read ${path}: ${code}`, 'check the path and that this user may read the file', { cause });
  }
}

async function readStdin(context: CliContext): Promise<string> {
  const chunks: Buffer[] = [];
  let byteCount = 0;
  for await (const chunk of context.stdin) {
    const bytes = Buffer.from(chunk as Uint8Array | string);
    byteCount += bytes.length;
    if (byteCount > MAX_STDIN_BYTES) throw new CliError('ERR_CONNECTION_STRING', EXIT.configuration, 'stdin is too long for a connection string', 'pipe in one connection string');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
