import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { BoardBuildError } from './build-error.ts';
import { projectPath } from './project-path.ts';
import { runCommand } from './run-command.ts';

export interface MbedtlsTreeOptions {
  /** A source tree of Mbed TLS 2.28, 3.6 or 4.x. */
  readonly tree: string;
  readonly compiler: string;
  readonly machineFlags: readonly string[];
  readonly onProgress: (text: string) => void;
}

export interface BuiltMbedtls {
  readonly identity: string;
  readonly libraries: readonly string[];
  readonly includeFolders: readonly string[];
}

/** Link order; each line of Mbed TLS has some of them (4.x: libtfpsacrypto.a in the place of libmbedcrypto.a). */
const LIBRARY_ORDER = [
  'libmbedtls.a',
  'libmbedx509.a',
  'libmbedcrypto.a',
  'libtfpsacrypto.a',
  'libbuiltin.a',
  'libeverest.a',
  'libp256m.a',
];

/**
 * Builds the library of a source tree with its own CMake files, below `.build/`; nothing is written to the tree.
 * @throws BoardBuildError ERR_BOARD_MBEDTLS_DIR
 */
export async function buildMbedtls(options: MbedtlsTreeOptions): Promise<BuiltMbedtls> {
  const tree = resolve(options.tree);
  const version = readVersion(tree);
  const flags = options.machineFlags.join(' ');
  const identity = [tree, version, treeStamp(tree), options.compiler, flags].join('\n');
  const key = createHash('sha256').update(identity).digest('hex').slice(0, 16);
  const out = projectPath(`.build/mbedtls/${version}-${key}`);
  const done = join(out, 'done');
  if (!existsSync(done)) {
    options.onProgress(`building Mbed TLS ${version} of MBEDTLS_DIR`);
    await runCmake(tree, out, options.compiler, flags);
    writeFileSync(done, identity);
  }
  const libraries = findLibraries(out);
  const includes = [join(tree, 'include'), join(tree, 'tf-psa-crypto/include'), join(tree, 'tf-psa-crypto/drivers/builtin/include')];
  return { identity, libraries, includeFolders: includes.filter((folder) => existsSync(folder)) };
}

function readVersion(tree: string): string {
  for (const header of ['build_info.h', 'version.h']) {
    const path = join(tree, 'include/mbedtls', header);
    if (!existsSync(path)) continue;
    const version = /define MBEDTLS_VERSION_STRING\s+"([^"]+)"/.exec(readFileSync(path, 'utf8'))?.[1];
    if (version !== undefined) return version;
  }
  throw new BoardBuildError('ERR_BOARD_MBEDTLS_DIR', `MBEDTLS_DIR: ${tree} holds no sources of Mbed TLS (include/mbedtls/version.h)`);
}

/** Changes when somebody works in the tree: names, sizes and times of configuration and sources. */
function treeStamp(tree: string): string {
  const hash = createHash('sha256');
  for (const folder of ['include', 'library', 'tf-psa-crypto/include', 'tf-psa-crypto/core', 'tf-psa-crypto/drivers/builtin']) {
    if (!existsSync(join(tree, folder))) continue;
    for (const name of readdirSync(join(tree, folder), { recursive: true, encoding: 'utf8' }).sort()) {
      const { size, mtimeMs } = statSync(join(tree, folder, name));
      hash.update(`${folder}/${name} ${size} ${mtimeMs}\n`);
    }
  }
  return hash.digest('hex');
}

async function runCmake(tree: string, out: string, compiler: string, flags: string): Promise<void> {
  mkdirSync(out, { recursive: true });
  const configure = [
    ...['-S', tree, '-B', out],
    ...['-DCMAKE_BUILD_TYPE=Release', `-DCMAKE_C_COMPILER=${compiler}`, `-DCMAKE_C_FLAGS=${flags}`],
    ...['-DENABLE_TESTING=OFF', '-DENABLE_PROGRAMS=OFF', '-DMBEDTLS_FATAL_WARNINGS=OFF'],
    ...['-DUSE_STATIC_MBEDTLS_LIBRARY=ON', '-DUSE_SHARED_MBEDTLS_LIBRARY=OFF'],
    // A release has the generated files; a checkout of the repository makes them, with Python.
    ...(existsSync(join(tree, 'library/error.c')) ? ['-DGEN_FILES=OFF'] : []),
  ];
  for (const args of [configure, ['--build', out, '--parallel', '2']]) {
    const { code, output } = await runCommand('cmake', args);
    if (code === 127) throw new BoardBuildError('ERR_BOARD_MBEDTLS_DIR', 'MBEDTLS_DIR needs CMake. Install it with', 'sudo apt-get install cmake make');
    if (code !== 0) throw new BoardBuildError('ERR_BOARD_MBEDTLS_DIR', `MBEDTLS_DIR: CMake failed\n${output.slice(-4000)}`);
  }
}

function findLibraries(out: string): string[] {
  const names = readdirSync(out, { recursive: true, encoding: 'utf8' });
  return LIBRARY_ORDER.flatMap((library) => names.filter((name) => name === library || name.endsWith(`/${library}`)).slice(0, 1)).map((name) =>
    join(out, name),
  );
}
