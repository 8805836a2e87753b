export type BoardBuildCode =
  /** No C compiler. */
  | 'ERR_BOARD_COMPILER'
  /** The compiler cannot make 32-bit programs here. */
  | 'ERR_BOARD_MULTILIB'
  /** The static libraries or the headers of Mbed TLS are missing. */
  | 'ERR_BOARD_MBEDTLS'
  /** `MBEDTLS_DIR` does not hold a source tree of Mbed TLS, or it does not build. */
  | 'ERR_BOARD_MBEDTLS_DIR'
  /** A source file does not compile, or the program does not link. */
  | 'ERR_BOARD_COMPILE';

/** Why the board's program could not be built. */
export class BoardBuildError extends Error {
  override readonly name = 'BoardBuildError';
  readonly code: BoardBuildCode;
  /** The one line to type; absent when none helps. */
  readonly remedy: string | undefined;

  constructor(code: BoardBuildCode, message: string, remedy?: string, cause?: unknown) {
    super(remedy === undefined ? message : `${message}\n  ${remedy}`, { cause });
    this.code = code;
    this.remedy = remedy;
  }
}
