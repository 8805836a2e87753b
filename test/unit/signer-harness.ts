import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';

import { buildProgram, signerSources } from '../hostile/tls/native-program.ts';

export interface SignerAnswer {
  readonly ok?: boolean;
  readonly code?: string;
  readonly signature?: string;
  readonly units?: number;
  readonly backend?: string | null;
  readonly hex?: string;
  readonly count?: number;
}

const MASK = 0x5a;
const hex = (text: string | Buffer): string => Buffer.from(text as string, 'latin1').toString('hex');

/** firmware/native/signer.c over a key file, in a process of its own. */
export class SignerHarness {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: ((line: string) => void)[] = [];
  readonly #exited: Promise<number | null>;
  #talk = '';

  private constructor(program: string, keyFile: string) {
    this.#child = spawn(program, [keyFile], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr.on('data', (bytes: Buffer) => void (this.#talk += bytes.toString()));
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#waiting.shift()?.(line));
    this.#exited = new Promise((resolve) => this.#child.once('close', resolve));
  }

  /** `plain`: without sanitizers, whose own memory would be searched too. */
  static async start(keyFile: string, variant: 'asan' | 'plain' = 'asan'): Promise<SignerHarness> {
    const program = await buildProgram({
      name: 'signer-harness', sources: ['test/unit/signer-harness.c', ...signerSources], variant, defines: ['LATCHKEY_TEST_VECTORS'], wraps: ['time'],
    });
    return new SignerHarness(program, keyFile);
  }

  sign = (slot: number, resource: string, expirySeconds: number): Promise<SignerAnswer> => this.command(`sign ${slot} ${expirySeconds} ${hex(resource)}`);
  derive = (from: number, label: string, into: number): Promise<SignerAnswer> => this.command(`derive ${from} ${into} ${hex(label)}`);
  erase = (slot: number): Promise<SignerAnswer> => this.command(`erase ${slot}`);
  backend = async (slot: number): Promise<string | null | undefined> => (await this.command(`backend ${slot}`)).backend;
  privateKey = (slot: number): Promise<SignerAnswer> => this.command(`private ${slot}`);
  hmac = (keyHex: string, messageHex: string): Promise<SignerAnswer> => this.command(`hmac ${keyHex} ${messageHex}`);
  moveWall = (seconds: number): Promise<SignerAnswer> => this.command(`wall ${seconds}`);
  plant = (bytes: Buffer): Promise<SignerAnswer> => this.command(`plant ${masked(bytes)}`);
  /** How often the bytes stand in the memory of the process. */
  scan = async (bytes: Buffer): Promise<number> => (await this.command(`scan ${masked(bytes)}`)).count ?? -1;

  async command(line: string): Promise<SignerAnswer> {
    const answer = new Promise<string>((resolve, reject) => {
      this.#waiting.push(resolve);
      void this.#exited.then((code) => reject(new Error(`the harness ended with ${code}\n${this.#talk}`)));
    });
    this.#child.stdin.write(`${line}\n`);
    return JSON.parse(await answer) as SignerAnswer;
  }

  /** @throws Error when a sanitizer or the program complained. */
  async close(): Promise<void> {
    this.#child.stdin.end();
    const code = await this.#exited;
    if (code !== 0) throw new Error(`the harness ended with ${code}\n${this.#talk}`);
  }
}

const masked = (bytes: Buffer): string => Buffer.from(bytes.map((byte) => byte ^ MASK)).toString('hex');
