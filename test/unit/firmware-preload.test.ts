import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { parse } from '@babel/parser';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { transformSync } from 'esbuild';

import { HOST_MODULES } from '../../host-sim/board/bundle-plugins.ts';
import { projectPath } from '../../host-sim/board/project-path.ts';
import { describeBundle, overBudget, readBudget } from '../../host-sim/firmware/bundle-budget.ts';
import { bundleForChip, freezeModule } from '../../host-sim/firmware/chip-bundle.ts';
import type { ChipBundle } from '../../host-sim/firmware/chip-bundle.ts';
import { readManifestTree, listOf } from '../../host-sim/firmware/manifest-tree.ts';
import { checkFlashPaths, checkPreload } from '../../host-sim/firmware/preload-rules.ts';
import type { PreloadFinding, SyntaxNode } from '../../host-sim/firmware/preload-rules.ts';
import { compareWarnings, parsePreloadWarnings, readKnownWarnings } from '../../host-sim/firmware/preload-warnings.ts';
import { recordEvidence } from '../evidence.ts';

const FACES = 'firmware/ports/esp32/modules';
const tree = (text: string): SyntaxNode => parse(text, { sourceType: 'module' }) as unknown as SyntaxNode;
const rulesOf = (text: string): PreloadFinding['rule'][] => checkPreload(tree(text)).map(({ rule }) => rule);

let bundle: ChipBundle;

beforeAll(async () => {
  bundle = await bundleForChip();
});

describe('the preloaded bundle', () => {
  test('breaks no preload rule; mqtt-packet could assign two variables later, by a switch that the codec sets once, at load', () => {
    const found = checkPreload(tree(bundle.firmware.text)).map(({ rule, message }) => `${rule}: ${message.replace(/ at line.*/, '')}`);
    expect([...new Set(found)].sort()).toEqual(['late-assignment: toGenerate assigned', 'late-assignment: writeNumber assigned']);
    expect(bundle.firmware.text).toMatch(/^import_writeToStream\w*\.default\.cacheNumbers = false;$/m);
  });

  test('imports no module: there is nothing native that it could call', () => {
    const imports = (tree(bundle.firmware.text).program as { body: SyntaxNode[] }).body.filter(({ type, source }) => type === 'ImportDeclaration' || (source ?? null) !== null);
    expect(imports).toEqual([]);
  });

  test('has constants for variables, and freezes what they hold', () => {
    expect(bundle.firmware.text.match(/^var [\w$]+ = /gm)).toBeNull();
    expect(bundle.firmware.text.match(/^const [\w$]+ = /gm)?.length).toBeGreaterThan(100);
    expect(freezeModule('var a = { b: 1 };\nfunction f() {\n  var a = 2;\n}\nvar require_x = load;\n')).toBe(
      'const a = { b: 1 };\nfunction f() {\n  var a = 2;\n}\nconst require_x = load;\nfor (const value of [a, require_x()]) if (!ArrayBuffer.isView(value)) Object.freeze(value, true);\n',
    );
  });

  test('evaluates, and gives every module that main.js imports from it', () => {
    const module = { exports: {} };
    new Function('module', 'exports', transformSync(bundle.firmware.text, { format: 'cjs' }).code)(module, module.exports);
    const names = Object.keys(module.exports);
    const imported = [...bundle.main.text.matchAll(/import \{([^}]+)\} from "latchkey\/firmware"/g)].flatMap(([, list = '']) => list.split(',').map((item) => item.trim().split(' as ')[0]!)).filter((name) => name !== '');
    expect(imported.length).toBeGreaterThan(10);
    expect(imported.filter((name) => !names.includes(name))).toEqual([]);
  });
});

describe('main.js and the faces of the natives', () => {
  test('call no native as they load', () => {
    const files = readdirSync(projectPath(FACES));
    for (const file of files) expect([file, checkPreload(tree(readFileSync(projectPath(join(FACES, file)), 'utf8')))]).toEqual([file, []]);
    expect(files.length).toBeGreaterThan(3);
  });

  test('give on the chip what they give on the virtual board, each name by the function of that name in C', () => {
    for (const [module, names] of Object.entries(HOST_MODULES).filter(([name]) => /^latchkey\/(?!board)/.test(name))) {
      const name = module.replace('latchkey/', '');
      const text = readFileSync(projectPath(join(FACES, `${name}.js`)), 'utf8');
      const exported = [...text.matchAll(/^export (?:function |default )(\w+)/gm)].map(([, found = '']) => found);
      expect([module, names.includes('default') ? exported.length : exported.sort()]).toEqual([module, names.includes('default') ? 1 : [...names].sort()]);
      const faces = readFileSync(projectPath('firmware/native/xs-faces.h'), 'utf8').match(new RegExp(`xs_${name}_\\w+`, 'g')) ?? [];
      const called = [...text.matchAll(/[Nn]ative\("(\w+)"\)/g)].map(([, found = '']) => found);
      expect(called.sort()).toEqual([...new Set(faces)].sort());
    }
  });

  test('main.js imports modules that a manifest names', () => {
    const known = new Set(readManifestTree('manifests/esp32c3/manifest.json').flatMap(({ manifest }) => Object.keys(manifest.modules ?? {})));
    // Those of manifests that belong to the SDK: base, io/flash, io/storage.
    const ofSdk = ['timer', 'time', 'embedded:storage/flash', 'embedded:storage/key-value'];
    const imported = [...bundle.main.text.matchAll(/from "([^"]+)"/g)].map(([, name = '']) => name);
    expect(imported.filter((name) => !known.has(name) && !ofSdk.includes(name))).toEqual([]);
    expect(listOf(readManifestTree('manifests/esp32c3/manifest.json')[1]!.manifest.preload)).toContain('latchkey/firmware');
  });

  test('open no partition but that of the durable data', () => {
    expect(bundle.main.text).toMatch(/flash\d*\.open\(/);
    for (const { text } of [bundle.main, bundle.firmware]) expect(checkFlashPaths(tree(text))).toEqual([]);
    expect(checkFlashPaths(tree('flash.open({ path: "signer" }); flash2.open({ path: name }); flash.open(options);'))).toHaveLength(3);
    expect(checkFlashPaths(tree('const A = "latchkey", B = "signer"; flash.open({ path: A }); flash.open({ path: B });'))).toHaveLength(1);
  });
});

describe('the rules refuse', () => {
  const cases: readonly (readonly [string, string, PreloadFinding['rule']])[] = [
    ['a RegExp literal of the module', 'const word = /a/;', 'regexp'],
    ['a RegExp made at load', 'export const word = new RegExp("a");', 'regexp'],
    ['a RegExp in a static field', 'class A { static word = /a/; }', 'regexp'],
    ['a RegExp in a function that runs at once', '(() => { globalThis.word = /a/; })();', 'regexp'],
    ['a RegExp as a CommonJS package loads', 'var require_a = __commonJS({ "a.js"(exports, module) { module.exports = /a/; } });', 'regexp'],
    ['a generator', 'export function* count() { yield 1; }', 'generator'],
    ['a generator method', 'class A { *count() { yield 1; } }', 'generator'],
    ['a native called at load', 'const now = native("xs_now")();', 'native-call'],
    ['a variable assigned later', 'let count = 0; export function next() { return ++count; }', 'late-assignment'],
    ['a variable destructured into later', 'let a; export function set(b) { ({ a } = b); }', 'late-assignment'],
    ['a variable assigned by a method', 'let last; class A { keep(value) { last = value; } }', 'late-assignment'],
    ['a variable of a CommonJS package assigned later', 'var require_a = __commonJS({ "a.js"(exports) { var cache; exports.keep = (value) => { cache = value; }; } });', 'late-assignment'],
    ['a variable assigned by an instance field', 'let made = 0; class A { id = made++; }', 'late-assignment'],
  ];
  const fine: readonly (readonly [string, string])[] = [
    ['a RegExp in a function', 'export const isWord = (text) => /a/.test(text);'],
    ['a RegExp in an instance field', 'class A { word = /a/; }'],
    ['a variable of the function itself', 'export function sum(list) { let total = 0; for (const item of list) total += item; return total; }'],
    ['a name that a parameter hides', 'const total = 0; export function add(total) { total += 1; return total; }'],
    ['a property of a module variable', 'const state = { n: 0 }; export function next() { state.n += 1; }'],
    ['an assignment as the module loads', 'let a; a = 1;'],
    ['a native in a method', 'class A { now() { return native("xs_now").call(this); } }'],
  ];
  let count = 0;

  test.each(cases)('%s', (_, text, rule) => {
    expect(rulesOf(text)).toEqual([rule]);
    count += 1;
  });

  test.each(fine)('nothing about %s', (_, text) => {
    expect(rulesOf(text)).toEqual([]);
    count += 1;
    if (count === cases.length + fine.length) recordEvidence('preload-rules', count);
  });
});

describe('the budget', () => {
  test('holds for both scripts, and names the largest sources', () => {
    expect(overBudget(bundle)).toEqual([]);
    expect(describeBundle(bundle)[0]).toMatch(/^firmware\.js: \d+ of \d+ bytes; the largest: \S+ \d+, /);
  });

  test('refuses a script that is larger', () => {
    expect(overBudget(bundle, { ...readBudget(), 'main.js': bundle.main.byteCount - 1 })).toEqual([expect.stringMatching(/^main\.js: .*firmware\/app\/chip-main\.ts/)]);
  });
});

describe("the linker's warnings", () => {
  test('are read from its output, each once, without the numbers that esbuild gives to names', () => {
    const output = '# xsl modules\n### warning: latchkey/firmware: b() cache2: no const\n### warning: latchkey/firmware: a() list[0]: not frozen\n### warning: latchkey/firmware: b() cache3: no const\n';
    expect(parsePreloadWarnings(output)).toEqual(['latchkey/firmware: a() list[0]: not frozen', 'latchkey/firmware: b() cache: no const']);
  });

  test('are known, sorted, and may only shrink', () => {
    const known = readKnownWarnings();
    expect(known).toEqual([...new Set(known)].sort());
    expect(known.length).toBeLessThanOrEqual(32);
    expect(compareWarnings([...known.slice(1), 'new'], known)).toEqual({ added: ['new'], gone: [known[0]] });
  });
});
