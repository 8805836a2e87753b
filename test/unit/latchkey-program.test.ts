import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectPath } from '../../host-sim/board/project-path.ts';

/** What runs before any package is there. */
const STARTERS = ['latchkey.mjs', 'setup.mjs', 'debian-packages.mjs', 'bundle-script.mjs'];

let project: string;

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'latchkey-project-'));
  for (const folder of ['host-sim', 'node_modules', 'bin']) mkdirSync(join(project, folder));
  for (const file of STARTERS) cpSync(projectPath(`host-sim/${file}`), join(project, 'host-sim', file));
  writeFileSync(join(project, 'host-sim', 'cli.ts'), '');
  symlinkSync(projectPath('node_modules/esbuild'), join(project, 'node_modules', 'esbuild'));
  writeFileSync(join(project, 'node_modules', '.package-lock.json'), '{"packages":{}}');
});

afterAll(() => rmSync(project, { recursive: true }));

/** Runs the program of that project; `npm` is a shell script with this text. */
function start(wanted: object, npm: string): Promise<{ readonly code: number | null; readonly stderr: string }> {
  writeFileSync(join(project, 'package-lock.json'), JSON.stringify({ packages: wanted }));
  writeFileSync(join(project, 'bin', 'npm'), `#!/bin/sh\n${npm}\n`);
  chmodSync(join(project, 'bin', 'npm'), 0o755);
  const child = spawn(process.execPath, [join(project, 'host-sim', 'latchkey.mjs'), 'sim'], { env: { PATH: `${join(project, 'bin')}:/usr/bin:/bin` }, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (stderr += text));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stderr })));
}

const MISSING = { 'node_modules/some-package': { version: '1.0.0' } };

test('Ctrl-C while npm installs ends with 130, and npm is not blamed for it', async () => {
  const { code, stderr } = await start(MISSING, 'kill -INT "$PPID" $$');
  expect({ code, stderr }).toEqual({ code: 130, stderr: 'latchkey: installing npm packages (npm ci --omit=dev) …\n' });
});

test('an npm that fails is named with what to type: exit code 3', async () => {
  const { code, stderr } = await start(MISSING, 'exit 1');
  expect(code).toBe(3);
  expect(stderr).toMatch(/error: npm could not install the packages\nlatchkey: .*npm ci\n$/);
});

test('a project folder in which nothing can be made is a sentence with a remedy, and no stack: exit code 3', async () => {
  writeFileSync(join(project, '.build'), '');
  const { code, stderr } = await start({}, 'exit 1');
  rmSync(join(project, '.build'));
  expect(code).toBe(3);
  expect(stderr).toMatch(/^latchkey: error: ENOTDIR: .*\nlatchkey: the project's folder must be writable .*\n$/);
});
