import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from '@jest/globals';
import { build, transformSync } from 'esbuild';

const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));
/** What the laptop's side may know of the agent: the text of topics, tokens and root bundles. */
const TEXT_MODULES = ['topics', 'properties', 'sas-token', 'identity', 'errors', 'limits', 'hub-key', 'roots/bundle', 'roots/bundle-error', 'roots/check-bundle', 'roots/root-limits', 'roots/root-place', 'provisioning/dps-limits'].map((name) => `firmware/agent/${name}.ts`);

interface Import {
  readonly from: string;
  /** A path of the project, or the name of a package or host module. */
  readonly to: string;
}

/** Sources below `folder`, relative to the project. */
function sourcesBelow(folder: string): string[] {
  return readdirSync(join(PROJECT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(c|m)?[jt]s$/.test(name) && !/\.d\.[cm]?ts$/.test(name))
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
    .sort();
}

/** Every import that is still there once the types are gone, and the files that were read for it. */
async function importsOf(entryPoints: readonly string[]): Promise<Import[]> {
  const { metafile } = await build({
    entryPoints: [...entryPoints], absWorkingDir: PROJECT, outdir: 'nowhere', bundle: true, write: false, metafile: true, format: 'esm', platform: 'neutral',
    packages: 'external', external: ['embedded:*', 'latchkey/*', 'timer', 'time', 'node:*'], logLevel: 'silent', target: 'node20',
  });
  return Object.entries(metafile.inputs).flatMap(([from, { imports }]) => imports.map(({ path }) => ({ from, to: path })));
}

const isBelow = (...folders: string[]) => ({ to }: Import): boolean => folders.some((folder) => to.startsWith(`${folder}/`));
const textOf = ({ from, to }: Import): string => `${from} imports ${to}`;

describe('dependencies point one way:', () => {
  test('the agent imports nothing but itself', async () => {
    const entryPoints = sourcesBelow('firmware/agent');
    const imports = await importsOf(entryPoints);
    expect(imports.filter((one) => !isBelow('firmware/agent')(one)).map(textOf)).toEqual([]);
    // The graph was really walked.
    expect(imports.length).toBeGreaterThan(entryPoints.length);
  });

  test('the codecs import the agent, themselves, mqtt-packet, tweetnacl-util, and what they have a shim for', async () => {
    const shimmed = sourcesBelow('firmware/codecs/shims').map((path) => path.replace(/^.*\/(.*)\.cjs$/, '$1'));
    const packages = ['mqtt-packet', 'tweetnacl-util', ...shimmed];
    const imports = (await importsOf(sourcesBelow('firmware/codecs'))).filter(({ from }) => from.startsWith('firmware/codecs/'));
    const isAllowed = (one: Import): boolean => isBelow('firmware/agent', 'firmware/codecs', 'mqtt-packet')(one) || packages.includes(one.to);
    expect(imports.filter((one) => !isAllowed(one)).map(textOf)).toEqual([]);
    expect(imports.map(({ to }) => to.split('/')[0])).toEqual(expect.arrayContaining(['firmware', 'mqtt-packet', 'tweetnacl-util']));
  });

  test('the ports import the agent, the codecs and host modules', async () => {
    const imports = (await importsOf(sourcesBelow('firmware/ports'))).filter(({ from }) => from.startsWith('firmware/ports/'));
    const isHostModule = ({ to }: Import): boolean => /^(embedded:|latchkey\/)/.test(to) || ['timer', 'time'].includes(to);
    expect(imports.filter((one) => !isHostModule(one) && !isBelow('firmware/agent', 'firmware/codecs', 'firmware/ports')(one)).map(textOf)).toEqual([]);
    expect(imports.some(isHostModule)).toBe(true);
  });

  test('the laptop\'s side imports topic and token text of the agent, and no more of the firmware', async () => {
    const imports = (await importsOf(sourcesBelow('host-sim'))).filter(({ from }) => from.startsWith('host-sim/'));
    const isForbidden = (one: Import): boolean => one.to.startsWith('firmware/') && !TEXT_MODULES.includes(one.to);
    expect(imports.filter(isForbidden).map(textOf)).toEqual([]);
    expect(imports.length).toBeGreaterThan(50);
  });
});

describe('preload makes module variables constants:', () => {
  /** Declarations of variables at module level: esbuild puts what is at module level, and only that, at the start of a line. */
  const variablesOf = (source: string, loader: 'ts' | 'js'): string[] =>
    transformSync(source, { loader, target: 'es2022' }).code.split('\n').filter((line) => /^(export )?(let|var)\b/.test(line));

  test('the check sees them', () => {
    expect(variablesOf('let a = 1; export let b: number; var c; const d = () => { let e = 1; e++; var f; return f; }; d();', 'ts').length).toBe(3);
  });

  test.each(sourcesBelow('firmware'))('%s declares none', (path) => {
    expect(variablesOf(readFileSync(join(PROJECT, path), 'utf8'), path.endsWith('ts') ? 'ts' : 'js')).toEqual([]);
  });
});
