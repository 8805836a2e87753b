import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runCommand } from '../board/run-command.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';

/** A program of Espressif's esptool package. Version 5 spells commands with dashes, version 4 with underscores. */
export interface ExternalTool {
  readonly program: string;
  readonly major: number;
}

export interface ToolResult {
  readonly code: number | null;
  readonly output: string;
}

/** Versions whose command lines are known. */
const MIN_MAJOR = 4;

/**
 * Finds a program of the package on the path, with or without `.py`.
 * @throws ERR_TOOLS with the line that installs it
 */
export function findProgram(name: 'esptool' | 'espefuse', env: Readonly<Record<string, string | undefined>>): string {
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const program = [name, `${name}.py`].flatMap((file) => folders.map((folder) => join(folder, file))).find(isExecutable);
  if (program === undefined) throw missing(`${name} is not on the path`);
  return program;
}

/** Finds esptool and asks it for its version. @throws ERR_TOOLS */
export async function findEsptool(env: Readonly<Record<string, string | undefined>>): Promise<ExternalTool> {
  const program = findProgram('esptool', env);
  const { output } = await runCommand(program, ['version']);
  return { program, major: majorVersion(output, program) };
}

/** Every run begins with a line such as `espefuse v5.0.2` or `espefuse.py v4.8.1`. @throws ERR_TOOLS */
export function majorVersion(output: string, program: string): number {
  const major = Number(/\besp(?:tool|efuse)(?:\.py)? v(\d+)\.\d+/.exec(output)?.[1]);
  if (!(major >= MIN_MAJOR)) throw missing(`${program} does not say a version that is known (${MIN_MAJOR} or later)`);
  return major;
}

/** `write-flash` as this version spells it. */
export function commandName(tool: Pick<ExternalTool, 'major'>, name: string): string {
  return tool.major >= 5 ? name : name.replaceAll('-', '_');
}

/** Runs the tool; `onText` gets what it prints as it comes. Ends it when `interrupted` is aborted. */
export function runTool(tool: Pick<ExternalTool, 'program'>, args: readonly string[], options: { readonly interrupted: AbortSignal; readonly onText?: (text: string) => void }): Promise<ToolResult> {
  return new Promise((resolve) => {
    let output = '';
    const env = { ...process.env, LC_ALL: 'C', PYTHONUNBUFFERED: '1', NO_COLOR: '1', COLUMNS: '200' };
    const child = spawn(tool.program, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    const stop = (): void => void child.kill('SIGTERM');
    const take = (bytes: Buffer): void => {
      const text = bytes.toString('utf8');
      output += text;
      options.onText?.(text);
    };
    const end = (result: ToolResult): void => {
      options.interrupted.removeEventListener('abort', stop);
      resolve(result);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.once('error', (error) => end({ code: 127, output: String(error) }));
    child.once('close', (code) => end({ code, output }));
    if (options.interrupted.aborted) stop();
    else options.interrupted.addEventListener('abort', stop, { once: true });
  });
}

/** The line of the tool's output that says why it failed. */
export function faultOf({ code, output }: ToolResult): string {
  const lines = output.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  const fatal = lines.find((line) => /fatal error occurred/i.test(line));
  if (fatal !== undefined) return fatal.replace(/^.*fatal error occurred:\s*/i, '');
  return lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? (code === null ? 'it was ended by a signal' : `exit code ${code}`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

const missing = (message: string): CliError =>
  new CliError('ERR_TOOLS', EXIT.configuration, message, 'install it: pipx install esptool   (it also comes with ESP-IDF: . $IDF_PATH/export.sh)');
