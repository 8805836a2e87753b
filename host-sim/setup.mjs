/**
 * Brings a fresh clone to where the TypeScript of the project can run: Node and the npm packages. Plain JavaScript that needs nothing
 * but Node. What is there is left alone and nothing is said; what is installed is announced on stderr first.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { say, SetupError } from './debian-packages.mjs';

export const projectRoot = dirname(dirname(fileURLToPath(import.meta.url)));

const MIN_NODE_MAJOR = 20;

export function checkNode() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major >= MIN_NODE_MAJOR) return;
  throw new SetupError(`Node ${MIN_NODE_MAJOR} or later is needed, this is ${process.versions.node}`, 'install it from https://nodejs.org or with your package manager');
}

/**
 * Installs the npm packages of the lockfile unless the same versions are there.
 * @param {{ dev: boolean }} needs `dev`: also what only the tests use
 */
export function ensurePackages({ dev }) {
  if (arePackagesThere(dev)) return;
  // Whoever has the packages of the tests keeps them.
  const args = ['ci', ...(dev || areDevPackagesThere() ? [] : ['--omit=dev'])];
  say(`installing npm packages (npm ${args.join(' ')}) …`);
  const result = spawnSync('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd: projectRoot, stdio: ['ignore', 2, 2] });
  if (result.error !== undefined) throw new SetupError('there is no npm', 'install it with your package manager; it comes with Node from https://nodejs.org');
  if (result.status !== 0) throw new SetupError('npm could not install the packages', `see above; then try again, or type: npm ci`);
}

/** Compares the lockfile with npm's own record of what it installed. @param {boolean} dev */
function arePackagesThere(dev) {
  const wanted = readJson(join(projectRoot, 'package-lock.json'));
  const installed = readJson(join(projectRoot, 'node_modules', '.package-lock.json'));
  if (wanted === undefined || installed === undefined) return false;
  return Object.entries(wanted.packages).every(([path, entry]) => {
    const isNeeded = path !== '' && entry.optional !== true && (dev || (entry.dev !== true && entry.devOptional !== true));
    return !isNeeded || installed.packages[path]?.version === entry.version;
  });
}

function areDevPackagesThere() {
  const installed = readJson(join(projectRoot, 'node_modules', '.package-lock.json'));
  return Object.values(installed?.packages ?? {}).some((entry) => entry.dev === true);
}

/** @param {string} path */
function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
