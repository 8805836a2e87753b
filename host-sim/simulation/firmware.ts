import { BoardBuildError, buildBoard } from '../board/build.ts';
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

/**
 * Builds what has changed; where Mbed TLS is missing it is installed first.
 *
 * @throws BoardBuildError, SetupError
 */
export async function buildFirmwareForBoard(bits: 32 | 64, onProgress: (text: string) => void): Promise<BuiltFirmware> {
  const build = (): Promise<string> => buildBoard({ variant: bits === 32 ? '32-bit' : '64-bit', onProgress });
  const scripts = buildFirmware();
  scripts.catch(() => {});
  const program = await build().catch((error: unknown) => {
    const names = error instanceof BoardBuildError ? PACKAGES_FOR.get(`${error.code} ${bits}`) : undefined;
    if (names === undefined) throw error;
    installPackages(names);
    return build();
  });
  return { program, ...(await scripts) };
}
