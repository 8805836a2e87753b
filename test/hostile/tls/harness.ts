import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { projectPath } from '../../../host-sim/board/project-path.ts';
import { buildProgram, tlsSources } from './native-program.ts';

/** What the C harness is asked to do with one connection. */
export interface Connection {
  readonly host: string;
  readonly port: number;
  /** DER. */
  readonly roots: readonly Buffer[];
  readonly certificates?: readonly Buffer[];
  readonly privateKey?: Buffer;
  readonly resume?: boolean;
  /** Feeds at most so many bytes at a time. */
  readonly chunk?: number;
  /** A line, sent when the session is up; the connection ends when as many bytes came back as `expect` says. */
  readonly send?: string;
  readonly expect?: number;
  readonly timeoutMs?: number;
  readonly repeat?: number;
}

export interface Outcome {
  readonly ok: boolean;
  readonly code?: string;
  readonly text?: string;
  readonly depth?: number;
  readonly alert?: number;
  readonly version?: string;
  readonly cipher?: string;
  readonly resumed?: boolean;
  readonly received?: number;
  readonly checksum?: number;
  readonly closed?: boolean;
  readonly units?: number;
}

/** The TLS client in its C harness: one process, one context, one command after the other. */
export class Harness {
  readonly #child;
  readonly #folder: string;
  readonly #waiting: ((line: string) => void)[] = [];
  #talk = '';
  #files = 0;
  readonly #exited: Promise<number | null>;

  private constructor(program: string) {
    mkdirSync(projectPath('.build/native-test'), { recursive: true });
    this.#folder = mkdtempSync(projectPath('.build/native-test/run-'));
    this.#child = spawn(program, [], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr.on('data', (bytes: Buffer) => void (this.#talk += bytes.toString()));
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#waiting.shift()?.(line));
    this.#exited = new Promise((resolve) => this.#child.once('close', resolve));
  }

  static async start(variant: 'asan' | 'plain' = 'asan'): Promise<Harness> {
    const plain = variant === 'plain';
    return new Harness(await buildProgram({
      name: 'tls-harness',
      variant,
      sources: ['test/hostile/tls/harness.c', 'test/hostile/tls/harness-clock.c', ...(plain ? ['test/hostile/tls/harness-heap.c'] : []), ...tlsSources],
      defines: plain ? ['HARNESS_COUNTS_HEAP'] : [],
      wraps: ['time', 'clock_gettime', ...(plain ? ['malloc', 'calloc', 'realloc', 'free'] : [])],
    }));
  }

  async command(line: string): Promise<Record<string, unknown>> {
    const answer = new Promise<string>((resolve, reject) => {
      this.#waiting.push(resolve);
      void this.#exited.then((code) => reject(new Error(`the harness ended with ${code} at "${line}"\n${this.#talk}`)));
    });
    this.#child.stdin.write(`${line}\n`);
    return JSON.parse(await answer) as Record<string, unknown>;
  }

  async connect(connection: Connection): Promise<Outcome> {
    const words = [
      ...[`host=${connection.host}`, `port=${connection.port}`],
      ...connection.roots.map((root) => `root=${this.#file(root)}`),
      ...(connection.certificates ?? []).map((certificate) => `cert=${this.#file(certificate)}`),
      ...(connection.privateKey === undefined ? [] : [`key=${this.#file(connection.privateKey)}`]),
      ...(connection.resume === false ? ['resume=0'] : []),
      ...(connection.chunk === undefined ? [] : [`chunk=${connection.chunk}`]),
      ...(connection.send === undefined ? [] : [`send=${connection.send}`]),
      ...(connection.expect === undefined ? [] : [`expect=${connection.expect}`]),
      ...(connection.timeoutMs === undefined ? [] : [`timeout=${connection.timeoutMs}`]),
      ...(connection.repeat === undefined ? [] : [`repeat=${connection.repeat}`]),
    ];
    return (await this.command(`connect ${words.join(' ')}`)) as unknown as Outcome;
  }

  /** @throws Error when a sanitizer or the program complained. */
  async close(): Promise<void> {
    this.#child.stdin.end();
    const code = await this.#exited;
    rmSync(this.#folder, { recursive: true, force: true });
    if (code !== 0) throw new Error(`the harness ended with ${code}\n${this.#talk}`);
  }

  #file(bytes: Buffer): string {
    const path = join(this.#folder, `${this.#files++}.der`);
    writeFileSync(path, bytes);
    return path;
  }
}
