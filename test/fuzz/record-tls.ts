/**
 * Makes the corpus of tls-input.c anew, and the root that it trusts:
 *
 *   npx esbuild --bundle --platform=node --format=esm --packages=external test/fuzz/record-tls.ts --outfile=.build/record-tls.mjs && node .build/record-tls.mjs
 *
 * The keys are dropped when it ends. What it records fits one version of Mbed TLS, since every version asks for randomness in an order
 * of its own; with another one the corpus is still a good start.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { projectPath } from '../../host-sim/board/project-path.ts';
import { runCommand } from '../../host-sim/board/run-command.ts';
import { goodRsa, intermediate, leaf, root } from '../hostile/tls/cases.ts';
import type { Fault } from '../hostile/tls/faults.ts';
import { buildProgram, tlsSources } from '../hostile/tls/native-program.ts';
import { startOpenSslServer } from '../hostile/tls/openssl-server.ts';
import { issueChain, setClock } from '../hostile/tls/pki.ts';
import { startRawServer } from '../hostile/tls/raw-server.ts';

const HOST = 'hub.latchkey.test';
const CORPUS = 'test/fuzz/corpus/tls-input';
const RAW: readonly Fault[] = [
  'none', 'wrong-finished', 'key-exchange-of-another-key', 'a-hello-request', 'a-few-empty-records', 'wrong-tag', 'close-notify', 'fatal-alert',
  'version-1.1', 'http', 'no-certificate', 'group-not-offered', 'plain-data-when-up', 'finished-in-clear',
];

setClock(Date.UTC(2026, 0, 1));
const [top, below, server] = await issueChain([root, intermediate, { ...leaf, dnsNames: [HOST, '*.latchkey.test'] }]);
const [, , wrongHost] = await issueChain([root, intermediate, { ...leaf, dnsNames: ['other.test'] }]);
const [, expired] = await issueChain([root, { ...leaf, validity: 'expired' }]);
const rsa = await issueChain(goodRsa.chain);

const bytes = [...top!.der].map((byte) => `0x${byte.toString(16).padStart(2, '0')}`);
const lines = Array.from({ length: Math.ceil(bytes.length / 20) }, (_, i) => `    ${bytes.slice(20 * i, 20 * i + 20).join(', ')},`);
writeFileSync(projectPath('test/fuzz/tls-input-root.h'), `\
/* Made by test/fuzz/record-tls.ts. A test root: nobody has its key. */
#ifndef TLS_INPUT_ROOT_H
#define TLS_INPUT_ROOT_H

#include <stdint.h>

#define TLS_INPUT_HOST "${HOST}"

static const uint8_t tls_input_root[] = {
${lines.join('\n')}
};

#endif
`);

const recorder = await buildProgram({
  name: 'tls-record', variant: 'plain', sources: ['test/fuzz/tls-record.c', 'test/fuzz/tls-input.c', ...tlsSources],
  wraps: ['time', 'clock_gettime', 'mbedtls_ctr_drbg_random'],
});
rmSync(projectPath(CORPUS), { recursive: true, force: true });
mkdirSync(projectPath(CORPUS), { recursive: true });

async function record(name: string, port: number): Promise<void> {
  const { code, output } = await runCommand(recorder, [String(port), projectPath(join(CORPUS, name))]);
  if (code !== 0) throw new Error(`${name} was not recorded (${code})\n${output}`);
}

for (const fault of RAW) {
  const raw = await startRawServer([server!, below!], { fault });
  await record(`raw-${fault}`, raw.port);
  await raw.stop();
}
for (const [name, chain, ...extra] of [
  ['openssl-ticket', [server!, below!]],
  ['openssl-chacha', [server!, below!], '-tls1_2', '-cipher', 'ECDHE-ECDSA-CHACHA20-POLY1305', '-no_ticket'],
  ['openssl-client-certificate', [server!, below!], '-verify', '1'],
  ['openssl-rsa-unknown-root', [rsa[2]!, rsa[1]!]],
  ['openssl-wrong-host', [wrongHost!, below!]],
  ['openssl-expired', [expired!]],
] as const) {
  const openssl = await startOpenSslServer(chain, extra);
  await record(name, openssl.port);
  await openssl.stop();
}
