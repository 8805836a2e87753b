import { chmodSync, mkdirSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, describe, expect, test } from '@jest/globals';

import { BoardBuildError, buildBoard } from '../../host-sim/board/build.ts';
import type { BoardVariant } from '../../host-sim/board/build.ts';
import { withLock } from '../../host-sim/board/lock.ts';

const ELF_CLASS_OFFSET = 4;
const BUILD_LIMIT_MS = 300_000;

describe('building the board', () => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-build-'));
  const { CC, MBEDTLS_DIR } = process.env;

  afterEach(() => {
    restore('CC', CC);
    restore('MBEDTLS_DIR', MBEDTLS_DIR);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function restore(name: string, value: string | undefined): void {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }

  /** A compiler that is gcc but for what `script` does first. */
  function useCompiler(name: string, script: string): void {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\n${script}\nexec gcc "$@"\n`);
    chmodSync(path, 0o755);
    process.env['CC'] = path;
  }

  async function failure(variant: BoardVariant): Promise<BoardBuildError> {
    const error: unknown = await buildBoard({ variant }).catch((reason: unknown) => reason);
    if (error instanceof BoardBuildError) return error;
    throw new Error(`a BoardBuildError expected, got ${String(error)}`);
  }

  test.each<[BoardVariant, number]>([
    ['32-bit', 1],
    ['64-bit', 2],
    ['asan', 2],
    ['stress', 1],
  ])(
    'the %s program is an ELF file of class %i; a second build compiles nothing',
    async (variant, elfClass) => {
      const program = await buildBoard({ variant });
      const head = Buffer.alloc(8);
      readSync(openSync(program, 'r'), head, 0, 8, 0);
      expect(head.toString('latin1', 1, 4)).toBe('ELF');
      expect(head[ELF_CLASS_OFFSET]).toBe(elfClass);
      const steps: string[] = [];
      expect(await buildBoard({ variant, onProgress: (step) => steps.push(step) })).toBe(program);
      expect(steps).toEqual([]);
    },
    BUILD_LIMIT_MS,
  );

  test('no compiler: an error with the line to type', async () => {
    process.env['CC'] = join(folder, 'nowhere');
    const error = await failure('64-bit');
    expect(error.code).toBe('ERR_BOARD_COMPILER');
    expect(error.message).toBe('The virtual board needs a C compiler. Install one with\n  sudo apt-get install gcc libc6-dev libmbedtls-dev');
  });

  test('no 32-bit C library: an error with the line to type, not a skip', async () => {
    useCompiler('no-multilib', 'case " $* " in *" -m32 "*) case "$*" in *print-file-name*) echo none; exit 0;; esac; echo "no 32 bits" >&2; exit 1;; esac');
    const error = await failure('32-bit');
    expect(error.code).toBe('ERR_BOARD_MULTILIB');
    expect(error.remedy).toBe('sudo dpkg --add-architecture i386 && sudo apt-get update && sudo apt-get install gcc-multilib libmbedtls-dev libmbedtls-dev:i386');
  });

  test.each<[BoardVariant, string]>([
    ['64-bit', 'libmbedtls-dev'],
    ['32-bit', 'libmbedtls-dev:i386'],
  ])('no Mbed TLS (%s): an error with the line to type', async (variant, name) => {
    useCompiler(`no-mbedtls-${variant}`, 'for a in "$@"; do case "$a" in -print-file-name=*) echo "${a#*=}"; exit 0;; esac; done');
    const error = await failure(variant);
    expect(error.code).toBe('ERR_BOARD_MBEDTLS');
    expect(error.remedy?.split(' ')).toContain(name);
  });

  test('MBEDTLS_DIR without sources of Mbed TLS is refused', async () => {
    mkdirSync(join(folder, 'empty'), { recursive: true });
    process.env['MBEDTLS_DIR'] = join(folder, 'empty');
    const error = await failure('64-bit');
    expect(error.code).toBe('ERR_BOARD_MBEDTLS_DIR');
    expect(error.message).toContain('holds no sources of Mbed TLS');
  });

  test('a file that does not compile is named, with what the compiler says', async () => {
    useCompiler('broken', 'case " $* " in *"/xsre.c "*) echo "xsre.c:1: error: out of sorts" >&2; exit 1;; esac');
    const error = await failure('64-bit');
    expect(error.code).toBe('ERR_BOARD_COMPILE');
    expect(error.message).toBe('xsre.c does not compile\nxsre.c:1: error: out of sorts\n');
  }, BUILD_LIMIT_MS);

  test('two at once take turns, and the lock of a process that is gone is nobody’s', async () => {
    const path = join(folder, 'lock');
    let inside = 0;
    const work = async (): Promise<number> => {
      const most = ++inside;
      await new Promise((resolve) => setTimeout(resolve, 30));
      inside--;
      return most;
    };
    expect(await Promise.all([withLock(path, work), withLock(path, work), withLock(path, work)])).toEqual([1, 1, 1]);
    writeFileSync(path, String(2 ** 22 + 1)); // above the largest process id of Linux
    expect(await withLock(path, work)).toBe(1);
  });
});
