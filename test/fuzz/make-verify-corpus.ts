/**
 * Makes the corpus of verify.c anew:
 *
 *   npx esbuild --bundle --platform=node --format=esm --packages=external test/fuzz/make-verify-corpus.ts --outfile=.build/make-verify-corpus.mjs && node .build/make-verify-corpus.mjs
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { projectPath } from '../../host-sim/board/project-path.ts';
import { makeBundle, makeUpdateKey, pointsOf, rawHeader, signBundle, trusted, type UpdateKey } from '../fakes/root-bundles.ts';

const CORPUS = projectPath('test/fuzz/corpus/verify');
const CERTIFICATE = 0x80;
const BASE64URL = 0x40;

const keys = await Promise.all(Array.from({ length: 3 }, makeUpdateKey));
const digicert = readFileSync(projectPath('certs/digicert-global-root-g2.der'));
const input = (kind: number, ...parts: readonly Uint8Array[]): Buffer => Buffer.concat([Buffer.from([kind]), ...parts]);
/** With keys in front, of which `threshold` must have signed. */
const signed = (bundle: Uint8Array | string, of: readonly UpdateKey[] = keys, threshold = 2): Buffer => input((threshold << 4) | of.length, pointsOf(of), Buffer.from(bundle));

const envelope = await signBundle('{"version":2}', keys);
const [first, second] = envelope.signatures;
const withHeader = (text: string): string => JSON.stringify({ payload: envelope.payload, signatures: [{ protected: rawHeader(text), signature: first?.signature }] });
const header = (kid: string, more = ''): string => `{"alg":"ES256","kid":"${kid}","typ":"latchkey-roots+jws"${more}}`;

rmSync(CORPUS, { recursive: true, force: true });
mkdirSync(CORPUS, { recursive: true });
for (const [name, bytes] of Object.entries({
  good: signed(JSON.stringify(envelope)),
  'with-space': signed(JSON.stringify(envelope, undefined, 2)),
  whole: signed(await makeBundle({ version: 2, roots: [trusted(digicert)], keys, threshold: 2 }, keys.slice(0, 2))),
  'one-short': signed(JSON.stringify({ ...envelope, signatures: [first] })),
  'one-twice': signed(JSON.stringify({ ...envelope, signatures: [first, first] })),
  'no-signature': signed(JSON.stringify({ ...envelope, signatures: [] })),
  'key-twice': signed(JSON.stringify(envelope), [keys[0]!, keys[0]!]),
  'no-keys': signed(JSON.stringify(envelope), [], 1),
  'no-threshold': signed(JSON.stringify(envelope), keys, 0),
  'no-point': input(0x11, Buffer.alloc(64, 1), Buffer.from(JSON.stringify(envelope))),
  'other-order': signed(JSON.stringify({ signatures: [second, first], payload: envelope.payload })),
  'payload-twice': signed(`{"payload":"","payload":"","signatures":[]}`),
  'member-more': signed(JSON.stringify({ ...envelope, header: '' })),
  'header-more': signed(withHeader(header(keys[0]!.kid, ',"crit":"b64"'))),
  'header-none': signed(withHeader('{"alg":"none"}')),
  'header-twice': signed(withHeader(header(keys[0]!.kid, ',"alg":"ES256"'))),
  'kid-short': signed(withHeader(header('AAAA'))),
  'kid-unknown': signed(withHeader(header('A'.repeat(43)))),
  deep: signed('['.repeat(500)),
  base64url: input(BASE64URL, Buffer.from('aGVsbG8')),
  'base64url-bits': input(BASE64URL, Buffer.from('aGVsbG9')),
  'base64url-one': input(BASE64URL, Buffer.from('aGVsb')),
  certificate: input(CERTIFICATE, digicert),
  'certificate-and-more': input(CERTIFICATE, digicert, Buffer.alloc(1)),
  'certificate-cut': input(CERTIFICATE, digicert.subarray(0, 200)),
})) writeFileSync(join(CORPUS, name), bytes);
