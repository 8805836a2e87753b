/** Bundles host-sim/cli.ts into .build/cli, so that Node 20 can run it. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { projectRoot } from './setup.mjs';

const folder = join(projectRoot, '.build', 'cli');
const recordPath = join(folder, 'current.json');

/** The URL of the bundle; it is made anew only when a file that went into it has changed. */
export async function bundleCli() {
  const record = readRecord();
  if (record !== undefined && record.stamp === stampOf(record.inputs) && existsSync(record.bundle)) return pathToFileURL(record.bundle).href;
  const { build } = await import('esbuild');
  mkdirSync(folder, { recursive: true });
  const outdir = join(folder, `${Date.now()}-${process.pid}`);
  const { metafile } = await build({
    absWorkingDir: projectRoot,
    entryPoints: ['host-sim/cli.ts'],
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
  const inputs = [...Object.keys(metafile.inputs), relative(projectRoot, import.meta.filename ?? new URL(import.meta.url).pathname)];
  const bundle = join(outdir, 'cli.mjs');
  const temporary = `${recordPath}.${process.pid}`;
  writeFileSync(temporary, JSON.stringify({ inputs, stamp: stampOf(inputs), bundle }));
  renameSync(temporary, recordPath);
  removeOthers(outdir);
  return pathToFileURL(bundle).href;
}

/** @returns {{ inputs: string[], stamp: string, bundle: string } | undefined} */
function readRecord() {
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

/** Bundles older than an hour; a younger one may still be loaded by another process. @param {string} current */
function removeOthers(current) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && path !== current && Date.now() - statSync(path).mtimeMs > 3_600_000) rmSync(path, { recursive: true, force: true });
  }
}
