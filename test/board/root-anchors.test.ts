import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { nodeRootVerifier } from '../../host-sim/roots/node-verifier.ts';
import { recordEvidence } from '../evidence.ts';
import { useBoard } from '../fakes/board-fixture.ts';

/** Certificates that OpenSSL makes, or what is left of them after a few bytes were changed; whether a device may keep them as an anchor. */
const board = useBoard('asan');
let folder: string;
let anchors: (readonly [string, boolean, Uint8Array])[] = [];
let onBoard: string[] = [];

const CA = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'];
const KEYS: Readonly<Record<string, readonly string[]>> = {
  p256: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  p384: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  p521: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-521'],
  k256: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:secp256k1'],
  explicit: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-pkeyopt', 'ec_param_enc:explicit'],
  rsa1024: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024'],
  rsa2048: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
  pss: ['-algorithm', 'RSA-PSS', '-pkeyopt', 'rsa_keygen_bits:2048'],
  ed25519: ['-algorithm', 'ED25519'],
};

function path(name: string): string {
  return join(folder, name);
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}

function certificate(key: string, extensions: readonly string[], more: readonly string[] = []): Buffer {
  writeFileSync(path('x.cnf'), `[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=odd root\n[x]\n${extensions.join('\n')}\n`);
  openssl('req', '-new', '-x509', '-config', path('x.cnf'), ...(extensions.length > 0 ? ['-extensions', 'x'] : []), '-key', path(`${key}.pem`), '-days', '3650', '-outform', 'DER', '-out', path('x.der'), ...more);
  return readFileSync(path('x.der'));
}

/** The body has 256 to 65,535 bytes: a third byte of length says nothing. */
function longer(der: Buffer): Buffer {
  const body = Buffer.concat([der.subarray(4, 5), Buffer.from([0x83, 0]), der.subarray(6)]);
  const copy = Buffer.concat([der.subarray(0, 4), body]);
  copy.writeUInt16BE(body.length, 2);
  return copy;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-anchors-'));
  for (const [name, options] of Object.entries(KEYS)) openssl('genpkey', ...options, '-out', path(`${name}.pem`));
  const good = certificate('p256', CA);
  const add = (name: string, isTaken: boolean, der: Uint8Array): void => void anchors.push([name, isTaken, new Uint8Array(der)]);
  add('a CA of P-256', true, good);
  for (const [key, isTaken] of [['p384', true], ['p521', false], ['k256', false], ['explicit', false], ['rsa1024', false], ['rsa2048', true], ['pss', false], ['ed25519', false]] as const) add(`a key ${key}`, isTaken, certificate(key, CA));
  add('no key usage', true, certificate('p256', [CA[0]!]));
  add('basicConstraints that are not critical', true, certificate('p256', ['basicConstraints=CA:TRUE', CA[1]!]));
  add('a path of length 0', true, certificate('p256', ['basicConstraints=critical,CA:TRUE,pathlen:0', CA[1]!]));
  add('key usage without keyCertSign', false, certificate('p256', [CA[0]!, 'keyUsage=critical,digitalSignature']));
  add('no CA', false, certificate('p256', ['basicConstraints=critical,CA:FALSE']));
  add('no basicConstraints', false, certificate('p256', ['keyUsage=critical,keyCertSign']));
  add('an unknown extension', true, certificate('p256', [...CA, '1.2.3.4.5=DER:0500']));
  add('an unknown critical extension', false, certificate('p256', [...CA, '1.2.3.4.5=critical,DER:0500']));
  add('critical name constraints', false, certificate('p256', [...CA, 'nameConstraints=critical,permitted;DNS:.test']));
  add('name constraints', true, certificate('p256', [...CA, 'nameConstraints=permitted;DNS:.test']));
  add('a critical policy', false, certificate('p256', [...CA, 'certificatePolicies=critical,1.2.3.4']));
  add('a policy', true, certificate('p256', [...CA, 'certificatePolicies=1.2.3.4']));
  add('any policy, critical', true, certificate('p256', [...CA, 'certificatePolicies=critical,2.5.29.32.0']));
  add('a critical extended key usage', true, certificate('p256', [...CA, 'extendedKeyUsage=critical,serverAuth']));
  add('a critical subject alternative name', true, certificate('p256', [...CA, 'subjectAltName=critical,DNS:root.test']));
  add('a critical constraint of policies', false, certificate('p256', [...CA, 'policyConstraints=critical,requireExplicitPolicy:0']));
  add('a negative serial number', true, certificate('p256', CA, ['-set_serial', '-5']));
  add('a signature with SHA-1', true, certificate('p256', CA, ['-sha1']));
  add('a signature with MD5', true, certificate('rsa2048', CA, ['-md5']));
  add('its signature changed', true, Buffer.concat([good.subarray(0, -1), Buffer.from([good.at(-1)! ^ 1])]));
  add('a byte behind it', false, Buffer.concat([good, Buffer.alloc(1)]));
  add('a byte short', false, good.subarray(0, -1));
  add('its length in more bytes than needed', false, Buffer.concat([Buffer.from([0x30, 0x83, 0]), good.subarray(2)]));
  add('the length of its body in more bytes than needed', false, longer(good));
  add('an indefinite length', false, Buffer.concat([Buffer.from([0x30, 0x80]), good.subarray(4), Buffer.alloc(2)]));
  add('PEM', false, Buffer.from(`-----BEGIN CERTIFICATE-----\n${good.toString('base64')}\n-----END CERTIFICATE-----\n`));
  add('two certificates', false, Buffer.concat([good, good]));
  const dated = Buffer.from(good);
  const notAfter = (): number => dated.lastIndexOf(Buffer.from([0x17, 0x0d]));
  const date = (text: string): Buffer => { const copy = Buffer.from(dated); copy.write(text, notAfter() + 2, 'latin1'); return copy; };
  add('an end of month 13', false, date('361301000000Z'));
  add('an end on 30 February', false, date('360230000000Z'));
  add('an end with an offset', false, date('3612010000+01'));
  add('an end without a zone', false, date('3612010000000'));
  add('an end of letters', false, date('3612aa000000Z'));
  add('an end before it begins', true, date('200101000000Z'));
  add('a second 60', false, date('361201000060Z'));
  const script = `
    const verify = hostModules["latchkey/verify"];
    const hex = (text) => Uint8Array.from({ length: text.length / 2 }, (_, i) => parseInt(text.slice(2 * i, 2 * i + 2), 16));
    for (const text of ${JSON.stringify(anchors.map(([, , der]) => Buffer.from(der).toString('hex')))}) {
      try { const { notBeforeSeconds, notAfterSeconds } = verify.readCertificate(hex(text)); print({ result: [notBeforeSeconds, notAfterSeconds].join() }); } catch (error) { print({ result: error.code ?? String(error) }); }
    }
    board.exit(0);`;
  const { lines } = await board.run(script);
  onBoard = lines.flatMap(({ result }) => (typeof result === 'string' ? [result] : []));
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a device keeps an anchor or refuses it', () => {
  expect(anchors.map(([name], index) => [name, onBoard[index]?.startsWith('ERR') === false])).toEqual(anchors.map(([name, isTaken]) => [name, isTaken]));
});

test("the owner's tools, with OpenSSL, say the same of every one, and read the same dates", () => {
  const answer = (der: Uint8Array): string => {
    try {
      const { notBeforeSeconds, notAfterSeconds } = nodeRootVerifier.readCertificate(der);
      return [notBeforeSeconds, notAfterSeconds].join();
    } catch (error) {
      return error instanceof Error && 'code' in error ? String(error.code) : String(error);
    }
  };
  expect(anchors.map(([name, , der]) => [name, answer(der)])).toEqual(anchors.map(([name], index) => [name, onBoard[index]]));
  recordEvidence('root-anchors', anchors.length);
});
