import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { projectPath } from '../../host-sim/board/project-path.ts';
import { runCommand } from '../../host-sim/board/run-command.ts';
import { findToolchain } from '../../host-sim/board/toolchain.ts';
import { signerSources, tlsSources, verifySources } from './tls/native-program.ts';

let folder: string;
let compiler: string;
let flags: string[];

beforeAll(async () => {
  folder = mkdtempSync(projectPath('.build/user-config-'));
  const toolchain = await findToolchain([], () => {});
  compiler = toolchain.compiler;
  flags = [
    ...['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', '-c', '-o', join(folder, 'out.o')],
    ...[`-I${projectPath('firmware/native')}`, ...toolchain.includeFolders.map((include) => `-isystem${include}`)],
  ];
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const compile = (source: string, ...extra: string[]) => runCommand(compiler, [...flags, ...extra, projectPath(source)]);

describe('a library that does not check does not compile', () => {
  const missing: readonly (readonly [string, string])[] = [
    ['MBEDTLS_HAVE_TIME_DATE', 'Certificate dates are not checked'],
    ['MBEDTLS_X509_CRT_PARSE_C', 'Certificates are not checked'],
    ['MBEDTLS_SSL_SERVER_NAME_INDICATION', 'The server does not learn which host is meant'],
    ['MBEDTLS_SSL_CLI_C', 'There is no TLS 1.2 client'],
  ];

  test.each(missing)('without %s', async (name, text) => {
    const config = join(folder, `${name}.h`);
    writeFileSync(config, `#undef ${name}\n`);
    // 4.x reads the part on time from the configuration of its crypto library.
    const { code, output } = await compile('firmware/native/tls-context.c', `-DMBEDTLS_USER_CONFIG_FILE="${config}"`, `-DTF_PSA_CRYPTO_USER_CONFIG_FILE="${config}"`);
    expect(code).not.toBe(0);
    expect(output).toContain(text);
  });

  test('with all of them it compiles', async () => {
    expect(await compile('firmware/native/tls-context.c')).toMatchObject({ code: 0 });
  });
});

test.each([...new Set([...tlsSources, ...signerSources, ...verifySources])])('%s passes the static analyser of gcc', async (source) => {
  const { code, output } = await compile(source, '-fanalyzer');
  expect(output).toBe('');
  expect(code).toBe(0);
});
