import { spawn } from 'node:child_process';

export interface CommandResult {
  readonly code: number | null;
  /** stdout and stderr together. */
  readonly output: string;
}

/** Never rejects: a program that is not there ends with code 127, as in a shell. */
export function runCommand(program: string, args: readonly string[]): Promise<CommandResult> {
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
    const take = (text: Buffer): void => {
      output += text.toString();
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.once('error', (error) => resolve({ code: 127, output: String(error) }));
    child.once('close', (code) => resolve({ code, output }));
  });
}
