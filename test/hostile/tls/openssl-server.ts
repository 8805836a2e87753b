import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { projectPath } from '../../../host-sim/board/project-path.ts';
import type { Certificate } from './pki.ts';

export interface TlsServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** A guard against a hang: a machine that does much else at the same time is no failure. */
const START_LIMIT_MS = 100_000;

/** `openssl s_server` on a free port of the loopback; sends every line back reversed. `sent`: leaf first. */
export async function startOpenSslServer(sent: readonly Certificate[], extra: readonly string[] = []): Promise<TlsServer> {
  mkdirSync(projectPath('.build/native-test'), { recursive: true });
  const folder = mkdtempSync(projectPath('.build/native-test/server-'));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const leaf = sent[0];
  if (leaf === undefined) throw new TypeError('a server needs a certificate');
  const args = [
    ...['s_server', '-accept', '127.0.0.1:0', '-rev'],
    ...['-cert', file('leaf.pem', leaf.pem), '-key', file('leaf.key', leaf.privateKeyPem)],
    ...(sent.length > 1 ? ['-cert_chain', file('chain.pem', sent.slice(1).map((certificate) => certificate.pem).join(''))] : []),
    ...extra.map((word) => (word.startsWith('-----BEGIN') ? file(`extra-${word.length}.pem`, word) : word)),
  ];
  const child = spawn('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, OPENSSL_CONF: '/dev/null' } });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let output = '';
  const port = await new Promise<number>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`openssl s_server says no port\n${output}`)), START_LIMIT_MS);
    const take = (bytes: Buffer): void => {
      output += bytes.toString();
      const found = /ACCEPT \S*?:(\d+)/.exec(output)?.[1];
      if (found !== undefined) {
        clearTimeout(timer);
        resolve(Number(found));
      }
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.once('close', (code) => {
      clearTimeout(timer);
      reject(new Error(`openssl s_server ended with ${code}\n${output}`));
    });
  });
  return {
    port,
    async stop() {
      child.kill('SIGKILL');
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
