import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';

import { buildProgram, signerSources } from '../hostile/tls/native-program.ts';

export interface ChipAnswer {
  readonly ok?: boolean;
  readonly code?: string;
  readonly text?: string;
  readonly signature?: string;
  readonly backend?: string;
  readonly status?: number;
  readonly count?: number;
  readonly length?: number;
  readonly event?: string;
  readonly message?: string;
  readonly priority?: number;
  readonly core?: number;
}

export interface ChipOptions {
  /** The `signer` partition's bytes in a file; a path that is not there: no partition. */
  readonly image: string;
  readonly encrypted?: boolean;
  /** Options of sdkconfig, and FAKE_NO_HMAC for a classic ESP32. */
  readonly defines?: readonly string[];
}

export const PURPOSE = { user: 0, xtsAes: 4, hmacUp: 8 } as const;
const hex = (text: string | Buffer): string => Buffer.from(text as string, 'latin1').toString('hex');

/** firmware/native/chip-keys.c and signer.c on the fake chip of test/fakes/esp-idf, under ASan and UBSan. */
export class ChipHarness {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: ((line: string) => void)[] = [];
  readonly #exited: Promise<number | null>;
  #talk = '';

  private constructor(program: string, { image, encrypted = false }: ChipOptions) {
    this.#child = spawn(program, [image, ...(encrypted ? ['encrypted'] : [])]);
    this.#child.stderr.on('data', (bytes: Buffer) => void (this.#talk += bytes.toString()));
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#waiting.shift()?.(line));
    this.#exited = new Promise((resolve) => this.#child.once('close', resolve));
  }

  static async start(options: ChipOptions): Promise<ChipHarness> {
    const program = await buildProgram({
      name: 'chip-keys-harness',
      sources: [
        'test/unit/chip-keys-harness.c', 'test/fakes/esp-idf/fake-chip.c', 'firmware/native/chip-keys.c', 'firmware/native/chip-efuse.c',
        'firmware/native/key-image.c', 'firmware/ports/esp32/native/boot-guard.c', ...signerSources,
      ],
      variant: 'asan',
      defines: ['ESP_PLATFORM', ...(options.defines ?? [])],
      includes: ['test/fakes/esp-idf', 'firmware/ports/esp32/native'],
    });
    return new ChipHarness(program, options);
  }

  /** `locks`: any of r (read), w (write), p (purpose). */
  burn = (block: number, key: Buffer, purpose: number = PURPOSE.hmacUp, locks = 'rwp'): Promise<ChipAnswer> =>
    this.#command(`burn ${block} ${purpose} ${locks === '' ? '-' : locks} ${hex(key)}`);
  sign = (slot: number, resource: string, expirySeconds: number): Promise<ChipAnswer> => this.#command(`sign ${slot} ${expirySeconds} ${hex(resource)}`);
  derive = (from: number, label: string, into: number): Promise<ChipAnswer> => this.#command(`derive ${from} ${into} ${hex(label)}`);
  erase = (slot: number): Promise<ChipAnswer> => this.#command(`erase ${slot}`);
  privateKey = (slot: number): Promise<ChipAnswer> => this.#command(`private ${slot}`);
  backend = async (slot: number): Promise<string | undefined> => (await this.#command(`backend ${slot}`)).backend;
  check = (): Promise<ChipAnswer> => this.#command('check');
  selfTest = (): Promise<ChipAnswer> => this.#command('selftest');
  /** `enum key_status` of the block of the encrypted NVS. */
  nvsStatus = async (): Promise<number | undefined> => (await this.#command('nvs')).status;
  /** Whether the start goes on, or the line with which it stops. */
  guard = (): Promise<ChipAnswer> => this.#command('guard');
  /** The scheduler starts, and opening NVS gives this `esp_err_t`. */
  openNvs = (error: number): Promise<ChipAnswer> => this.#command(`open ${error}`);
  failFlash = (): Promise<ChipAnswer> => this.#command('fail');
  /** How often the HMAC peripheral was used. */
  peripheralCount = async (): Promise<number | undefined> => (await this.#command('count')).count;

  async #command(line: string): Promise<ChipAnswer> {
    const answer = new Promise<string>((resolve, reject) => {
      this.#waiting.push(resolve);
      void this.#exited.then((code) => reject(new Error(`the harness ended with ${code}\n${this.#talk}`)));
    });
    this.#child.stdin.write(`${line}\n`);
    return JSON.parse(await answer) as ChipAnswer;
  }

  /** @throws Error when a sanitizer or the program complained. */
  async close(): Promise<void> {
    this.#child.stdin.end();
    const code = await this.#exited;
    if (code !== 0) throw new Error(`the harness ended with ${code}\n${this.#talk}`);
  }
}
