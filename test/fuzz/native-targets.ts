import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';

import { withLock } from '../../host-sim/board/lock.ts';
import { projectPath } from '../../host-sim/board/project-path.ts';
import { runCommand } from '../../host-sim/board/run-command.ts';
import { findToolchain } from '../../host-sim/board/toolchain.ts';
import { signerSources, tlsSources, verifySources } from '../hostile/tls/native-program.ts';

/** A fuzz target in C: `LLVMFuzzerTestOneInput` over firmware/native. */
export interface NativeTarget {
  readonly name: string;
  /** From the project's root. */
  readonly sources: readonly string[];
  /** Checked-in inputs. */
  readonly corpus: string;
  readonly maxLengthBytes: number;
  /** Functions that the target replaces. */
  readonly wraps: readonly string[];
}

export const nativeTargets: readonly NativeTarget[] = [
  {
    name: 'tls-input',
    sources: ['test/fuzz/tls-input.c', ...tlsSources],
    corpus: 'test/fuzz/corpus/tls-input',
    maxLengthBytes: 40_000,
    wraps: ['time', 'clock_gettime', 'mbedtls_ctr_drbg_random'],
  },
  { name: 'signer', sources: ['test/fuzz/signer.c', ...signerSources], corpus: 'test/fuzz/corpus/signer', maxLengthBytes: 6000, wraps: [] },
  {
    name: 'verify',
    sources: ['test/fuzz/verify.c', ...verifySources],
    corpus: 'test/fuzz/corpus/verify',
    maxLengthBytes: 17_500,
    wraps: [],
  },
];

const INCLUDED = ['firmware/native', 'host-sim/board', 'test/fuzz'];
/** `edges` counts branches of the sources only: UndefinedBehaviorSanitizer's checks are branches too, which nothing ever reaches. */
const SANITIZERS = { libfuzzer: 'fuzzer,address,undefined', edges: 'fuzzer', replay: 'address,undefined' } as const;

/**
 * Builds a target below `.build/fuzz/`, or finds it built. `libfuzzer` and `edges` need clang; run them with
 * `-max_len=… -print_final_stats=1 -print_coverage=1 NEW_FOLDER CORPUS`. `replay` runs the files it is given, and needs only the board's compiler.
 *
 * @throws Error with the compiler's words
 */
export async function buildNativeTarget(target: NativeTarget, driver: 'libfuzzer' | 'edges' | 'replay'): Promise<string> {
  const toolchain = await findToolchain([], () => {});
  const compiler = driver === 'replay' ? toolchain.compiler : 'clang';
  const sources = driver === 'replay' ? ['test/fuzz/replay.c', ...target.sources] : target.sources;
  const flags = [
    ...['-std=gnu11', '-g', '-O1', '-fno-omit-frame-pointer', '-Wall', '-Wextra'],
    `-fsanitize=${SANITIZERS[driver]}`,
    '-fno-sanitize-recover=all',
    ...INCLUDED.map((folder) => `-I${projectPath(folder)}`),
    ...toolchain.includeFolders.map((folder) => `-isystem${folder}`),
    ...target.wraps.map((name) => `-Wl,--wrap=${name}`),
  ];
  const headers = INCLUDED.flatMap((folder) => readdirSync(projectPath(folder)).filter((name) => name.endsWith('.h')).map((name) => join(folder, name)));
  const hash = createHash('sha256').update([compiler, toolchain.identity, ...flags].join('\n'));
  for (const file of [...sources, ...headers]) hash.update(file).update(readFileSync(projectPath(file)));
  const out = projectPath('.build/fuzz');
  const program = join(out, `${target.name}-${driver}-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(program)) return program;
  mkdirSync(out, { recursive: true });
  return withLock(`${program}.lock`, async () => {
    if (existsSync(program)) return program;
    const partial = `${program}.${process.pid}`;
    const { code, output } = await runCommand(compiler, [...flags, '-o', partial, ...sources.map((source) => projectPath(source)), ...toolchain.libraries]);
    if (code === 127) throw new Error('libFuzzer needs clang: sudo apt-get install clang libclang-rt-14-dev');
    if (code !== 0) throw new Error(`${target.name} does not build\n${output.slice(0, 8000)}`);
    renameSync(partial, program);
    return program;
  });
}
