import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

const LATCHKEY = new URL('../../host-sim/latchkey.mjs', import.meta.url).pathname;
/** A guard against a hang: a machine that does much else at the same time is no failure. */
const LIMIT_MS = 100_000;

export interface Ending {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly cwd?: string;
}

/** Runs a program to its end; it is ended when it takes too long. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...options.env }, cwd: options.cwd, stdio: 'pipe' });
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) child[name].setEncoding('utf8').on('data', (text: string) => void (output[name] += text));
    child.on('error', reject);
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, ...output });
    });
  });
}

/** The environment without a connection string that the machine may have. */
const CLEAN = { IOTHUB_DEVICE_CONNECTION_STRING: '', IOTHUB_CONNECTION_STRING: '', NO_COLOR: '1' };

/** `latchkey …` as a user runs it. */
export function latchkey(args: readonly string[], options: RunOptions = {}): Promise<Ending> {
  return run(process.execPath, [LATCHKEY, ...args], { ...options, env: { ...CLEAN, ...options.env } });
}

type JsonLine = Readonly<Record<string, unknown>> & { readonly event: string };

/** `latchkey hub --json` in the background. */
export class HubProgram {
  readonly lines: JsonLine[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #waiting: (() => void)[] = [];
  stderr = '';

  constructor(args: readonly string[]) {
    this.#child = spawn(process.execPath, [LATCHKEY, 'hub', '--json', ...args], { env: { ...process.env, ...CLEAN }, stdio: ['ignore', 'pipe', 'pipe'] });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      this.lines.push(JSON.parse(line) as JsonLine);
      for (const wake of this.#waiting.splice(0)) wake();
    });
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => void (this.stderr += text));
    this.#ended = new Promise((resolve) => this.#child.on('close', resolve));
  }

  async waitFor(event: string, count = 1): Promise<JsonLine> {
    const deadlineMs = Date.now() + LIMIT_MS;
    for (;;) {
      const found = this.lines.filter((line) => line.event === event);
      if (found.length >= count) return found[count - 1]!;
      if (this.#child.exitCode !== null || Date.now() > deadlineMs) throw new Error(`no ${event}; exit code ${this.#child.exitCode}; ${this.stderr}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 200);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** As a machine that runs out of memory does it: nothing is finished. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** Ctrl-C. */
  async stop(): Promise<number | null> {
    this.#child.kill('SIGINT');
    return this.#ended;
  }
}
