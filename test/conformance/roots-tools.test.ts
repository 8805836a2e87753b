import { execFileSync } from 'node:child_process';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { flattenedVerify, generalVerify, importSPKI } from 'jose';

import { createDevelopmentPki } from '../../certs/development-pki.ts';
import { projectPath } from '../../host-sim/board/project-path.ts';
import { recordEvidence } from '../evidence.ts';
import { runCommandLine, type CliRun } from '../fakes/cli-run.ts';
import { formatPayload, makeUpdateKey, signBundle, trusted } from '../fakes/root-bundles.ts';

const PASSPHRASE = 'test passphrase of a test key';
const PIN = '123456';
/** Debian's softhsm2; its library has another folder on other machines. */
const SOFTHSM = '/usr/lib/softhsm/libsofthsm2.so';
const DIGICERT = projectPath('certs/digicert-global-root-g2.der');
const MICROSOFT = projectPath('certs/microsoft-rsa-root-2017.der');

let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-roots-'));
  writeFileSync(path('passphrase'), `${PASSPHRASE}\n`);
  await succeed('keygen', '--out', path('alice.pem'), '--passphrase-file', path('passphrase'));
  await succeed('keygen', '--out', path('bob.pem'), '--no-passphrase');
  await succeed('create', '--out', path('1.json'), '--hub', 'myhub.azure-devices.net', '--root', DIGICERT, '--key', path('alice.pub'), '--key', path('bob.pub'), '--threshold', '2');
  await sign('1.json', 'alice');
  await sign('1.json', 'bob');
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function path(name: string): string {
  return join(folder, name);
}

function roots(...args: readonly string[]): Promise<CliRun> {
  return runCommandLine(['roots', ...args]);
}

async function succeed(...args: readonly string[]): Promise<CliRun> {
  const run = await roots(...args);
  if (run.exitCode !== 0) throw new Error(`roots ${args.join(' ')}: ${run.exitCode}\n${run.stderr}`);
  return run;
}

function sign(bundle: string, who: 'alice' | 'bob'): Promise<CliRun> {
  return succeed('sign', path(bundle), '--key', path(`${who}.pem`), ...(who === 'alice' ? ['--passphrase-file', path('passphrase')] : []));
}

function readJson(name: string): { readonly payload: string; readonly signatures: readonly { readonly protected: string; readonly signature: string }[] } {
  return JSON.parse(readFileSync(path(name), 'utf8')) as ReturnType<typeof readJson>;
}

describe('what "latchkey roots" made', () => {
  test('is verified by jose, signature by signature', async () => {
    const bundle = readJson('1.json');
    for (const [index, who] of ['alice', 'bob'].entries()) {
      const key = await importSPKI(readFileSync(path(`${who}.pub`), 'utf8'), 'ES256');
      const { payload, signatures } = bundle;
      const verified = await flattenedVerify({ payload, ...signatures[index]! }, key);
      expect(JSON.parse(Buffer.from(verified.payload).toString())).toMatchObject({ version: 1, threshold: 2 });
      expect(Object.keys(verified.protectedHeader ?? {}).sort()).toEqual(['alg', 'kid', 'typ']);
      await generalVerify({ payload, signatures: [...signatures] }, key);
    }
    recordEvidence('roots-jose', 2);
  });

  test('is verified by openssl', () => {
    const { payload, signatures } = readJson('1.json');
    for (const [index, who] of ['alice', 'bob'].entries()) {
      const { protected: header, signature } = signatures[index]!;
      writeFileSync(path('message'), `${header}.${payload}`);
      writeFileSync(path('signature.der'), toDer(Buffer.from(signature, 'base64url')));
      const said = execFileSync('openssl', ['dgst', '-sha256', '-verify', path(`${who}.pub`), '-signature', path('signature.der'), path('message')], { encoding: 'utf8' });
      expect(said).toBe('Verified OK\n');
    }
    recordEvidence('roots-openssl', 2);
  });

  test('has private keys that openssl opens with the passphrase only, and files that only their owner reads', () => {
    expect(statSync(path('alice.pem')).mode & 0o777).toBe(0o600);
    expect(readFileSync(path('alice.pem'), 'utf8')).toContain('BEGIN ENCRYPTED PRIVATE KEY');
    expect(execFileSync('openssl', ['pkey', '-in', path('alice.pem'), '-passin', `file:${path('passphrase')}`, '-pubout'], { encoding: 'utf8' })).toBe(readFileSync(path('alice.pub'), 'utf8'));
    expect(() => execFileSync('openssl', ['pkey', '-in', path('alice.pem'), '-passin', 'pass:wrong'], { stdio: 'pipe' })).toThrow();
  });
});

test('a bundle made with jose is taken by "roots verify", and one of the wrong keys is not', async () => {
  const keys = await Promise.all([makeUpdateKey(), makeUpdateKey()]);
  const payload = formatPayload({ version: 2, roots: [trusted(readFileSync(MICROSOFT))], keys, threshold: 2 });
  for (const [index, key] of keys.entries()) writeFileSync(path(`jose-${index}.pub`), JSON.stringify(key.jwk));
  writeFileSync(path('jose.json'), JSON.stringify(await signBundle(payload, keys)));
  const known = ['--key', path('jose-0.pub'), '--key', path('jose-1.pub')];
  expect(await roots('verify', path('jose.json'), ...known, '--at', '2026-12-01', '--json')).toMatchObject({ exitCode: 0, stdout: '{"valid":true,"version":2,"follows":1,"device":"x"}\n' });
  expect(await roots('verify', path('jose.json'), '--previous', path('1.json'), '--at', '2026-12-01')).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('ERR_BUNDLE_SIGNATURES') as unknown });
});

describe('--signer-command', () => {
  test('takes the DER of openssl over the bytes on its stdin', async () => {
    await succeed('create', '--previous', path('1.json'), '--out', path('dgst.json'), '--root', MICROSOFT);
    await succeed('sign', path('dgst.json'), '--public-key', path('bob.pub'), '--signer-command', `openssl dgst -sha256 -sign '${path('bob.pem')}'`);
    await sign('dgst.json', 'alice');
    expect(await roots('verify', path('dgst.json'), '--previous', path('1.json'))).toMatchObject({ exitCode: 0 });
  });

  test('takes the signature of a key in softhsm2, by pkcs11-tool', async () => {
    mkdirSync(path('tokens'));
    writeFileSync(path('softhsm2.conf'), `directories.tokendir = ${path('tokens')}\nobjectstore.backend = file\n`);
    // Given to each program by name: jest's process.env is a copy that no child inherits, and the machine's own tokens stay untouched.
    const env = { ...process.env, SOFTHSM2_CONF: path('softhsm2.conf') };
    const quietly = { stdio: 'pipe', env } as const;
    execFileSync('softhsm2-util', ['--init-token', '--free', '--label', 'roots', '--so-pin', PIN, '--pin', PIN], quietly);
    const tool = ['--module', SOFTHSM, '--token-label', 'roots', '--login', '--pin', PIN];
    execFileSync('pkcs11-tool', [...tool, '--keypairgen', '--key-type', 'EC:prime256v1', '--id', '01', '--label', 'root key'], quietly);
    execFileSync('pkcs11-tool', [...tool, '--read-object', '--type', 'pubkey', '--id', '01', '--output-file', path('hsm.der')], quietly);
    writeFileSync(path('hsm.pub'), createPublicKey({ key: readFileSync(path('hsm.der')), format: 'der', type: 'spki' }).export({ format: 'pem', type: 'spki' }));
    await succeed('rotate-keys', '--previous', path('1.json'), '--out', path('hsm.json'), '--key', path('hsm.pub'), '--key', path('bob.pub'), '--threshold', '2');
    for (const who of ['alice', 'bob'] as const) await sign('hsm.json', who);
    const command = `SOFTHSM2_CONF='${env.SOFTHSM2_CONF}' pkcs11-tool ${tool.join(' ')} --sign --mechanism ECDSA --signature-format rs --id 01`;
    await succeed('sign', path('hsm.json'), '--public-key', path('hsm.pub'), '--digest', '--signer-command', command);
    expect(await roots('verify', path('hsm.json'), '--previous', path('1.json'))).toMatchObject({ exitCode: 0 });
    recordEvidence('roots-softhsm2', 1);
  });

  test.each([
    ['that fails', 'exit 3', 'ended with 3'],
    ['that signs something else', 'head -c 64 /dev/zero', 'no signature of this key'],
    ['that says nothing', 'true', 'no signature of this key'],
    ['that is not there', 'no-such-signer', 'ended with 127'],
  ])('%s is told, and the file stays as it was', async (_, command, text) => {
    const before = readFileSync(path('1.json'), 'utf8');
    expect(await roots('sign', path('1.json'), '--public-key', path('bob.pub'), '--signer-command', command)).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(text) as unknown });
    expect(readFileSync(path('1.json'), 'utf8')).toBe(before);
  });
});

describe('a mistake of the owner', () => {
  test.each([
    ['a wrong passphrase', () => ['sign', path('1.json'), '--key', path('alice.pem'), '--passphrase-file', path('1.json')], 'cannot be opened'],
    ['no key at all', () => ['sign', path('1.json')], 'nobody is there to sign'],
    ['a key that is there already', () => ['keygen', '--out', path('bob.pem'), '--no-passphrase'], 'is there already'],
    ['a root that is no CA', () => ['create', '--out', path('x.json'), '--hub', 'h.test', '--key', path('bob.pub'), '--root', path('bob.pub')], 'no certificate'],
    ['a private key where a public one belongs', () => ['create', '--out', path('x.json'), '--hub', 'h.test', '--key', path('bob.pem'), '--root', DIGICERT], 'is a private key'],
    ['an encrypted private key there', () => ['verify', path('1.json'), '--key', path('alice.pem')], 'is a private key'],
    ['a hub by its URL', () => ['create', '--out', path('x.json'), '--hub', 'https://h.test', '--key', path('bob.pub'), '--root', DIGICERT], 'expected the host name of a hub'],
    ['a hub by a wildcard', () => ['create', '--out', path('x.json'), '--hub', '*.azure-devices.net', '--key', path('bob.pub'), '--root', DIGICERT], 'expected the host name of a hub'],
    ['a hub with a dot at its end', () => ['create', '--out', path('x.json'), '--hub', 'h.test.', '--key', path('bob.pub'), '--root', DIGICERT], 'expected the host name of a hub'],
    ['a bundle for nobody', () => ['create', '--out', path('x.json'), '--key', path('bob.pub'), '--root', DIGICERT], 'whose devices'],
    ['a threshold that the keys cannot meet', () => ['create', '--out', path('x.json'), '--hub', 'h.test', '--key', path('bob.pub'), '--root', DIGICERT, '--threshold', '3'], 'ERR_BUNDLE_THRESHOLD'],
    ['rotating to no keys', () => ['rotate-keys', '--previous', path('1.json'), '--out', path('x.json')], 'other keys than which'],
    ['a file that is no bundle', () => ['inspect', path('alice.pub')], 'ERR_BUNDLE_FORMAT'],
    ['a file that is not there', () => ['inspect', path('none.json')], 'cannot read'],
    ['revoking the only root', () => ['create', '--previous', path('1.json'), '--out', path('x.json'), '--revoke', DIGICERT], 'needs a root'],
  ])('%s is answered with the way out, and without a secret', async (_, args, text) => {
    const run = await roots(...args());
    expect(run.exitCode).toBeGreaterThan(0);
    expect(run.stderr).toContain(text);
    expect(run.stdout + run.stderr).not.toContain(PASSPHRASE);
    expect(run.stderr).not.toMatch(/\n {4}at /);
  });

  test('a JWK with its private member is refused as a public key', async () => {
    writeFileSync(path('private.jwk'), JSON.stringify(createPrivateKey(readFileSync(path('bob.pem'))).export({ format: 'jwk' })));
    expect(await roots('create', '--out', path('x.json'), '--hub', 'h.test', '--key', path('private.jwk'), '--root', DIGICERT)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('is a private key') as unknown });
  });

  test('a certificate of a server is refused as a root', async () => {
    const pki = await createDevelopmentPki({ names: ['h.test'], notBefore: new Date('2026-01-01'), notAfter: new Date('2036-01-01') });
    writeFileSync(path('server.pem'), pki.server.certificatePem);
    expect(await roots('create', '--out', path('leaf.json'), '--hub', 'h.test', '--key', path('bob.pub'), '--root', path('server.pem'))).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('ERR_BUNDLE_ROOTS') as unknown });
  });
});

describe('"roots inspect"', () => {
  test('shows roots, keys and who has signed', async () => {
    const { stdout } = await succeed('inspect', path('1.json'), '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      version: 1, hubs: ['myhub.azure-devices.net'], devices: '*', threshold: 2,
      roots: [{ sha256: 'cb3ccbb76031e5e0138f8dd39a23f9de47ffc35e43c1144cea27d46a5ab1cb5f', purposes: ['hub', 'dps', 'storage'] }],
      signatures: [{ status: 'good' }, { status: 'good' }],
    });
    expect((await succeed('inspect', path('1.json'))).stdout).toContain('DigiCert Global Root G2');
  });
});

test('"roots serve" gives a version to whoever asks and nothing else', async () => {
  const interrupted = new AbortController();
  let tell: (port: number) => void = () => {};
  const started = new Promise<number>((resolve) => (tell = resolve));
  const run = runCommandLine(['roots', 'serve', '--folder', folder, '--port', '0', '--json'], {
    interrupted: interrupted.signal,
    onOutput: (text) => text.includes('"started"') && tell((JSON.parse(text) as { readonly port: number }).port),
  });
  const base = `http://127.0.0.1:${await started}`;
  expect(Buffer.from(await (await fetch(`${base}/1.json`)).arrayBuffer()).equals(readFileSync(path('1.json')))).toBe(true);
  for (const wrong of ['/', '/01.json', '/alice.pem', '/..%2f1.json', '/9.json']) expect((await fetch(`${base}${wrong}`)).status).toBe(404);
  expect((await fetch(`${base}/1.json`, { method: 'POST' })).status).toBe(405);
  interrupted.abort();
  expect(await run).toMatchObject({ exitCode: 130 });
});

test('"roots serve" does not serve a folder that is not there', async () => {
  expect(await roots('serve', '--folder', path('nowhere'), '--port', '0')).toMatchObject({ exitCode: 3, stdout: '', stderr: expect.stringContaining('nowhere is no folder (ERR_FILE)') });
});

test('"roots create" makes the folder of the draft, and "roots sign" warns of a key that is none of the bundle\'s own', async () => {
  await succeed('create', '--out', path('new/1.json'), '--hub', 'myhub.azure-devices.net', '--root', DIGICERT, '--key', path('alice.pub'));
  const warning = 'none of this bundle\'s own';
  expect((await sign('new/1.json', 'alice')).stderr).not.toContain(warning);
  expect((await sign('new/1.json', 'bob')).stderr).toContain(warning);
});

/** r and s as the DER that openssl reads. */
function toDer(raw: Buffer): Buffer {
  const integer = (bytes: Buffer): Buffer => {
    let at = 0;
    while (at < bytes.length - 1 && bytes[at] === 0) at += 1;
    const short = bytes.subarray(at);
    const body = (short[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), short]) : short;
    return Buffer.concat([Buffer.from([2, body.length]), body]);
  };
  const body = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))]);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}
