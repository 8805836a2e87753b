import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import { CliError, EXIT } from './cli-error.ts';

/**
 * JSON of an option as the az CLI takes it: the text itself, or `@file`.
 * @throws InvalidArgumentError, ERR_FILE
 */
export function jsonValue(text: string): unknown {
  const isFile = text.startsWith('@');
  const source = isFile ? readText(text.slice(1)) : text;
  try {
    return JSON.parse(source) as unknown;
  } catch {
    throw new InvalidArgumentError(isFile ? `${text.slice(1)} holds no valid JSON.` : `no valid JSON: in a shell, put it in single quotes: '{"name": "value"}'; or give @FILE.`);
  }
}

/** The same where only an object will do. */
export function jsonObject(text: string): Readonly<Record<string, unknown>> {
  const value = jsonValue(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new InvalidArgumentError('a JSON object is needed: {"name": "value"}.');
  return value as Readonly<Record<string, unknown>>;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const code = String((cause as { readonly code?: unknown }).code ?? cause);
    throw new CliError('ERR_FILE', EXIT.configuration, `cannot read ${path}: ${code}`, 'check the path and that this user may read the file', { cause });
  }
}
