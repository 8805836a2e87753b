/** Bundles TypeScript of the project into .build/scripts, so that Node 20 can run it. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { projectRoot } from './setup.mjs';

/** A bundle that was not used for so long is removed; a younger one may still be loaded by another process. */
const STALE_AFTER_MS = 3_600_000;

/**
 * The URL of the bundle of a module; it is made anew only when a file that went into it has changed.
 * @param {string} entry path from the project's root, ending in `.ts`
 */
export async function bundleScript(entry) {
  const name = basename(entry, '.ts');
  const folder = join(projectRoot, '.build', 'scripts', name);
  const recordPath = join(folder, 'current.json');
  const record = readRecord(recordPath);
  if (record !== undefined && record.stamp === stampOf(record.inputs) && existsSync(record.bundle)) return pathToFileURL(record.bundle).href;
  const { build } = await import('esbuild');
  mkdirSync(folder, { recursive: true });
  const outdir = join(folder, `${Date.now()}-${process.pid}`);
  const { metafile } = await build({
    absWorkingDir: projectRoot,
    entryPoints: [entry],
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    platform: 'node',
    target: 'node20',
    packages: 'external',
    sourcemap: 'linked',
    metafile: true,
    logLevel: 'warning',
  });
  const inputs = [...Object.keys(metafile.inputs), relative(projectRoot, fileURLToPath(import.meta.url))];
  const bundle = join(outdir, `${name}.mjs`);
  const temporary = `${recordPath}.${process.pid}`;
  writeFileSync(temporary, JSON.stringify({ inputs, stamp: stampOf(inputs), bundle }));
  renameSync(temporary, recordPath);
  removeOthers(folder, outdir);
  return pathToFileURL(bundle).href;
}

/** @param {string} recordPath @returns {{ inputs: string[], stamp: string, bundle: string } | undefined} */
function readRecord(recordPath) {
  try {
    return JSON.parse(readFileSync(recordPath, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Size and time of every input; a file that is gone changes it. @param {readonly string[]} inputs */
function stampOf(inputs) {
  const hash = createHash('sha256');
  for (const input of inputs) {
    const status = statSync(join(projectRoot, input), { throwIfNoEntry: false });
    hash.update(`${input} ${status?.size} ${status?.mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/** @param {string} folder @param {string} current */
function removeOthers(folder, current) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && path !== current && Date.now() - statSync(path).mtimeMs > STALE_AFTER_MS) rmSync(path, { recursive: true, force: true });
  }
}
