import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';

import { withLock } from '../../../host-sim/board/lock.ts';
import { projectPath } from '../../../host-sim/board/project-path.ts';
import { runCommand } from '../../../host-sim/board/run-command.ts';
import { findToolchain } from '../../../host-sim/board/toolchain.ts';

export interface ProgramOptions {
  readonly name: string;
  /** C files, from the project's root. */
  readonly sources: readonly string[];
  /** `asan`: AddressSanitizer and UndefinedBehaviorSanitizer, any finding ends the program. `plain`: the C heap can be measured. */
  readonly variant: 'asan' | 'plain';
  readonly defines?: readonly string[];
  /** Functions of the C library that the program replaces. */
  readonly wraps?: readonly string[];
  /** Folders of headers that come first, from the project's root. */
  readonly includes?: readonly string[];
}

/** firmware/native without its JavaScript faces. */
export const tlsSources: readonly string[] = nativeSources((name) => name.startsWith('tls') || ['byte-queue.c', 'certificate-time.c'].includes(name));
/** Of root bundles. */
export const verifySources: readonly string[] = nativeSources((name) => name.startsWith('verify') || ['envelope.c', 'base64url.c', 'certificate-time.c'].includes(name));
export const signerSources: readonly string[] = [
  ...nativeSources((name) => ['signer.c', 'signer-errors.c', 'resource.c', 'hmac.c'].includes(name)),
  'host-sim/board/key-file.c',
];

function nativeSources(wanted: (name: string) => boolean): string[] {
  return readdirSync(projectPath('firmware/native'))
    .filter((name) => name.endsWith('.c') && !name.endsWith('-xs.c') && wanted(name))
    .map((name) => `firmware/native/${name}`);
}

/** Compiles and links a C program once, below `.build/`; the same as before is found again. MBEDTLS_DIR counts (host-sim/board). */
export async function buildProgram({ name, sources, variant, defines = [], wraps = [], includes = [] }: ProgramOptions): Promise<string> {
  const toolchain = await findToolchain([], (text) => process.stderr.write(`${text}\n`));
  const flags = [
    ...['-std=gnu11', '-g', '-Wall', '-Wextra', '-Werror', ...includes.map((folder) => `-I${projectPath(folder)}`), `-I${projectPath('firmware/native')}`, `-I${projectPath('host-sim/board')}`, `-I${projectPath('test/fuzz')}`],
    ...toolchain.includeFolders.map((folder) => `-isystem${folder}`),
    ...(variant === 'asan' ? ['-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'] : ['-O2']),
    ...defines.map((define) => `-D${define}`),
    ...wraps.map((wrapped) => `-Wl,--wrap=${wrapped}`),
  ];
  const folders = new Set(['firmware/native', 'host-sim/board', 'test/hostile/tls', 'test/fuzz', ...includes]);
  const headers = [...folders].flatMap((folder) =>
    readdirSync(projectPath(folder)).filter((file) => file.endsWith('.h')).map((file) => join(folder, file)));
  const hash = createHash('sha256').update([toolchain.identity, ...flags].join('\n'));
  for (const file of [...sources, ...headers]) hash.update(file).update(readFileSync(projectPath(file)));
  const out = projectPath('.build/native-test');
  const program = join(out, `${name}-${variant}-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(program)) return program;
  mkdirSync(out, { recursive: true });
  return withLock(`${program}.lock`, async () => {
    if (existsSync(program)) return program;
    const partial = `${program}.${process.pid}`;
    const args = [...flags, '-o', partial, ...sources.map((source) => projectPath(source)), ...toolchain.libraries];
    const { code, output } = await runCommand(toolchain.compiler, args);
    if (code !== 0) throw new Error(`${name} does not build\n${output.slice(0, 8000)}`);
    renameSync(partial, program);
    return program;
  });
}
