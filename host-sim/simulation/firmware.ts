import { BoardBuildError, buildBoard, type BoardVariant } from '../board/build.ts';
import { buildFirmware } from '../board/bundle.ts';
import { installPackages } from '../debian-packages.mjs';

/** The board's program and the firmware's two scripts. */
export interface BuiltFirmware {
  readonly program: string;
  readonly preload: string;
  readonly main: string;
}

/** What to install when a build says that something is missing and this user may install it. */
const PACKAGES_FOR = new Map([
  ['ERR_BOARD_MBEDTLS 64', ['libmbedtls-dev']],
  ['ERR_BOARD_MBEDTLS 32', ['libmbedtls-dev', 'libmbedtls-dev:i386', 'gcc-multilib']],
  ['ERR_BOARD_MULTILIB 32', ['libmbedtls-dev', 'libmbedtls-dev:i386', 'gcc-multilib']],
]);

/** The boards that the tests run. */
const TESTED_VARIANTS: readonly BoardVariant[] = ['64-bit', '32-bit', 'asan', 'stress'];

/**
 * Builds what has changed; where Mbed TLS is missing it is installed first.
 *
 * @throws BoardBuildError, SetupError
 */
export async function buildFirmwareForBoard(bits: 32 | 64, onProgress: (text: string) => void): Promise<BuiltFirmware> {
  const scripts = buildFirmware();
  scripts.catch(() => {});
  const program = await buildOrInstall(bits === 32 ? '32-bit' : '64-bit', onProgress);
  return { program, ...(await scripts) };
}

/** Builds every variant that a test runs. @throws BoardBuildError, SetupError */
export async function buildBoards(onProgress: (text: string) => void): Promise<void> {
  for (const variant of TESTED_VARIANTS) await buildOrInstall(variant, onProgress);
}

async function buildOrInstall(variant: BoardVariant, onProgress: (text: string) => void): Promise<string> {
  try {
    return await buildBoard({ variant, onProgress });
  } catch (error) {
    const bits = variant === '32-bit' || variant === 'stress' ? 32 : 64;
    const names = error instanceof BoardBuildError ? PACKAGES_FOR.get(`${error.code} ${bits}`) : undefined;
    if (names === undefined) throw error;
    installPackages(names);
    return buildBoard({ variant, onProgress });
  }
}
