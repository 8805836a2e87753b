import { PassThrough, Readable } from 'node:stream';
import { runCli } from '../../host-sim/cli.ts';
import type { CliContext } from '../../host-sim/terminal/cli-context.ts';

export interface CliRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliWorld {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** `undefined`: a terminal where nobody types. */
  readonly stdin?: string | undefined;
  /** A terminal at which a person types this. */
  readonly typed?: string | undefined;
  readonly isTerminal?: boolean;
  readonly interrupted?: AbortSignal;
  /** Called with each piece of stdout. */
  readonly onOutput?: (text: string) => void;
  /** The same of stderr. */
  readonly onTalk?: (text: string) => void;
}

/** Runs a command of the program in this process, as a shell would. */
export async function runCommandLine(args: readonly string[], world: CliWorld = {}): Promise<CliRun> {
  const output = { stdout: '', stderr: '' };
  const collect = (name: 'stdout' | 'stderr'): PassThrough & { isTTY?: boolean } => {
    const stream = new PassThrough();
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      output[name] += text;
      (name === 'stdout' ? world.onOutput : world.onTalk)?.(text);
    });
    return Object.assign(stream, { isTTY: world.isTerminal === true });
  };
  const context: CliContext = {
    stdin: Object.assign(Readable.from([world.typed ?? world.stdin].filter((text) => text !== undefined)), { isTTY: world.stdin === undefined }),
    stdout: collect('stdout'),
    stderr: collect('stderr'),
    env: world.env ?? {},
    interrupted: world.interrupted ?? new AbortController().signal,
    exitCode: 0,
  };
  const exitCode = await runCli(args, context);
  await new Promise((resolve) => setImmediate(resolve));
  return { exitCode, ...output };
}
