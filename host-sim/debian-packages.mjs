/**
 * Installs packages of the system where this user may, and says the one line to type where not. Plain JavaScript: it also
 * runs before the npm packages are there.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const EXIT_CONFIGURATION = 3;

/** An expected failure of the setup, with what to do about it. */
export class SetupError extends Error {
  name = 'SetupError';
  code = 'ERR_SETUP';
  exitCode = EXIT_CONFIGURATION;

  /** @param {string} message @param {string} remedy one line that can be typed, or one sentence */
  constructor(message, remedy) {
    super(message);
    this.remedy = remedy;
  }
}

/** @param {string} text */
export const say = (text) => void process.stderr.write(`latchkey: ${text}\n`);

/** The path of the first of `names` that can be run. @param {readonly string[]} names */
export function findProgram(names) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  for (const name of names) {
    const path = folders.map((folder) => join(folder, name)).find(isExecutable);
    if (path !== undefined) return path;
  }
  return undefined;
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * Installs Debian packages, and says so first.
 * @param {readonly string[]} names a name with `:i386` adds that architecture
 * @throws {SetupError} where this user has no right to install: its remedy is the line to type
 */
export function installPackages(names) {
  const prefix = adminPrefix();
  if (prefix === undefined || findProgram(['apt-get']) === undefined) {
    throw new SetupError(`needed and not installed: ${names.join(', ')}`, installLine(names));
  }
  say(`installing ${names.join(', ')} (${[...prefix.map((word) => word.replace(/^.*\//, '')), 'apt-get'].join(' ')}) …`);
  const run = (/** @type {string[]} */ ...command) => {
    const [program = '', ...args] = [...prefix, ...command];
    return spawnSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  };
  const install = () => run('apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...names);
  if (isForeign(names)) run('dpkg', '--add-architecture', 'i386');
  if (install().status === 0) return;
  run('apt-get', 'update', '-qq');
  const result = install();
  if (result.status === 0) return;
  process.stderr.write(result.stderr ?? '');
  throw new SetupError(`apt-get could not install ${names.join(', ')}`, installLine(names));
}

/** @param {readonly string[]} names */
const isForeign = (names) => names.some((name) => name.endsWith(':i386'));

/** What makes a command run with the right to install: nothing for root, sudo where it asks no password; `undefined`: no such right. */
function adminPrefix() {
  if (process.platform !== 'linux') return undefined;
  if (process.getuid?.() === 0) return [];
  const sudo = findProgram(['sudo']);
  if (sudo === undefined) return undefined;
  return spawnSync(sudo, ['-n', 'true'], { stdio: 'ignore' }).status === 0 ? [sudo, '-n'] : undefined;
}

/** What other systems call for; only Debian and Ubuntu are tested. */
const ELSEWHERE = [
  ['dnf', 'sudo dnf install gcc make mbedtls-devel'],
  ['pacman', 'sudo pacman -S gcc make mbedtls'],
  ['apk', 'sudo apk add gcc make musl-dev mbedtls-dev mbedtls-static'],
  ['zypper', 'sudo zypper install gcc make mbedtls-devel'],
];

/** @param {readonly string[]} names */
function installLine(names) {
  if (process.platform === 'darwin') return 'type: xcode-select --install; brew install mbedtls   (macOS is untested)';
  const elsewhere = findProgram(['apt-get']) === undefined ? ELSEWHERE.find(([program = '']) => findProgram([program]) !== undefined) : undefined;
  if (elsewhere !== undefined) return `type: ${elsewhere[1]}   (only Debian and Ubuntu are tested)`;
  const architecture = isForeign(names) ? 'sudo dpkg --add-architecture i386 && ' : '';
  return `type: ${architecture}sudo apt-get update && sudo apt-get install -y ${names.join(' ')}`;
}
