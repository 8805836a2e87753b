import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

import { build } from 'esbuild';
import type { BuildOptions, Metafile, Plugin } from 'esbuild';

import { listPreloaded } from '../board/bundle.ts';
import { preloadedName } from '../board/bundle-plugins.ts';
import type { PreloadedModules } from '../board/bundle-plugins.ts';
import { projectPath } from '../board/project-path.ts';
import { codecPlugin } from '../bundling/codec-plugin.ts';

/** The module that `firmware.js` is on the chip: agent and codecs, preloaded to flash. */
const FIRMWARE_MODULE = 'latchkey/firmware';
/** Modules of the Moddable SDK and of firmware/ports/esp32/modules. */
const HOST_MODULES = ['timer', 'time', 'embedded:*', 'latchkey/*'];

/** One of the two scripts, and what it is made of. */
export interface ChipScript {
  readonly name: 'firmware.js' | 'main.js';
  readonly text: string;
  readonly byteCount: number;
  /** Bytes that each source contributes, the largest first. */
  readonly inputs: readonly { readonly path: string; readonly byteCount: number }[];
}

export interface ChipBundle {
  readonly firmware: ChipScript;
  readonly main: ChipScript;
}

/**
 * Bundles the firmware for a chip: two modules for the SDK's linker, in place of hundreds of files and a TypeScript compiler.
 * @throws Error of esbuild, with the place in the source
 */
export async function bundleForChip(app: string = projectPath('firmware/app/chip-main.ts')): Promise<ChipBundle> {
  const folder = projectPath('firmware');
  const modules = await listPreloaded(folder);
  const [firmware, main] = await Promise.all([
    bundle('firmware.js', {
      stdin: { contents: exportsOf(folder, modules), resolveDir: folder, sourcefile: 'firmware.ts', loader: 'ts' },
      plugins: [codecPlugin()],
    }, freezeModule),
    bundle('main.js', { entryPoints: [app], plugins: [firmwarePlugin(folder, modules), codecPlugin()] }),
  ]);
  return { firmware, main };
}

/** Writes both scripts below `folder`. */
export function writeChipBundle(folder: string, { firmware, main }: ChipBundle): void {
  mkdirSync(folder, { recursive: true });
  for (const { name, text } of [firmware, main]) writeFileSync(join(folder, name), text);
}

/** `agent/clock/ntp`, `parseNtp` → `agent_clock_ntp__parseNtp`. */
function exportedName(module: string, name: string): string {
  return `${module.replaceAll(/[^A-Za-z0-9]/g, '_')}__${name}`;
}

function exportsOf(folder: string, modules: PreloadedModules): string {
  const lines = [...modules].map(([module, names]) => {
    const list = names.map((name) => `${name} as ${exportedName(module, name)}`).join(', ');
    return `export { ${list} } from ${JSON.stringify(join(folder, `${module}.ts`))};`;
  });
  return `${lines.join('\n')}\n`;
}

/** Makes an import of a preloaded module an import of `latchkey/firmware`. */
function firmwarePlugin(folder: string, modules: PreloadedModules): Plugin {
  return {
    name: 'chip-firmware',
    setup(build) {
      build.onResolve({ filter: /^[./]/ }, ({ path, importer, resolveDir, kind }) => {
        if (kind === 'entry-point') return undefined;
        const module = preloadedName(folder, resolve(resolveDir === '' ? dirname(importer) : resolveDir, path));
        return modules.has(module) ? { path: module, namespace: 'chip-firmware', sideEffects: false } : undefined;
      });
      build.onLoad({ filter: /.*/, namespace: 'chip-firmware' }, ({ path }) => {
        const list = (modules.get(path) ?? []).map((name) => `${exportedName(path, name)} as ${name}`).join(', ');
        return { contents: `export { ${list} } from ${JSON.stringify(FIRMWARE_MODULE)};` };
      });
    },
  };
}

/**
 * esbuild writes `var` where the source has `const`, and the SDK keeps four bytes of RAM for each variable and each object of a preloaded
 * module that could still change. So variables become constants again, and what they hold is frozen, deeply (`true` is the SDK's own
 * second argument).
 */
export function freezeModule(text: string): string {
  const values: string[] = [];
  const frozen = text.replaceAll(/^var ([\w$]+) = /gm, (_, name: string) => {
    // What esbuild wraps of a CommonJS package hides its objects; its loader gives them.
    values.push(name.startsWith('require_') ? `${name}()` : name);
    return `const ${name} = `;
  });
  return `${frozen}for (const value of [${values.join(', ')}]) if (!ArrayBuffer.isView(value)) Object.freeze(value, true);\n`;
}

async function bundle(name: ChipScript['name'], options: BuildOptions, finish: (text: string) => string = (text) => text): Promise<ChipScript> {
  const { outputFiles, metafile } = await build({
    ...options,
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['main'],
    target: 'es2022',
    external: HOST_MODULES,
    absWorkingDir: projectPath('.'),
    outfile: projectPath(`.build/firmware/${name}`),
    write: false,
    metafile: true,
    legalComments: 'none',
    logLevel: 'silent',
  });
  const text = finish(outputFiles?.[0]?.text ?? '');
  return { name, text, byteCount: Buffer.byteLength(text), inputs: inputsOf(metafile) };
}

function inputsOf(metafile: Metafile | undefined): ChipScript['inputs'] {
  return Object.values(metafile?.outputs ?? {})
    .flatMap(({ inputs }) => Object.entries(inputs))
    .map(([path, { bytesInOutput }]) => ({ path, byteCount: bytesInOutput }))
    .filter(({ byteCount }) => byteCount > 0)
    .sort((a, b) => b.byteCount - a.byteCount || (a.path < b.path ? -1 : 1));
}
