import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';

import { projectPath } from '../../host-sim/board/project-path.ts';
import { mcconfigArguments } from '../../host-sim/firmware/build-image.ts';
import { CHIPS, findChip } from '../../host-sim/firmware/chips.ts';
import { readKnownWarnings } from '../../host-sim/firmware/preload-warnings.ts';
import { runCommandLine } from '../fakes/cli-run.ts';

const root = mkdtempSync(join(tmpdir(), 'latchkey-firmware-'));
let folder: string;
let count = 0;

beforeEach(() => {
  folder = join(root, String(count++));
});

/** Nobody is to find the options of a hardened build where he expects those for his desk. */
afterAll(async () => {
  await build(['--chip', 'esp32s3', '--check']);
  rmSync(root, { recursive: true, force: true });
});

function write(path: string, text: string, mode = 0o644): string {
  const full = join(folder, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, text);
  chmodSync(full, mode);
  return full;
}

/** A folder that looks like the SDK, whose mcconfig runs `script`, and one that looks like ESP-IDF. */
function fakeSdk(script: string, idfVersion = '6.0'): Record<string, string> {
  const [major, minor] = idfVersion.split('.');
  const platform = process.platform === 'darwin' ? 'mac' : 'lin';
  write('moddable/modules/none', '');
  write(`moddable/build/bin/${platform}/release/mcconfig`, `#!/bin/sh\n${script}\n`, 0o755);
  write('idf/export.sh', '');
  write('idf/tools/cmake/version.cmake', `set(IDF_VERSION_MAJOR ${major})\nset(IDF_VERSION_MINOR ${minor})\n`);
  return { MODDABLE: join(folder, 'moddable'), IDF_PATH: join(folder, 'idf'), PATH: '' };
}

/** Leaves what the SDK leaves; `$5` is the folder behind -o. */
const MAKES_IMAGE = 'out="$5/bin/esp32/esp32c3/release/latchkey"; /bin/mkdir -p "$out"; for f in bootloader.bin partition-table.bin ota_data_initial.bin xs_esp32.bin; do echo $f > "$out/$f"; done';

const build = (args: readonly string[], env: Readonly<Record<string, string>> = { PATH: '' }): ReturnType<typeof runCommandLine> => runCommandLine(['firmware', 'build', ...args], { env });

describe('without the SDK', () => {
  test('says all that is missing and the commands that bring it, exit code 3', async () => {
    const { exitCode, stderr } = await build(['--chip', 'esp32c3']);
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/MODDABLE is not set.*IDF_PATH is not set.*ERR_TOOLS/);
    expect(stderr).toMatch(/npm install --global xs-dev\n.*xs-dev setup .*\n.*xs-dev setup --device esp32/);
  });

  test.each([
    ['MODDABLE names no SDK', () => ({ MODDABLE: folder, IDF_PATH: '' }), /there is no Moddable SDK/],
    ["the SDK's tools are not built", () => ({ ...fakeSdk(''), MODDABLE: (write('sdk/modules/none', ''), join(folder, 'sdk')) }), /mcconfig.*is not built/],
    ['IDF_PATH names no ESP-IDF', () => ({ ...fakeSdk(''), IDF_PATH: folder }), /there is no ESP-IDF/],
    ['ESP-IDF has another version', () => fakeSdk('', '5.4'), /ESP-IDF is 5\.4, the Moddable SDK wants 6\.0/],
  ])('says that %s', async (_, env, message) => {
    const { exitCode, stderr } = await build(['--chip', 'esp32c3'], env() as Record<string, string>);
    expect([exitCode, stderr]).toEqual([3, expect.stringMatching(message)]);
  });

  test('--check bundles, checks and writes what mcconfig takes', async () => {
    const { exitCode, stdout, stderr } = await build(['--chip', 'esp32c6', '--check']);
    expect([exitCode, stdout]).toEqual([0, '.build/firmware/esp32c6\n']);
    expect(stderr).toMatch(/^firmware\.js: \d+ of \d+ bytes; the largest: .*\nmain\.js: /m);
    for (const name of ['firmware.js', 'main.js', 'sdkconfig/sdkconfig.defaults']) expect(existsSync(projectPath(`.build/firmware/esp32c6/${name}`))).toBe(true);
  });

  test('--check of a release writes the options of a release', async () => {
    await build(['--chip', 'esp32c6', '--check', '--release']);
    const text = readFileSync(projectPath('.build/firmware/esp32c6/sdkconfig/sdkconfig.defaults'), 'utf8');
    expect(text).toMatch(/^CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID=5$/m);
    expect(text).toMatch(/^CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE=y$/m);
    await build(['--chip', 'esp32c6', '--check']);
    expect(readFileSync(projectPath('.build/firmware/esp32c6/sdkconfig/sdkconfig.defaults'), 'utf8')).toMatch(/^CONFIG_NVS_ENCRYPTION=n$/m);
  });
});

describe('what cannot be taken back is chosen explicitly:', () => {
  const key = (): string => write('key.pem', 'a key');

  test.each([
    ['--harden without --release', () => ['--chip', 'esp32c3', '--harden', key(), '--download-mode', 'off'], /locked for good/],
    ['--harden without a download mode', () => ['--chip', 'esp32c3', '--release', '--harden', key()], /cannot be changed later/],
    ['--download-mode without --harden', () => ['--chip', 'esp32c3', '--release', '--download-mode', 'off'], /goes with --harden/],
    ['a key that is not there', () => ['--chip', 'esp32c3', '--release', '--harden', join(folder, 'no.pem'), '--download-mode', 'off'], /there is no /],
    ['the secure download mode of a classic ESP32', () => ['--chip', 'esp32', '--release', '--harden', key(), '--download-mode', 'secure'], /--download-mode off/],
    ['a release of a classic ESP32 without flash encryption', () => ['--chip', 'esp32', '--release'], /--harden/],
  ])('%s is refused', async (_, args, message) => {
    const { exitCode, stderr } = await build([...args(), '--check']);
    expect([exitCode, stderr]).toEqual([3, expect.stringMatching(message)]);
  });

  test('the signing key and the mode go into the options', async () => {
    const path = key();
    const { exitCode } = await build(['--chip', 'esp32s3', '--release', '--harden', path, '--download-mode', 'secure', '--check']);
    expect(exitCode).toBe(0);
    const text = readFileSync(projectPath('.build/firmware/esp32s3/sdkconfig/sdkconfig.defaults'), 'utf8');
    expect(text).toContain(`CONFIG_SECURE_BOOT_SIGNING_KEY="${path}"\n`);
    expect(text).toMatch(/^CONFIG_SECURE_ENABLE_SECURE_ROM_DL_MODE=y$/m);
    expect(text).not.toContain('CONFIG_SECURE_DISABLE_ROM_DL_MODE');
  });
});

describe('with the SDK', () => {
  test.each(CHIPS.map(({ name }) => name))('%s: mcconfig gets a target that neither flashes nor ends programs, and no path that has capitals', (name) => {
    const args = mcconfigArguments(findChip(name)!, '/out');
    expect(args).toEqual(['-m', '-p', expect.stringMatching(/^esp32(?:$|\/esp32[a-z0-9]+$|:\.\/manifests\/[a-z0-9-]+$)/), '-o', '/out', '-t', 'build', expect.stringMatching(/^manifests\/.*\.json$/)]);
    expect(existsSync(projectPath(args.at(-1)!))).toBe(true);
  });

  const link = (script: string): ReturnType<typeof build> => build(['--chip', 'esp32c3', '--output', join(folder, 'out')], fakeSdk(script));

  test('puts the files of the image in one folder, which is printed', async () => {
    const { exitCode, stdout } = await link(MAKES_IMAGE);
    expect([exitCode, resolve(projectPath('.'), stdout.trim())]).toEqual([0, join(folder, 'out/image')]);
    expect(readFileSync(join(folder, 'out/image/xs_esp32.bin'), 'utf8')).toBe('xs_esp32.bin\n');
  });

  test('takes no file of an earlier build: the SDK ends well where ESP-IDF has failed, and copies what it finds', async () => {
    await link(MAKES_IMAGE);
    const idf = write('out/sdk/tmp/esp32/esp32c3/release/latchkey/xsProj-esp32c3/build/xs_esp32.bin', 'of yesterday');
    const { exitCode, stderr } = await link('true');
    expect([exitCode, stderr]).toEqual([1, expect.stringMatching(/mcconfig ended with 0 and made no bootloader\.bin, partition-table\.bin, ota_data_initial\.bin, xs_esp32\.bin/)]);
    expect([existsSync(idf), existsSync(join(folder, 'out/image/xs_esp32.bin'))]).toEqual([false, false]);
  });

  test('compiles everything anew for other options: an object of a build for the desk would leave the checks of a release out', async () => {
    const object = (): string => write('out/sdk/tmp/esp32/esp32c3/release/latchkey/chip-efuse.c.o', 'compiled');
    const build = (...more: string[]): Promise<unknown> => runCommandLine(['firmware', 'build', '--chip', 'esp32c3', '--output', join(folder, 'out'), ...more], { env: fakeSdk(MAKES_IMAGE) });
    await build();
    const path = object();
    await build();
    expect(existsSync(path)).toBe(true);
    await build('--release');
    expect(existsSync(path)).toBe(false);
    await build();
  });

  test('takes the preload warnings that are known, and refuses a new one, the second time too', async () => {
    const [known = ''] = readKnownWarnings();
    const fine = await link(`echo '### warning: ${known}'; ${MAKES_IMAGE}`);
    expect(fine.exitCode).toBe(0);
    // The SDK links when the file is not there, and only then it warns.
    const linking = 'c="$5/tmp/esp32/esp32c3/release/latchkey"; /bin/mkdir -p "$c"; test -e "$c/mc.xs.c" || { echo linked > "$c/mc.xs.c"; echo "### warning: latchkey/firmware: agent_limits__NEW: not frozen"; }';
    await link(`${linking}; ${MAKES_IMAGE}`);
    const { exitCode, stderr } = await link(`${linking}; ${MAKES_IMAGE}`);
    expect([exitCode, stderr]).toEqual([1, expect.stringMatching(/1 new preload warnings.*\n {2}latchkey\/firmware: agent_limits__NEW: not frozen/)]);
  });

  test.each([['fails', 'echo broken >&2; exit 2', /broken[^]*mcconfig ended with 2/], ['leaves no image', 'true', /made no bootloader\.bin/]])('that %s is said, exit code 1', async (_, script, message) => {
    const { exitCode, stderr } = await link(script);
    expect([exitCode, stderr]).toEqual([1, expect.stringMatching(message)]);
  });
});

test('a chip that there is no manifest for is a usage error that names those that there are', async () => {
  const { exitCode, stderr } = await build(['--chip', 'esp8266', '--check']);
  expect([exitCode, stderr]).toEqual([2, expect.stringMatching(/esp32, esp32s3, esp32c3, esp32c6, esp32-qemu, esp32c3-qemu/)]);
});
