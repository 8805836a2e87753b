import { dirname, join, relative, resolve, sep } from 'node:path';

import type { Plugin } from 'esbuild';

/** What `import` gives from each host module; `natives.c` and `js-native.c` put it there. */
export const HOST_MODULES: Readonly<Record<string, readonly string[]>> = {
  timer: ['default'],
  time: ['default'],
  'embedded:io/socket/tcp': ['default'],
  'embedded:io/socket/udp': ['default'],
  'embedded:network/dns/resolver/udp': ['default'],
  'embedded:storage/flash': ['default'],
  'embedded:storage/key-value': ['default'],
  'latchkey/board': ['default'],
  'latchkey/tls': ['default'],
  'latchkey/signer': ['signSas', 'derive', 'erase', 'backend', 'check', 'selfTest'],
  'latchkey/verify': ['openBundle', 'readBundle', 'confirmBundle', 'verifyEs256', 'sha256', 'decodeInPlace', 'readCertificate'],
};

/** The preloaded modules: name in `globalThis.preloaded` (`agent/agent`) to the names that it exports. */
export type PreloadedModules = ReadonlyMap<string, readonly string[]>;

/** The name that a preloaded module has, from its path in the folder of the firmware. */
export function preloadedName(folder: string, path: string): string {
  return relative(folder, path).split(sep).join('/').replace(/\.ts$/, '');
}

/** Makes an import of a host module a look-up in `hostModules`. */
export function hostModulesPlugin(): Plugin {
  return {
    name: 'host-modules',
    setup(build) {
      build.onResolve({ filter: /^(?:timer$|time$|embedded:|latchkey\/)/ }, ({ path, importer }) =>
        path in HOST_MODULES
          ? { path, namespace: 'host-modules', sideEffects: false }
          : { errors: [{ text: `${importer}: the virtual board has no module "${path}"` }] },
      );
      build.onLoad({ filter: /.*/, namespace: 'host-modules' }, ({ path }) => ({
        contents: lookUps('hostModules', path, HOST_MODULES[path] ?? []),
      }));
    },
  };
}

/** Makes an import of a preloaded module a look-up in `preloaded`: its code is in flash, once. */
export function preloadedPlugin(folder: string, modules: PreloadedModules): Plugin {
  return {
    name: 'preloaded',
    setup(build) {
      build.onResolve({ filter: /^[./]/ }, ({ path, importer, resolveDir, kind }) => {
        if (kind === 'entry-point') return undefined;
        const name = preloadedName(folder, resolve(resolveDir === '' ? dirname(importer) : resolveDir, path));
        return modules.has(name) ? { path: name, namespace: 'preloaded', sideEffects: false } : undefined;
      });
      build.onLoad({ filter: /.*/, namespace: 'preloaded' }, ({ path }) => ({
        contents: lookUps('preloaded', path, modules.get(path) ?? []),
      }));
    },
  };
}

/** A module whose exports are read when it loads; esbuild drops those that nobody imports. */
function lookUps(record: 'hostModules' | 'preloaded', module: string, names: readonly string[]): string {
  const lines = names.map((name, index) => {
    const value = `/* @__PURE__ */ lookUp(${JSON.stringify(name)})`;
    return name === 'default' ? `export default ${value};` : `const _${index} = ${value};\nexport { _${index} as ${name} };`;
  });
  return `const lookUp = (name) => ${record}[${JSON.stringify(module)}][name];\n${lines.join('\n')}\n`;
}

/** The script that puts every preloaded module's exports on the global object. */
export function preloadScript(folder: string, modules: PreloadedModules): string {
  const imports: string[] = [];
  const records: string[] = [];
  for (const [name, exported] of modules) {
    const local = `m${imports.length}`;
    imports.push(`import * as ${local} from ${JSON.stringify(join(folder, `${name}.ts`))};`);
    records.push(`  ${JSON.stringify(name)}: { ${exported.map((key) => `${JSON.stringify(key)}: ${local}.${key}`).join(', ')} },`);
  }
  return `${imports.join('\n')}\nglobalThis.preloaded = {\n${records.join('\n')}\n};\n`;
}
