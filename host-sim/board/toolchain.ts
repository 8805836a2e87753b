import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';

import { BoardBuildError } from './build-error.ts';
import { buildMbedtls } from './mbedtls-tree.ts';
import { runCommand } from './run-command.ts';

/** What the board's program links with, and with what it is compiled. */
export interface Toolchain {
  readonly compiler: string;
  /** Says when objects of another compiler or library are stale. */
  readonly identity: string;
  /** Static libraries of Mbed TLS in link order. */
  readonly libraries: readonly string[];
  /** Folders of Mbed TLS's headers; none when the compiler finds them by itself. */
  readonly includeFolders: readonly string[];
}

const INSTALL_64 = 'sudo apt-get install gcc libc6-dev libmbedtls-dev';
const INSTALL_32 =
  'sudo dpkg --add-architecture i386 && sudo apt-get update && sudo apt-get install gcc-multilib libmbedtls-dev libmbedtls-dev:i386';
const LIBRARIES = ['libmbedtls.a', 'libmbedx509.a', 'libmbedcrypto.a'];

/**
 * Finds compiler and libraries.
 * @param machineFlags what chooses 32 or 64 bits
 * @throws BoardBuildError with the line to type when something is missing
 */
export async function findToolchain(machineFlags: readonly string[], onProgress: (text: string) => void): Promise<Toolchain> {
  const remedy = machineFlags.includes('-m32') ? INSTALL_32 : INSTALL_64;
  const { compiler, version } = await findCompiler(remedy);
  const tree = process.env['MBEDTLS_DIR'];
  if (tree !== undefined && tree !== '') {
    await checkCompiler(compiler, machineFlags, remedy);
    const built = await buildMbedtls({ tree, compiler, machineFlags, onProgress });
    return { ...built, compiler, identity: [version, built.identity].join('\n') };
  }
  const libraries = await Promise.all(LIBRARIES.map((name) => findLibrary(compiler, machineFlags, name)));
  if (libraries.includes(undefined)) {
    await checkCompiler(compiler, machineFlags, remedy);
    throw new BoardBuildError('ERR_BOARD_MBEDTLS', 'The static libraries of Mbed TLS are not installed. Install them with', remedy);
  }
  const found = libraries.filter((library) => library !== undefined);
  const stamps = found.map((library) => `${library} ${statSync(library).size} ${statSync(library).mtimeMs}`);
  return { compiler, identity: [version, ...stamps].join('\n'), libraries: found, includeFolders: [] };
}

/** What is to be asked when a compilation fails: is it the toolchain? */
export async function checkToolchain(toolchain: Toolchain, machineFlags: readonly string[]): Promise<void> {
  const remedy = machineFlags.includes('-m32') ? INSTALL_32 : INSTALL_64;
  await checkCompiler(toolchain.compiler, machineFlags, remedy);
  const include = toolchain.includeFolders.map((folder) => `-I${folder}`);
  if (!(await compiles(toolchain.compiler, [...machineFlags, ...include], '#include <mbedtls/ssl.h>\nint main(void) { return 0; }\n'))) {
    throw new BoardBuildError('ERR_BOARD_MBEDTLS', 'The headers of Mbed TLS are not installed. Install them with', remedy);
  }
}

async function findCompiler(remedy: string): Promise<{ readonly compiler: string; readonly version: string }> {
  const wanted = process.env['CC'];
  for (const compiler of wanted === undefined || wanted === '' ? ['gcc', 'cc'] : [wanted]) {
    const { code, output } = await runCommand(compiler, ['--version']);
    if (code === 0) return { compiler, version: `${compiler} ${output}` };
  }
  throw new BoardBuildError('ERR_BOARD_COMPILER', 'The virtual board needs a C compiler. Install one with', remedy);
}

/** A program that includes the C library's headers and links: without multilib 32 bits fail here. */
async function checkCompiler(compiler: string, machineFlags: readonly string[], remedy: string): Promise<void> {
  if (await compiles(compiler, machineFlags, '#include <stdio.h>\nint main(void) { return puts("") < 0; }\n')) return;
  if (machineFlags.includes('-m32')) {
    throw new BoardBuildError(
      'ERR_BOARD_MULTILIB',
      'The compiler cannot make 32-bit programs, which the heap figures need. Install what is missing with',
      remedy,
    );
  }
  throw new BoardBuildError('ERR_BOARD_COMPILER', `${compiler} cannot compile and link a C program. Install what is missing with`, remedy);
}

async function compiles(compiler: string, flags: readonly string[], source: string): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-probe-'));
  try {
    writeFileSync(join(folder, 'probe.c'), source);
    const { code } = await runCommand(compiler, [...flags, join(folder, 'probe.c'), '-o', join(folder, 'probe')]);
    return code === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The compiler answers with the bare name when it does not find the file. */
async function findLibrary(compiler: string, machineFlags: readonly string[], name: string): Promise<string | undefined> {
  const { output } = await runCommand(compiler, [...machineFlags, `-print-file-name=${name}`]);
  const path = output.trim();
  return isAbsolute(path) && existsSync(path) ? path : undefined;
}
