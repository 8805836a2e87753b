import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';

import { BoardBuildError } from './build-error.ts';
import { withLock } from './lock.ts';
import { projectPath } from './project-path.ts';
import { runCommand } from './run-command.ts';
import { checkToolchain, findToolchain } from './toolchain.ts';
import type { Toolchain } from './toolchain.ts';

export { BoardBuildError } from './build-error.ts';

/**
 * `32-bit`: slots and identifiers as on the chip, the one whose heap figures count. `64-bit`: the host's own.
 * `asan`: 64 bits with AddressSanitizer, and UndefinedBehaviorSanitizer for our own C. `stress`: 32 bits, garbage collection at
 * every allocation.
 */
export type BoardVariant = '32-bit' | '64-bit' | 'asan' | 'stress';

export interface BuildOptions {
  readonly variant: BoardVariant;
  /** A line for people, before each long step. */
  readonly onProgress?: (text: string) => void;
}

interface Unit {
  readonly source: string;
  readonly object: string;
  readonly flags: readonly string[];
}

const PARALLEL_JOBS = 2;
const STALE_AFTER_MS = 24 * 60 * 60 * 1000;
/** With these every 32-bit double is rounded as on the chip and on 64 bits. */
const MACHINE_FLAGS_32 = ['-m32', '-msse2', '-mfpmath=sse'];
/** They shape `struct sxMachine`: the same for every file. */
const XS_DEFINES = [
  '-DINCLUDE_XSPLATFORM',
  '-DXSPLATFORM="board-platform.h"',
  ...['Run', 'Parse', 'NoConsole', 'Metering', 'BoundsCheck', 'MinusZero', 'RegExpUnicodePropertyEscapes', 'Instrument'].map((name) => `-Dmx${name}=1`),
];
const WARNINGS = ['-Wall', '-Wextra', '-Werror'];
const CLOCK_FUNCTIONS = ['time', 'gettimeofday', 'clock_gettime'];
const HEAP_FUNCTIONS = ['malloc', 'calloc', 'realloc', 'free'];

/**
 * Builds the board's program, or finds it built: only what changed is compiled.
 * @returns its path, which stays good while other builds run
 * @throws BoardBuildError
 */
export async function buildBoard({ variant, onProgress = () => {} }: BuildOptions): Promise<string> {
  const machineFlags = variant === '32-bit' || variant === 'stress' ? MACHINE_FLAGS_32 : [];
  const toolchain = await findToolchain(machineFlags, onProgress);
  const out = projectPath(`.build/board/${variant}`);
  const units = listUnits(variant, machineFlags, toolchain, join(out, 'objects'));
  const key = digest([...units.map((unit) => unit.object), ...linkFlags(variant), ...toolchain.libraries]);
  const program = join(out, `board-${key}`);
  if (existsSync(program)) return program;
  mkdirSync(join(out, 'objects'), { recursive: true });
  return withLock(join(out, 'lock'), async () => {
    if (existsSync(program)) return program;
    try {
      await compileAll(units, toolchain, (count) => onProgress(`compiling the virtual board (${variant}, ${count} files)`));
      await link(program, units, variant, machineFlags, toolchain);
    } catch (error) {
      await checkToolchain(toolchain, machineFlags);
      throw error;
    }
    removeStale(out, new Set([program, ...units.map((unit) => unit.object)]));
    return program;
  });
}

/** Every C file with its flags; the name of an object says all that went into it. */
function listUnits(variant: BoardVariant, machineFlags: readonly string[], toolchain: Toolchain, objects: string): Unit[] {
  const xs = join(dirname(createRequire(projectPath('package.json')).resolve('@agoric/xsnap/package.json')), 'moddable/xs');
  const boardFolder = projectPath('host-sim/board');
  const nativeFolder = projectPath('firmware/native');
  const xsFolders = [join(xs, 'includes'), join(xs, 'platforms'), join(xs, 'sources')];
  const ownHeaders = [boardFolder, nativeFolder].flatMap((folder) => filesOf(folder, '.h'));
  const xsHeaders = [...xsFolders.flatMap((folder) => filesOf(folder, '.h')), join(boardFolder, 'board-platform.h'), join(boardFolder, 'heap.h')];
  const common = [...machineFlags, ...XS_DEFINES, ...variantFlags(variant), '-fno-common', `-I${boardFolder}`];
  const xsFlags = [...common, '-w', ...(variant === 'asan' ? ['-fsanitize=address'] : []), ...xsFolders.map((folder) => `-I${folder}`)];
  const ownFlags = [
    ...['-std=gnu11', '-g', ...WARNINGS, ...common],
    ...(variant === 'asan' ? ['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined'] : ['-DBOARD_COUNTS_HEAP=1']),
    ...[`-I${nativeFolder}`, ...toolchain.includeFolders.map((folder) => `-isystem${folder}`), ...xsFolders.map((folder) => `-isystem${folder}`)],
  ];
  const unitsOf = (sources: readonly string[], flags: readonly string[], headers: readonly string[]): Unit[] => {
    const shared = digest([toolchain.identity, ...flags, ...headers.map((header) => readFileSync(header, 'utf8'))]);
    return sources.map((source) => {
      const key = digest([shared, source, readFileSync(source, 'utf8')]);
      return { source, flags, object: join(objects, `${basename(source, '.c')}-${key}.o`) };
    });
  };
  const replaced = new Set(['xsDefaults.c']);
  const xsSources = filesOf(join(xs, 'sources'), '.c').filter((source) => !replaced.has(basename(source)));
  const parser = xsSources.filter((source) => basename(source) === 'xsScript.c');
  return [
    ...unitsOf(xsSources.filter((source) => !parser.includes(source)), xsFlags, xsHeaders),
    ...unitsOf(parser, [...xsFlags, '-Dxs_malloc=parser_malloc', '-Dxs_free=parser_free'], xsHeaders), // parser-memory.h
    ...unitsOf([...filesOf(boardFolder, '.c'), ...filesOf(nativeFolder, '.c')], ownFlags, [...ownHeaders, ...xsHeaders]),
  ];
}

function variantFlags(variant: BoardVariant): string[] {
  switch (variant) {
    case 'asan':
      return ['-O1', '-fno-omit-frame-pointer'];
    case 'stress':
      return ['-O2', '-DmxStress=1'];
    case '32-bit':
    case '64-bit':
      return ['-O2'];
  }
}

function linkFlags(variant: BoardVariant): string[] {
  const wrapped = variant === 'asan' ? CLOCK_FUNCTIONS : [...CLOCK_FUNCTIONS, ...HEAP_FUNCTIONS];
  return [...wrapped.map((name) => `-Wl,--wrap=${name}`), ...(variant === 'asan' ? ['-fsanitize=address,undefined'] : [])];
}

async function compileAll(units: readonly Unit[], toolchain: Toolchain, onCount: (count: number) => void): Promise<void> {
  const waiting = units.filter((unit) => !existsSync(unit.object));
  if (waiting.length > 0) onCount(waiting.length);
  // The longest first, so that the two jobs end together.
  waiting.sort((a, b) => statSync(b.source).size - statSync(a.source).size);
  const work = async (): Promise<void> => {
    try {
      for (let unit = waiting.shift(); unit !== undefined; unit = waiting.shift()) await compile(unit, toolchain);
    } catch (error) {
      waiting.length = 0; // the other job stops too
      throw error;
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_JOBS }, work));
}

async function compile(unit: Unit, toolchain: Toolchain): Promise<void> {
  const partial = `${unit.object}.${process.pid}`;
  const { code, output } = await runCommand(toolchain.compiler, ['-c', ...unit.flags, unit.source, '-o', partial]);
  if (code !== 0) throw new BoardBuildError('ERR_BOARD_COMPILE', `${basename(unit.source)} does not compile\n${output.slice(0, 4000)}`);
  renameSync(partial, unit.object);
}

async function link(program: string, units: readonly Unit[], variant: BoardVariant, machineFlags: readonly string[], toolchain: Toolchain): Promise<void> {
  const partial = `${program}.${process.pid}`;
  const objects = units.map((unit) => unit.object);
  const args = [...machineFlags, ...linkFlags(variant), ...objects, ...toolchain.libraries, '-lm', '-lpthread', '-ldl', '-o', partial];
  const { code, output } = await runCommand(toolchain.compiler, args);
  if (code !== 0) throw new BoardBuildError('ERR_BOARD_COMPILE', `the virtual board does not link\n${output.slice(0, 4000)}`);
  renameSync(partial, program);
}

/** Objects and programs of former builds, unless somebody built them lately. */
function removeStale(out: string, used: ReadonlySet<string>): void {
  const now = Date.now();
  for (const path of used) utimesSync(path, now / 1000, now / 1000);
  const paths = [...readdirSync(out), ...readdirSync(join(out, 'objects')).map((name) => join('objects', name))].map((name) => join(out, name));
  for (const path of paths) {
    const { mtimeMs } = statSync(path);
    if (!used.has(path) && /-[0-9a-f]{16}(\.o)?(\.\d+)?$/.test(path) && now - mtimeMs > STALE_AFTER_MS) rmSync(path, { force: true });
  }
}

function filesOf(folder: string, extension: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(extension))
    .sort()
    .map((name) => join(folder, name));
}

function digest(parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex').slice(0, 16);
}
