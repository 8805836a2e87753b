import { describe, expect, test } from '@jest/globals';

import { CHIPS, findChip } from '../../host-sim/firmware/chips.ts';
import type { ChipName } from '../../host-sim/firmware/chips.ts';
import { checkImage, MIN_NATIVE_STACK_BYTES } from '../../host-sim/firmware/image-rules.ts';
import type { RuleName } from '../../host-sim/firmware/image-rules.ts';
import { readProjectFile } from '../../host-sim/firmware/manifest-tree.ts';
import type { SdkconfigOptions } from '../../host-sim/firmware/sdkconfig.ts';
import { readCreation } from '../../host-sim/board/creation.ts';
import { recordEvidence } from '../evidence.ts';

const KEY = { signingKey: 'key.pem', downloadMode: 'off' } as const;

function options(name: ChipName, kind: 'development' | 'release' | 'hardened' = 'development'): SdkconfigOptions {
  return { chip: findChip(name)!, release: kind !== 'development', hardened: kind === 'hardened' ? KEY : undefined };
}

/** The rules that a copy with changed files breaks. `change` gives the new text, `undefined` for a file that is gone. */
function broken(of: SdkconfigOptions, file: string, change: (text: string) => string | undefined): RuleName[] {
  const original = readProjectFile(file)!;
  const changed = change(original);
  if (changed === original) throw new Error(`${file} is not changed: the rule's copy is not broken`);
  return [...new Set(checkImage(of, (path) => (path === file ? changed : readProjectFile(path))).map(({ rule }) => rule))];
}

const replace = (from: string | RegExp, to: string) => (text: string): string => text.replace(from, to);
const gone = (): undefined => undefined;
const COMMON = 'manifests/manifest.json';
const C3 = 'manifests/esp32c3/manifest.json';
const SDK = 'manifests/sdkconfig/common.sdkconfig';
const PRODUCTION = 'manifests/sdkconfig/production.sdkconfig';
const HMAC = 'manifests/sdkconfig/production-hmac.sdkconfig';
const HARDENED = 'manifests/sdkconfig/hardened.sdkconfig';
const TABLE = 'manifests/partitions.csv';

test.each(CHIPS.map(({ name }) => name))('%s: development passes every rule, and so does the hardened release', (name) => {
  expect(checkImage(options(name))).toEqual([]);
  expect(checkImage(options(name, 'hardened'))).toEqual([]);
});

test('a release passes every rule on a chip with HMAC, and a classic ESP32 wants flash encryption for it', () => {
  expect(checkImage(options('esp32c3', 'release'))).toEqual([]);
  expect(checkImage(options('esp32', 'release')).map(({ rule }) => rule)).toEqual(['nvs-encryption']);
});

const CASES: readonly (readonly [string, RuleName, SdkconfigOptions, string, (text: string) => string | undefined])[] = [
  ['a manifest is gone', 'missing-file', options('esp32c3'), 'manifests/wifi.json', gone],
  ['a manifest is no JSON', 'missing-file', options('esp32c3'), COMMON, replace('{', '[')],
  ['a module names no file', 'missing-file', options('esp32c3'), COMMON, replace('modules/signer"', 'modules/singer"')],
  ['a folder of natives is not there', 'missing-file', options('esp32c3'), COMMON, replace('../firmware/native/*', '../firmware/natives/*')],
  ['the partition table is not there', 'missing-file', options('esp32c3'), 'manifests/esp32c3/build.json', replace('partitions.csv', 'partition.csv')],
  ["another chip's partition table is taken", 'missing-file', options('esp32c3'), 'manifests/esp32c3/build.json', replace('partitions.csv', 'partitions-esp32.csv')],
  ['an sdkconfig fragment is gone', 'missing-file', options('esp32c3', 'release'), HMAC, gone],
  ['a module is named twice', 'repeated-name', options('esp32c3'), COMMON, replace(/( +"latchkey\/verify": .*\n)/, '$1$1')],
  ["the SDK's files may not call what they do not declare", 'sdk-declarations', options('esp32c3'), COMMON, replace('-Wno-implicit-function-declaration', '-Werror=implicit-function-declaration')],
  ["the SDK's own flags are left out", 'sdk-declarations', options('esp32c3'), COMMON, replace('$(C_COMMON_FLAGS) ', '')],
  ['TCP is there without the listener of the same C file', 'tcp-listener', options('esp32c3'), COMMON, replace(/ +"embedded:io\/socket\/listener": .*\n/, '')],
  ['TypeScript is preloaded by a wildcard', 'preload-typescript', options('esp32c3'), COMMON, replace('"latchkey/firmware",\n    "latchkey/tls"', '"latchkey/*"')],
  ['a module that is not there is preloaded', 'preload-unknown', options('esp32c3'), COMMON, replace('"preload": [\n    "latchkey/firmware"', '"preload": [\n    "latchkey/firmwear"')],
  ['another manifest is included behind our build block', 'build-block-last', options('esp32c3'), C3, replace('"./build.json"]', '"./build.json", "$(MODULES)/io/wifi/manifest.json"]')],
  ['the build block stands first', 'build-block-last', options('esp32c3'), C3, replace('["../manifest.json", "../wifi.json", "./build.json"]', '["./build.json", "../manifest.json", "../wifi.json"]')],
  ['the build block has no partitions', 'build-block-last', options('esp32c3'), 'manifests/esp32c3/build.json', replace('PARTITIONS_FILE', 'PARTITION_FILE')],
  ['a platforms block includes more behind it', 'build-block-last', options('esp32c3'), C3, replace('"include"', '"platforms": { "esp32": { "include": [] } },\n  "include"')],
  ['the native stack has the 10 KB of the SDK', 'native-stack', options('esp32c3'), COMMON, replace('20480', '10240')],
  ['the native stack is not set', 'native-stack', options('esp32c3'), COMMON, replace(/,\n {4}"nativeStack": 20480/, '')],
  ['the heap is static', 'creation', options('esp32c3'), COMMON, replace('"static": 0', '"static": 94208')],
  ['a second manifest sets the heap', 'creation', options('esp32c3'), C3, replace('"include"', '"creation": { "static": 0, "nativeStack": 20480 },\n  "include"')],
  ['an option is switched off by a comment', 'sdkconfig-comment', options('esp32c3'), SDK, replace('CONFIG_MBEDTLS_DYNAMIC_BUFFER=n', '# CONFIG_MBEDTLS_DYNAMIC_BUFFER is not set')],
  ['an option has spaces', 'sdkconfig-value', options('esp32c3'), SDK, replace('CONFIG_MBEDTLS_HAVE_TIME=y', 'CONFIG_MBEDTLS_HAVE_TIME = y')],
  ['date checks are off', 'date-checks', options('esp32c3'), SDK, replace('HAVE_TIME_DATE=y', 'HAVE_TIME_DATE=n')],
  ['date checks are not mentioned', 'date-checks', options('esp32c3'), SDK, replace('CONFIG_MBEDTLS_HAVE_TIME_DATE=y\n', '')],
  ['a later fragment switches date checks off', 'date-checks', options('esp32c3', 'release'), PRODUCTION, (text) => `${text}CONFIG_MBEDTLS_HAVE_TIME_DATE=n\n`],
  ['TLS buffers are dynamic', 'dynamic-buffers', options('esp32c3'), SDK, replace('DYNAMIC_BUFFER=n', 'DYNAMIC_BUFFER=y')],
  ['TLS takes in 4 KB', 'buffer-sizes', options('esp32c3'), SDK, replace('IN_CONTENT_LEN=16384', 'IN_CONTENT_LEN=4096')],
  ['TLS puts out 16 KB', 'buffer-sizes', options('esp32c3'), SDK, replace('OUT_CONTENT_LEN=4096', 'OUT_CONTENT_LEN=16384')],
  ['NVS takes a block of the signer', 'efuse-block', options('esp32c3', 'release'), HMAC, replace('KEY_ID=5', 'KEY_ID=4')],
  ["NVS takes the signer's second block", 'efuse-block', options('esp32c3', 'release'), HMAC, replace('KEY_ID=5', 'KEY_ID=3')],
  ['NVS takes a block that nobody reserves for it', 'efuse-block', options('esp32c3', 'release'), HMAC, replace('KEY_ID=5', 'KEY_ID=0')],
  ['NVS takes no block', 'efuse-block', options('esp32c3', 'release'), HMAC, replace('CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID=5\n', '')],
  ['the bootloader skips validation', 'image-validation', options('esp32c3', 'release'), PRODUCTION, replace('SKIP_VALIDATE_ALWAYS=n', 'SKIP_VALIDATE_ALWAYS=y')],
  ['the bootloader never goes back', 'rollback', options('esp32c3', 'release'), PRODUCTION, replace('ROLLBACK_ENABLE=y', 'ROLLBACK_ENABLE=n')],
  ['the task watchdog is off', 'watchdog', options('esp32c3', 'release'), PRODUCTION, replace('ESP_TASK_WDT_EN=y', 'ESP_TASK_WDT_EN=n')],
  ['the interrupt watchdog is off', 'watchdog', options('esp32c3', 'release'), PRODUCTION, replace('CONFIG_ESP_INT_WDT=y\n', '')],
  ['NVS is plain in a release', 'nvs-encryption', options('esp32c3', 'release'), PRODUCTION, replace('CONFIG_NVS_ENCRYPTION=y', 'CONFIG_NVS_ENCRYPTION=n')],
  ['NVS wants flash encryption on a chip with HMAC', 'nvs-encryption', options('esp32c3', 'release'), HMAC, replace('USING_HMAC=y', 'USING_HMAC=n')],
  ['a crash prints memory', 'debug-output', options('esp32c3', 'release'), PRODUCTION, replace('ENABLE_TO_UART=n', 'ENABLE_TO_UART=y')],
  ['a crash opens a debugger', 'debug-output', options('esp32c3', 'release'), PRODUCTION, replace('GDBSTUB=n', 'GDBSTUB=y')],
  ['JTAG stays open on a hardened chip', 'hardening', options('esp32c3', 'hardened'), HARDENED, replace('ALLOW_JTAG=n', 'ALLOW_JTAG=y')],
  ['flash encryption is for development on a hardened chip', 'hardening', options('esp32c3', 'hardened'), HARDENED, replace('ENCRYPTION_MODE_RELEASE=y', 'ENCRYPTION_MODE_RELEASE=n')],
  ['a partition is missing', 'partition-missing', options('esp32c3'), TABLE, replace(/^signer.*$/m, '')],
  ['there is no second slot', 'partition-missing', options('esp32c3'), TABLE, replace(/^ota_1.*$/m, '')],
  ['a classic ESP32 has no partition for the keys of NVS', 'partition-missing', options('esp32'), 'manifests/partitions-esp32.csv', replace(/^nvs_keys.*$/m, '')],
  ['the table lies elsewhere', 'partition-missing', options('esp32c3'), SDK, replace('TABLE_OFFSET=0x10000', 'TABLE_OFFSET=0x8000')],
  ['two partitions overlap', 'partition-overlap', options('esp32c3'), TABLE, replace('0x27000,  0x19000', '0x26000,  0x19000')],
  ['a partition lies over the table', 'partition-overlap', options('esp32c3'), TABLE, replace('0x11000,  0x10000', '0x10000,  0x10000')],
  ['the table is longer than the flash', 'partition-size', options('esp32c3'), TABLE, replace('0x220000, 0x1E0000', '0x220000, 0x1F0000')],
  ['the slots differ', 'partition-size', options('esp32c3'), TABLE, replace('0x220000, 0x1E0000', '0x220000, 0x1D0000')],
  ['an offset is not given', 'partition-size', options('esp32c3'), TABLE, replace('0x220000,', ',')],
  ['a slot is not aligned', 'partition-alignment', options('esp32c3'), TABLE, replace('0x40000,  0x1E0000', '0x41000,  0x1DF000')],
  ["JavaScript can open the signer's partition", 'signer-reachable', options('esp32c3'), TABLE, replace('signer,     0x41', 'signer,     data')],
  ["the signer's partition is one of mods", 'signer-reachable', options('esp32c3'), TABLE, replace('signer,     0x41', 'signer,     0x40')],
  ["the signer's partition stays plain", 'signer-plain', options('esp32c3'), TABLE, replace('0x2000,   encrypted', '0x2000,')],
];

describe('refused when', () => {
  let refused = 0;

  test.each(CASES)('%s: %s', (_, rule, of, file, change) => {
    expect(broken(of, file, change)).toContain(rule);
    refused += 1;
    if (refused === CASES.length) recordEvidence('image-rules', refused);
  });

  test('every rule has a case', () => {
    const seen = new Set(CASES.map(([, rule]) => rule));
    const all: Record<RuleName, true> = {
      'missing-file': true, 'repeated-name': true, 'sdk-declarations': true, 'tcp-listener': true, 'preload-typescript': true, 'preload-unknown': true, 'build-block-last': true, 'native-stack': true, creation: true,
      'sdkconfig-comment': true, 'sdkconfig-value': true, 'date-checks': true, 'dynamic-buffers': true, 'buffer-sizes': true, 'efuse-block': true,
      'image-validation': true, rollback: true, watchdog: true, 'nvs-encryption': true, 'debug-output': true, hardening: true, 'partition-missing': true,
      'partition-overlap': true, 'partition-size': true, 'partition-alignment': true, 'signer-reachable': true, 'signer-plain': true,
    };
    expect([...seen].sort()).toEqual(Object.keys(all).sort());
  });
});

test('a classic ESP32 is refused the secure download mode, which it does not have', () => {
  const hardened = { signingKey: 'key.pem', downloadMode: 'secure' } as const;
  expect(checkImage({ ...options('esp32', 'hardened'), hardened }).map(({ rule }) => rule)).toEqual(['hardening']);
  expect(checkImage({ ...options('esp32c3', 'hardened'), hardened })).toEqual([]);
});

test('the heap that the board runs with is the one that the chip is linked with', () => {
  expect(readCreation()).toMatchObject({ chunk: { initial: 16384 }, stack: 512 });
  expect(MIN_NATIVE_STACK_BYTES).toBeGreaterThan(10 * 1024);
});
