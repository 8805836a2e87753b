import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { projectPath } from '../../host-sim/board/project-path.ts';
import { runCommand } from '../../host-sim/board/run-command.ts';
import { findProgram, installPackages } from '../../host-sim/debian-packages.mjs';
import { recordEvidence } from '../evidence.ts';

/** ESP32-C3: 32 bits, integers, multiplication, compressed instructions. */
const MACHINE = ['-march=rv32imc', '-mabi=ilp32'];
const COMPILER = 'riscv64-unknown-elf-gcc';
const WARNINGS = ['-Wall', '-Wextra', '-Werror', '-Wshadow', '-Wpointer-arith', '-Wstack-usage=4608'];
/** Our own C on the chip, without Mbed TLS and XS: what the flash has to hold of it. */
const MAX_TEXT_BYTES = 40_000;
const NATIVES = 'firmware/native';
const PORT = 'firmware/ports/esp32/native';
/** Global names of ESP-IDF 6.0's wpa_supplicant, lwIP, Mbed TLS and XS: a second one does not link, or the wrong one is called. */
const FOREIGN = /^(?:hmac_(?:md5|sha\d+)(?:_(?:vector|prf|kdf))?|(?:md5|sha\d+)_(?:vector|prf|init|update|final)|base64(?:_url)?_(?:en|de)code|aes_\w+|crypto_\w+|tls_(?:init|deinit|connection_\w+|get_errors)|os_\w+|wpa\w+|eap_\w+|mbedtls_\w+|psa_\w+|esp_\w+|fx[A-Z]\w+|mod[A-Z]\w+|xs[A-Z]\w+|netif_\w+|tcp_\w+|udp_\w+|dns_\w+)$/;

let out = '';
let flags: readonly string[] = [];

beforeAll(() => {
  if (findProgram([COMPILER]) === undefined) installPackages(['gcc-riscv64-unknown-elf', 'picolibc-riscv64-unknown-elf']);
  mkdirSync(projectPath('.build'), { recursive: true });
  out = mkdtempSync(projectPath('.build/riscv-'));
  // The host's other headers must not be found: only these two libraries are the chip's too.
  for (const library of ['mbedtls', 'psa']) symlinkSync(join('/usr/include', library), join(out, library));
  const xs = join(dirname(createRequire(projectPath('package.json')).resolve('@agoric/xsnap/package.json')), 'moddable/xs');
  flags = [
    ...MACHINE, ...WARNINGS, '--specs=picolibc.specs', '-Os', '-std=gnu17', '-ffunction-sections', '-fdata-sections',
    '-DINCLUDE_XSPLATFORM', '-DXSPLATFORM="cross-platform.h"', '-DMBEDTLS_USER_CONFIG_FILE="cross-mbedtls.h"',
    ...['test/fakes/riscv', NATIVES].map((folder) => `-I${projectPath(folder)}`),
    ...['includes', 'platforms', 'sources'].map((folder) => `-isystem${join(xs, folder)}`), `-isystem${out}`,
  ];
});

afterAll(() => rmSync(out, { recursive: true, force: true }));

const cFilesOf = (folder: string): string[] => readdirSync(projectPath(folder)).filter((name) => name.endsWith('.c')).sort().map((name) => `${folder}/${name}`);
/** What the port adds; openeth/ is the emulator's, and needs the SDK's own headers. */
const sources = [...cFilesOf(NATIVES), ...cFilesOf(PORT)];

const objectOf = (path: string): string => join(out, `${basename(path)}.o`);

/** Compiles one file, for a chip with the fake ESP-IDF headers where it asks for a chip; gives text bytes and errors. */
async function compile(path: string, more: readonly string[] = []): Promise<{ readonly text: number; readonly errors: string }> {
  const name = basename(path);
  const object = objectOf(path);
  const isOfChip = name.startsWith('chip-') || path.startsWith(PORT);
  const chip = isOfChip ? ['-DESP_PLATFORM', '-DCONFIG_ESP_WIFI_ENABLED=1', ...['test/fakes/esp-idf', PORT].map((folder) => `-I${projectPath(folder)}`)] : [];
  const { code, output } = await runCommand(COMPILER, [...flags, ...chip, ...more, '-c', projectPath(path), '-o', object]);
  if (code !== 0) return { text: 0, errors: output };
  const size = await runCommand('riscv64-unknown-elf-size', [object]);
  return { text: Number(/^\s*(\d+)/m.exec(size.output.split('\n')[1] ?? '')?.[1]), errors: output };
}

describe('the natives, for the processor of an ESP32-C3', () => {
  let total = 0;
  let compiled = 0;

  test.each(sources)('%s compiles without a warning', async (name) => {
    const { text, errors } = await compile(name);
    expect(errors).toBe('');
    total += text;
    compiled += 1;
  });

  test('define no function that the libraries of the chip define, too', async () => {
    const { output } = await runCommand('riscv64-unknown-elf-nm', ['-g', '--defined-only', ...sources.map(objectOf)]);
    const names = [...output.matchAll(/ [TDBRW] (\w+)$/gm)].map(([, name = '']) => name);
    expect(names).toContain('signer_sign_sas');
    expect(names.filter((name) => FOREIGN.test(name))).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
  });

  test('take a size that is printed and has a limit', () => {
    expect(compiled).toBe(sources.length);
    process.stderr.write(`the natives: ${total} bytes of code and constants in ${compiled} files, rv32imc -Os\n`);
    expect(total).toBeGreaterThan(10_000);
    expect(total).toBeLessThan(MAX_TEXT_BYTES);
    recordEvidence('riscv-natives', compiled);
  });

  test('would not compile without date checks, nor for an HMAC block without its header', async () => {
    expect((await compile(`${NATIVES}/tls-verify.c`, ['-UMBEDTLS_USER_CONFIG_FILE', '-DMBEDTLS_CONFIG_FILE="no-such.h"'])).errors).not.toBe('');
    expect((await compile(`${NATIVES}/chip-efuse.c`, ['-DCONFIG_NVS_ENCRYPTION=1', '-DCONFIG_NVS_SEC_KEY_PROTECT_USING_HMAC=1'])).errors).toMatch(/CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID/);
  });
});
