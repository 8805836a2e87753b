import { chmodSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder } from '../board/make-folder.ts';
import { replaceFile } from '../board/replace-file.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { formatEnvelope, parseEnvelope, type Envelope } from './envelope.ts';
import { parsePublicKey, type UpdateKey } from './update-key.ts';

/** What holds no secret: a web server of another user may serve it. */
export const PUBLIC_MODE = 0o644;

/** @throws ERR_FILE */
export function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new CliError('ERR_FILE', EXIT.configuration, `cannot read ${file}: ${codeOf(cause)}`, 'check the path and that this user may read the file', { cause });
  }
}

/** A bundle or a draft. @throws ERR_FILE, ERR_BUNDLE */
export function readEnvelopeFile(file: string): Envelope {
  const bytes = readBytes(file);
  return explained(file, () => parseEnvelope(bytes));
}

/** Replaces the file whole; everybody may read it. @throws ERR_FILE */
export function writeEnvelopeFile(file: string, envelope: Envelope): void {
  writeWhole(file, formatEnvelope(envelope), PUBLIC_MODE);
}

/** Makes the folder, too. @param mode default: this user's alone, from the first byte on. @throws ERR_FILE; what was there stays */
export function writeWhole(file: string, text: string, mode?: typeof PUBLIC_MODE): void {
  try {
    makeFolder(dirname(file));
    replaceFile(file, text);
    if (mode !== undefined) chmodSync(file, mode);
  } catch (cause) {
    throw new CliError('ERR_FILE', EXIT.configuration, `cannot write ${file}: ${codeOf(cause)}`, 'check the folder, its rights and the disk', { cause });
  }
}

/** @throws ERR_FILE, ERR_KEY */
export function readPublicKeyFile(file: string): UpdateKey {
  return parsePublicKey(readBytes(file).toString('utf8'), file);
}

/** A device's code for what is wrong with a bundle, as an error of this program. */
export function explained<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || !String(error.code).startsWith('ERR_BUNDLE')) throw error;
    throw new CliError('ERR_BUNDLE', EXIT.failed, `${file}: ${error.message} (${String(error.code)})`, 'docs/roots.md says what each code means; "latchkey roots inspect" shows what the bundle says', { cause: error });
  }
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
}
