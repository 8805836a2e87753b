/** Types of debian-packages.mjs. */
export class SetupError extends Error {
  readonly code: 'ERR_SETUP';
  readonly exitCode: 3;
  readonly remedy: string;
  constructor(message: string, remedy: string);
}
export function say(text: string): void;
export function findProgram(names: readonly string[]): string | undefined;
export function installPackages(names: readonly string[]): void;
