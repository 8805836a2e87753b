import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { build } from 'esbuild';
import type { BuildOptions, OutputFile } from 'esbuild';

import { codecPlugin } from '../bundling/codec-plugin.ts';
import { hostModulesPlugin, preloadedName, preloadedPlugin, preloadScript } from './bundle-plugins.ts';
import type { PreloadedModules } from './bundle-plugins.ts';
import { projectPath } from './project-path.ts';

export interface FirmwareOptions {
  /** Entry of the application; default `firmware/app/main.ts`. */
  readonly app?: string;
  /** Folder whose `agent`, `codecs` and `app/samples` are preloaded; default `firmware`. */
  readonly folder?: string;
  /** Default false: names in a stack are those of the source. */
  readonly minify?: boolean;
}

/** Paths of the two scripts, a source map beside each. The same sources give the same paths. */
export interface Firmware {
  readonly preload: string;
  readonly main: string;
}

const PRELOADED_FOLDERS = ['agent', 'codecs', 'app/samples'];
const STALE_AFTER_MS = 24 * 60 * 60 * 1000;

/**
 * Bundles the firmware for the virtual board: `preload.js` is evaluated in flash, `main.js` in RAM.
 * @throws Error of esbuild, with the place in the source
 */
export async function buildFirmware(options: FirmwareOptions = {}): Promise<Firmware> {
  const { app = projectPath('firmware/app/main.ts'), folder = projectPath('firmware'), minify = false } = options;
  const modules = await listPreloaded(folder);
  const [preload, main] = await Promise.all([
    bundle('preload.js', minify, {
      stdin: { contents: preloadScript(folder, modules), resolveDir: folder, sourcefile: 'preload.ts', loader: 'ts' },
      plugins: [hostModulesPlugin(), codecPlugin()],
    }),
    bundle('main.js', minify, { entryPoints: [app], plugins: [hostModulesPlugin(), preloadedPlugin(folder, modules), codecPlugin()] }),
  ]);
  return store([...preload, ...main]);
}

/** Modules without exports (types only) are left out. */
export async function listPreloaded(folder: string): Promise<PreloadedModules> {
  const entryPoints = PRELOADED_FOLDERS.flatMap((name) => sourcesBelow(join(folder, name)));
  const { metafile } = await build({
    entryPoints,
    absWorkingDir: folder,
    outdir: 'exports',
    outbase: folder,
    format: 'esm',
    write: false,
    metafile: true,
    logLevel: 'silent',
  });
  const modules = new Map<string, readonly string[]>();
  for (const { entryPoint, exports } of Object.values(metafile.outputs)) {
    if (entryPoint !== undefined && exports.length > 0) modules.set(preloadedName(folder, join(folder, entryPoint)), exports);
  }
  return new Map([...modules].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function sourcesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .sort()
    .map((name) => join(folder, name));
}

async function bundle(name: string, minify: boolean, options: BuildOptions): Promise<OutputFile[]> {
  const { outputFiles } = await build({
    ...options,
    bundle: true,
    format: 'iife',
    platform: 'neutral',
    mainFields: ['main'],
    target: 'es2022',
    minify,
    absWorkingDir: projectPath('.'),
    outfile: join(projectPath('.build/firmware'), name),
    write: false,
    sourcemap: 'linked',
    legalComments: 'none',
    // Modules are strict; a script is only when it says so.
    banner: { js: '"use strict";' },
    logLevel: 'silent',
  });
  return outputFiles ?? [];
}

function store(files: readonly OutputFile[]): Firmware {
  const hash = createHash('sha256');
  for (const { contents } of files) hash.update(`${contents.length}:`).update(contents);
  const root = projectPath('.build/firmware');
  const folder = join(root, hash.digest('hex').slice(0, 16));
  if (!existsSync(folder)) {
    const partial = `${folder}.${process.pid}-${Date.now()}`;
    mkdirSync(partial, { recursive: true });
    for (const { path, contents } of files) writeFileSync(join(partial, path.slice(root.length + 1)), contents);
    moveInto(partial, folder);
    removeStale(root, folder);
  }
  return { preload: join(folder, 'preload.js'), main: join(folder, 'main.js') };
}

/** Another process may have been faster with the same files. */
function moveInto(partial: string, folder: string): void {
  try {
    renameSync(partial, folder);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
}

function removeStale(root: string, current: string): void {
  for (const name of readdirSync(root)) {
    const path = join(root, name);
    const status = statSync(path, { throwIfNoEntry: false });
    if (status !== undefined && path !== current && Date.now() - status.mtimeMs > STALE_AFTER_MS) rmSync(path, { recursive: true, force: true });
  }
}
