import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createDevelopmentPki, saveDevelopmentPki, type DevelopmentPki } from '../../certs/development-pki.ts';

const CERTS = new URL('../../certs/', import.meta.url).pathname;

const ROOTS = [
  {
    file: 'digicert-global-root-g2.der',
    debian: 'DigiCert_Global_Root_G2.crt',
    subject: 'CN=DigiCert Global Root G2',
    sha1: 'DF3C24F9BFD666761B268073FE06D1CC8D4F82A4',
    sha256: 'CB3CCBB76031E5E0138F8DD39A23F9DE47FFC35E43C1144CEA27D46A5AB1CB5F',
    notBefore: '2013-08-01T12:00:00.000Z',
    notAfter: '2038-01-15T12:00:00.000Z',
  },
  {
    file: 'microsoft-rsa-root-2017.der',
    debian: 'Microsoft_RSA_Root_Certificate_Authority_2017.crt',
    subject: 'CN=Microsoft RSA Root Certificate Authority 2017',
    sha1: '73A5E64A3BFF8316FF0EDCCC618A906E4EAE4D74',
    sha256: 'C741F70F4B2A8D88BF2E71C14122EF53EF10EBA0CFA5E64CFA20F418853073E0',
    notBefore: '2019-12-18T22:51:22.000Z',
    notAfter: '2042-07-18T23:00:23.000Z',
  },
] as const;

test.each(ROOTS)('$file is the published root, by both fingerprints, with its dates', (root) => {
  const der = readFileSync(join(CERTS, root.file));
  const certificate = new X509Certificate(der);
  expect(createHash('sha1').update(der).digest('hex').toUpperCase()).toBe(root.sha1);
  expect(createHash('sha256').update(der).digest('hex').toUpperCase()).toBe(root.sha256);
  expect(certificate.subject).toContain(root.subject);
  expect(certificate.issuer).toBe(certificate.subject);
  expect(certificate.ca).toBe(true);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(new Date(certificate.validFrom).toISOString()).toBe(root.notBefore);
  expect(new Date(certificate.validTo).toISOString()).toBe(root.notAfter);

  const systemFile = join('/usr/share/ca-certificates/mozilla', root.debian);
  if (existsSync(systemFile)) expect(new X509Certificate(readFileSync(systemFile)).raw).toEqual(der);
});

test('the README states the fingerprints that the test checks', () => {
  const readme = readFileSync(join(CERTS, 'README.md'), 'utf8');
  for (const { file, sha1, sha256, notAfter } of ROOTS) {
    const row = readme.split('\n').find((line) => line.includes(file));
    for (const figure of [sha1, sha256, notAfter.slice(0, 10)]) expect(row).toContain(figure);
  }
});

let folder: string;
let pki: DevelopmentPki;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-pki-'));
  pki = await createDevelopmentPki({
    names: ['localhost', 'myhub.azure-devices.net', '127.0.0.1', '::1'],
    notBefore: new Date('2030-01-01T00:00:00Z'),
    notAfter: new Date('2060-01-01T00:00:00Z'),
  });
  saveDevelopmentPki(pki, folder);
});

afterAll(() => rmSync(folder, { recursive: true }));

const DURING = Date.parse('2040-01-01T00:00:00Z') / 1000;

function opensslVerify(...args: string[]): string {
  const { stdout, stderr } = spawnSync(
    'openssl',
    ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', 'root.pem', '-untrusted', 'intermediate.pem', ...args, 'server.pem'],
    { cwd: folder, encoding: 'utf8' },
  );
  return stdout + stderr;
}

test.each([
  ['its DNS names', '-verify_hostname', 'localhost'],
  ['a name in another case', '-verify_hostname', 'MYHUB.azure-devices.net'],
  ['its IPv4 address', '-verify_ip', '127.0.0.1'],
  ['its IPv6 address', '-verify_ip', '::1'],
])('OpenSSL accepts the development chain strictly for %s', (_, flag, value) => {
  expect(opensslVerify('-attime', String(DURING), flag, value)).toBe('server.pem: OK\n');
});

test.each([
  ['another name', ['-attime', String(DURING), '-verify_hostname', 'yourhub.azure-devices.net'], 'hostname mismatch'],
  ['the name of its subject', ['-attime', String(DURING), '-verify_hostname', 'Latchkey development hub'], 'hostname mismatch'],
  ['the second before its dates', ['-attime', String(Date.parse('2029-12-31T23:59:59Z') / 1000)], 'not yet valid'],
  ['the second after its dates', ['-attime', String(Date.parse('2060-01-01T00:00:01Z') / 1000)], 'has expired'],
])('OpenSSL refuses the development chain for %s', (_, args, reason) => {
  expect(opensslVerify(...args)).toContain(reason);
});

test('OpenSSL refuses the chain without its intermediate, and a leaf that signs', () => {
  const args = ['verify', '-attime', String(DURING), '-CAfile', 'root.pem'];
  expect(spawnSync('openssl', [...args, 'server.pem'], { cwd: folder, encoding: 'utf8' }).stderr).toContain('unable to get local issuer');

  execFileSync('openssl', ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'x.key', '-subj', '/CN=x', '-out', 'x.csr'], { cwd: folder, stdio: 'pipe' });
  execFileSync('openssl', ['x509', '-req', '-in', 'x.csr', '-CA', 'server.pem', '-CAkey', 'server.key.pem', '-CAcreateserial', '-days', '9000', '-out', 'x.pem'], { cwd: folder, stdio: 'pipe' });
  writeFileSync(join(folder, 'chain.pem'), pki.serverChainPem);
  const { stderr } = spawnSync('openssl', ['verify', '-attime', String(DURING), '-partial_chain', '-CAfile', 'root.pem', '-untrusted', 'chain.pem', 'x.pem'], { cwd: folder, encoding: 'utf8' });
  expect(stderr).toMatch(/invalid CA certificate/);
});

test('private keys are for their owner alone and fit their certificates; a second save replaces them', () => {
  saveDevelopmentPki(pki, folder);
  for (const name of ['root', 'intermediate', 'server'] as const) {
    const path = join(folder, `${name}.key.pem`);
    expect((statSync(path).mode & 0o777).toString(8)).toBe('600');
    const fromKey = execFileSync('openssl', ['pkey', '-in', path, '-pubout'], { encoding: 'utf8' });
    const fromCertificate = execFileSync('openssl', ['x509', '-in', join(folder, `${name}.pem`), '-noout', '-pubkey'], { encoding: 'utf8' });
    expect(fromKey).toBe(fromCertificate);
    expect(readFileSync(join(folder, `${name}.der`))).toEqual(Buffer.from(pki[name].certificateDer));
  }
});

test('no private key is tracked by git', () => {
  const grep = spawnSync('git', ['grep', '-lE', '^-----BEGIN ([A-Z]+ )?PRIVATE KEY-----$', '--', ':/'], { cwd: CERTS, encoding: 'utf8' });
  // git grep ends with 1 when it found nothing, with more when it could not look.
  expect({ status: grep.status, files: grep.stdout }).toEqual({ status: 1, files: '' });
});
