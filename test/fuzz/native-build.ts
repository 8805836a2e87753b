import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { projectPath } from '../../host-sim/board/project-path.ts';
import { runCommand } from '../../host-sim/board/run-command.ts';
import { findToolchain } from '../../host-sim/board/toolchain.ts';
import { findProgram, SetupError } from '../../host-sim/debian-packages.mjs';
import type { NativeTarget } from './targets.ts';

const CLANG_NAMES = ['clang', ...Array.from({ length: 12 }, (_, index) => `clang-${25 - index}`)];
const SANITIZERS = '-fsanitize=fuzzer,address,undefined';
const INCLUDES = ['firmware/native', 'host-sim/board', 'test/hostile/tls', 'test/fuzz'];

/** clang with libFuzzer. @throws SetupError with the line to type */
export async function findClang(): Promise<string> {
  const clang = findProgram(CLANG_NAMES);
  if (clang === undefined) {
    throw new SetupError('fuzzing the C code needs clang with libFuzzer, and there is no clang', 'type: sudo apt-get update && sudo apt-get install -y clang llvm');
  }
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-fuzz-'));
  try {
    const source = join(folder, 'probe.c');
    writeFileSync(source, '#include <stddef.h>\n#include <stdint.h>\nint LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return data != NULL && size > 99; }\n');
    const { code } = await runCommand(clang, [SANITIZERS, source, '-o', join(folder, 'probe')]);
    if (code === 0) return clang;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const { output } = await runCommand(clang, ['-dumpversion']);
  const major = output.trim().split('.')[0] ?? '';
  throw new SetupError(`${clang} has no libFuzzer`, `type: sudo apt-get update && sudo apt-get install -y libclang-rt-${major}-dev`);
}

/** Compiles and links a target once; the same sources are found again. @throws SetupError, Error with what clang says */
export async function buildTarget(target: NativeTarget, say: (text: string) => void): Promise<string> {
  const clang = await findClang();
  const toolchain = await findToolchain([], say);
  const flags = [
    ...['-std=gnu11', '-g', '-O1', '-fno-omit-frame-pointer', '-Wall', '-Wextra', '-Werror', SANITIZERS, '-fno-sanitize-recover=all'],
    ...INCLUDES.map((folder) => `-I${projectPath(folder)}`),
    ...toolchain.includeFolders.map((folder) => `-isystem${folder}`),
    ...target.wraps.map((name) => `-Wl,--wrap=${name}`),
  ];
  const headers = INCLUDES.flatMap((folder) => readdirSync(projectPath(folder)).filter((name) => name.endsWith('.h')).map((name) => join(folder, name)));
  const hash = createHash('sha256').update([clang, toolchain.identity, ...flags].join('\n'));
  for (const file of [...target.sources, ...headers]) hash.update(file).update(readFileSync(projectPath(file)));
  const program = projectPath(`.build/fuzz/programs/${target.name}-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(program)) return program;
  say(`compiling ${target.what}`);
  mkdirSync(dirname(program), { recursive: true });
  const partial = `${program}.${process.pid}`;
  const { code, output } = await runCommand(clang, [...flags, '-o', partial, ...target.sources.map(projectPath), ...toolchain.libraries]);
  if (code !== 0) throw new Error(`the fuzz target "${target.name}" does not build\n${output.slice(0, 8000)}`);
  renameSync(partial, program);
  return program;
}
