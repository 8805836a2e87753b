import { expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { projectPath } from '../../host-sim/board/project-path.ts';

/** Asks for packages on a machine whose only programs are these shell scripts, as a user who is not root. */
function installOn(programs: Readonly<Record<string, string>>, names: readonly string[]): { output: string; calls: string } {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-apt-'));
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(folder, name), `#!/bin/sh\necho "${name} $*" >> ${folder}/calls\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  const program = `
    Object.defineProperty(process, 'getuid', { value: () => 1000 });
    import(${JSON.stringify(pathToFileURL(projectPath('host-sim/debian-packages.mjs')).href)}).then(({ installPackages }) => {
      try { installPackages(${JSON.stringify(names)}); } catch (error) { console.error(error.code, error.exitCode, error.message, '|', error.remedy); }
    });`;
  const { stderr } = spawnSync(process.execPath, ['-e', program], { env: { PATH: folder }, encoding: 'utf8' });
  let calls = '';
  try {
    calls = readFileSync(join(folder, 'calls'), 'utf8');
  } catch {
    // Nothing was called.
  }
  rmSync(folder, { recursive: true });
  return { output: stderr, calls: calls.replaceAll(folder, '') };
}

const SUDO = 'shift; exec "$@"';

test('a user without the right to install gets the one line to type, and nothing is run', () => {
  const { output, calls } = installOn({ 'apt-get': 'exit 0' }, ['libmbedtls-dev']);
  expect(output).toBe('ERR_SETUP 3 needed and not installed: libmbedtls-dev | type: sudo apt-get update && sudo apt-get install -y libmbedtls-dev\n');
  expect(calls).toBe('');
});

test('a sudo that asks for a password is not used', () => {
  const { output, calls } = installOn({ 'apt-get': 'exit 0', sudo: 'exit 1' }, ['libmbedtls-dev']);
  expect(output).toContain('type: sudo apt-get update');
  expect(calls).toBe('sudo -n true\n');
});

test('with sudo the package is installed, after one update when the lists are old', () => {
  const failOnce = '[ "$1" = update ] && touch "$0.updated"; [ -e "$0.updated" ] || exit 100';
  const { output, calls } = installOn({ 'apt-get': failOnce, sudo: SUDO, true: '', touch: '/usr/bin/touch "$@"' }, ['libmbedtls-dev']);
  expect(output).toBe('latchkey: installing libmbedtls-dev (sudo -n apt-get) …\n');
  const install = 'apt-get install -y -qq --no-install-recommends libmbedtls-dev';
  expect(calls.split('\n').filter((line) => line.startsWith('apt-get'))).toEqual([install, 'apt-get update -qq', install]);
});

test('a 32-bit package adds its architecture first', () => {
  const { calls } = installOn({ 'apt-get': '', dpkg: '', sudo: SUDO, true: '' }, ['libmbedtls-dev:i386']);
  expect(calls.split('\n').filter((line) => !line.startsWith('sudo') && !line.startsWith('true'))).toEqual(['dpkg --add-architecture i386', 'apt-get install -y -qq --no-install-recommends libmbedtls-dev:i386', '']);
});

test('an apt-get that fails says what it said and what to type', () => {
  const { output } = installOn({ 'apt-get': 'echo "E: no such package" >&2; exit 100', sudo: SUDO, true: '' }, ['libmbedtls-dev']);
  expect(output).toContain('E: no such package\nERR_SETUP 3 apt-get could not install libmbedtls-dev | type: sudo apt-get update');
});

test('where there is no apt-get the line is that of the system\'s own package manager', () => {
  expect(installOn({ dnf: 'exit 0' }, ['libmbedtls-dev']).output).toContain('type: sudo dnf install gcc make mbedtls-devel');
});
