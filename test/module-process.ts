import { spawn, type ChildProcess } from 'node:child_process';

import { projectPath } from '../host-sim/board/project-path.ts';

export interface ModuleProcessOptions {
  /** From the project's root. */
  readonly module: string;
  /** Its exported function, called with `argument`. */
  readonly name: string;
  readonly argument: unknown;
  readonly nodeFlags?: readonly string[];
}

/** Starts an exported function in a process of its own: stdin and stdout are pipes, stderr is ours. */
export function startModule({ module, name, argument, nodeFlags = [] }: ModuleProcessOptions): ChildProcess {
  return spawn(process.execPath, [...nodeFlags, projectPath('test/module-process.mjs'), module, name, JSON.stringify(argument)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
}

/** All of stdout, once the process has ended. @throws Error for an exit code other than 0 */
export async function outputOf(child: ChildProcess, what: string): Promise<string> {
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${what} ended with exit code ${code}`);
  return output;
}
