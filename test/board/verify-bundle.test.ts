import { beforeAll, describe, expect, test } from '@jest/globals';

import { createDevelopmentPki, type DevelopmentPki } from '../../certs/development-pki.ts';
import { useBoard } from '../fakes/board-fixture.ts';
import { makeUpdateKey, pointsOf, rawHeader, signBundle, type Envelope, type Signature, type UpdateKey } from '../fakes/root-bundles.ts';

const board = useBoard('32-bit');
const PAYLOAD = '{"version":2}';

let keys: UpdateKey[];
let good: Envelope;
let pki: DevelopmentPki;

beforeAll(async () => {
  keys = await Promise.all(Array.from({ length: 5 }, makeUpdateKey));
  good = await signBundle(PAYLOAD, key(0, 1));
  pki = await createDevelopmentPki({ names: ['localhost'], notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2036-01-01T00:00:00Z') });
});

const HELPERS = `
  const verify = hostModules["latchkey/verify"];
  const hex = (text) => Uint8Array.from({ length: text.length / 2 }, (_, i) => parseInt(text.slice(2 * i, 2 * i + 2), 16));
  const toHex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const ascii = (text) => { const out = new Uint8Array(text.length); for (let i = 0; i < out.length; i++) out[i] = text.charCodeAt(i); return out; };
  const outcome = (action) => { try { return action(); } catch (error) { return error.code ?? String(error); } };
`;

async function onBoard(expression: string): Promise<unknown> {
  const { lines, exit } = await board.run(`${HELPERS} print({ result: outcome(() => ${expression}) }); board.exit(0);`);
  expect(exit).toMatchObject({ code: 0 });
  return lines[0]?.result;
}

function key(...indexes: readonly number[]): UpdateKey[] {
  return indexes.map((index) => keys[index] as UpdateKey);
}

function hex(bytes: Uint8Array): string {
  return `hex("${Buffer.from(bytes).toString('hex')}")`;
}

/** The payload as text, or the code of the error. */
function open(bundle: string | Envelope, stored: readonly UpdateKey[], threshold: number): Promise<unknown> {
  const text = typeof bundle === 'string' ? bundle : JSON.stringify(bundle);
  return onBoard(`text(verify.openBundle(ascii(${JSON.stringify(text)}), ${hex(pointsOf(stored))}, ${threshold}))`);
}

function confirm(bundle: Envelope, own: readonly UpdateKey[], threshold: number, old: readonly UpdateKey[]): Promise<unknown> {
  return onBoard(`verify.confirmBundle(ascii(${JSON.stringify(JSON.stringify(bundle))}), ${hex(pointsOf(own))}, ${threshold}, ${hex(pointsOf(old))}) === undefined`);
}

function withSignature(change: (signature: Signature) => Partial<Signature>): Envelope {
  return { ...good, signatures: good.signatures.map((signature, index) => (index === 0 ? { ...signature, ...change(signature) } : signature)) };
}

describe('a bundle that jose has signed', () => {
  test('opens with a threshold of its keys, and gives the payload', async () => {
    expect(await open(good, key(0, 1), 2)).toBe(PAYLOAD);
    expect(await open(good, key(2, 1, 3, 0), 2)).toBe(PAYLOAD);
    expect(await open(good, key(0, 1), 1)).toBe(PAYLOAD);
  });

  test('opens with its members in another order and white space between them', async () => {
    expect(await open(JSON.stringify({ signatures: good.signatures, payload: good.payload }, undefined, 2), key(0, 1), 2)).toBe(PAYLOAD);
  });

  test('is refused one signature short', async () => {
    expect(await open(await signBundle(PAYLOAD, key(0)), key(0, 1), 2)).toBe('ERR_BUNDLE_SIGNATURES');
    expect(await open(good, key(0, 2), 2)).toBe('ERR_BUNDLE_SIGNATURES');
  });

  test('is refused with two signatures of one key', async () => {
    expect(await open(await signBundle(PAYLOAD, key(0, 0)), key(0, 1), 2)).toBe('ERR_BUNDLE_SIGNATURES');
  });

  test('is refused when a signature is over another payload', async () => {
    const other = await signBundle('{"version":3}', key(0, 1));
    expect(await open({ ...good, payload: other.payload }, key(0, 1), 2)).toBe('ERR_BUNDLE_SIGNATURES');
    expect(await open(withSignature(() => ({ signature: other.signatures[0]?.signature ?? '' })), key(0, 1), 2)).toBe('ERR_BUNDLE_SIGNATURES');
  });

  test('is refused when a kid names another key', async () => {
    const swapped = await signBundle(PAYLOAD, [{ ...(keys[0] as UpdateKey), kid: keys[1]?.kid ?? '' }, { ...(keys[1] as UpdateKey), kid: keys[0]?.kid ?? '' }]);
    expect(await open(swapped, key(0, 1), 2)).toBe('ERR_BUNDLE_SIGNATURES');
  });

  test('is confirmed by the keys of the new set, and refused with old ones only', async () => {
    const rotating = await signBundle(PAYLOAD, key(0, 1, 2, 3));
    expect(await confirm(rotating, key(2, 3), 2, key(0, 1))).toBe(true);
    expect(await confirm(good, key(2, 3), 2, key(0, 1))).toBe('ERR_BUNDLE_NEW_KEYS');
  });

  test('is refused when one more has signed who belongs to neither set, under whatever kid', async () => {
    expect(await confirm(await signBundle(PAYLOAD, key(0, 1, 4)), key(0, 1), 2, key(0, 1))).toBe('ERR_BUNDLE_KID');
    const alias = { ...(keys[0] as UpdateKey), kid: Buffer.alloc(32, 7).toString('base64url') };
    expect(await confirm(await signBundle(PAYLOAD, [...key(0, 1), alias]), key(0, 1), 2, key(0, 1))).toBe('ERR_BUNDLE_KID');
  });
});

describe('a protected header', () => {
  const kid = (): string => keys[0]?.kid ?? '';
  const header = (text: string): Envelope => withSignature(() => ({ protected: rawHeader(text) }));

  test.each([
    ['alg none', () => `{"alg":"none","kid":"${kid()}","typ":"latchkey-roots+jws"}`],
    ['alg HS256', () => `{"alg":"HS256","kid":"${kid()}","typ":"latchkey-roots+jws"}`],
    ['alg es256', () => `{"alg":"es256","kid":"${kid()}","typ":"latchkey-roots+jws"}`],
    ['another typ', () => `{"alg":"ES256","kid":"${kid()}","typ":"JWT"}`],
    ['no typ', () => `{"alg":"ES256","kid":"${kid()}"}`],
    ['no kid', () => `{"alg":"ES256","typ":"latchkey-roots+jws"}`],
    ['jwk', () => `{"alg":"ES256","kid":"${kid()}","typ":"latchkey-roots+jws","jwk":{}}`],
    ['x5c', () => `{"x5c":[],"alg":"ES256","kid":"${kid()}","typ":"latchkey-roots+jws"}`],
    ['crit', () => `{"alg":"ES256","crit":["b64"],"kid":"${kid()}","typ":"latchkey-roots+jws"}`],
    ['b64', () => `{"alg":"ES256","kid":"${kid()}","typ":"latchkey-roots+jws","b64":false}`],
    ['an escape', () => `{"\\u0061lg":"ES256","kid":"${kid()}","typ":"latchkey-roots+jws"}`],
    ['bytes behind it', () => `{"alg":"ES256","kid":"${kid()}","typ":"latchkey-roots+jws"}{}`],
    ['two hundred bytes', () => `{"alg":"ES256","kid":"${kid()}","typ":"latchkey-roots+jws"${' '.repeat(120)}}`],
    ['nothing', () => ''],
  ])('with %s is refused', async (_, text) => {
    expect(await open(header(text()), key(0, 1), 2)).toBe('ERR_BUNDLE_HEADER');
  });

  test.each([
    ['alg', () => `{"alg":"ES256","alg":"none","kid":"${kid()}","typ":"latchkey-roots+jws"}`],
    ['kid', () => `{"alg":"ES256","kid":"${kid()}","typ":"latchkey-roots+jws","kid":"${kid()}"}`],
  ])('with %s twice is refused', async (_, text) => {
    expect(await open(header(text()), key(0, 1), 2)).toBe('ERR_BUNDLE_DUPLICATE');
  });

  test('whose kid cannot be a thumbprint is refused', async () => {
    expect(await open(header('{"alg":"ES256","kid":"key-1","typ":"latchkey-roots+jws"}'), key(0, 1), 2)).toBe('ERR_BUNDLE_KID');
  });
});

describe('an envelope', () => {
  const signature = '{"protected":"AA","signature":"AA"}';

  test.each([
    ['no JSON', 'roots', 'ERR_BUNDLE_FORMAT'],
    ['nothing', '', 'ERR_BUNDLE_SIZE'],
    ['16 KiB and a byte', ' '.repeat(16_385), 'ERR_BUNDLE_SIZE'],
    ['a list', '[]', 'ERR_BUNDLE_FORMAT'],
    ['no signatures', '{"payload":"AA"}', 'ERR_BUNDLE_FORMAT'],
    ['an empty list of signatures', '{"payload":"AA","signatures":[]}', 'ERR_BUNDLE_FORMAT'],
    ['an unprotected header', `{"payload":"AA","signatures":[{"protected":"AA","header":"AA","signature":"AA"}]}`, 'ERR_BUNDLE_FORMAT'],
    ['a member more', `{"payload":"AA","signatures":[${signature}],"more":"AA"}`, 'ERR_BUNDLE_FORMAT'],
    ['the payload twice', `{"payload":"AA","signatures":[${signature}],"payload":"AA"}`, 'ERR_BUNDLE_DUPLICATE'],
    ['a payload twice in front', `{"payload":"AA","payload":"AA","signatures":[${signature}]}`, 'ERR_BUNDLE_DUPLICATE'],
    ['a signature twice in an entry', '{"payload":"AA","signatures":[{"protected":"AA","signature":"AA","signature":"AA"}]}', 'ERR_BUNDLE_DUPLICATE'],
    ['17 signatures', `{"payload":"AA","signatures":[${Array.from({ length: 17 }, () => signature).join()}]}`, 'ERR_BUNDLE_SIZE'],
    ['bytes behind it', `{"payload":"AA","signatures":[${signature}]} x`, 'ERR_BUNDLE_FORMAT'],
    ['an open string', '{"payload":"AA', 'ERR_BUNDLE_FORMAT'],
    ['a deep list', `{"payload":${'['.repeat(8000)}`, 'ERR_BUNDLE_FORMAT'],
    ['a signature list of a comma', `{"payload":"AA","signatures":[${signature},]}`, 'ERR_BUNDLE_FORMAT'],
  ])('of %s is refused', async (_, text, code) => {
    expect(await open(text, key(0, 1), 2)).toBe(code);
  });

  test('whose payload is no canonical base64url is refused although it is signed', async () => {
    const padded = `${good.payload}=`;
    expect(await open(JSON.stringify(good).replace(good.payload, padded), key(0, 1), 2)).toBe('ERR_BUNDLE_SIGNATURES');
  });
});

describe('a list of keys', () => {
  test('with a key twice, a threshold of 0 or above its keys is refused', async () => {
    expect(await open(good, key(0, 0), 2)).toBe('ERR_BUNDLE_KEYS');
    expect(await open(good, key(0, 1), 0)).toBe('ERR_BUNDLE_KEYS');
    expect(await open(good, key(0, 1), 3)).toBe('ERR_BUNDLE_KEYS');
  });

  test('of a point that is not on the curve signs nothing', async () => {
    const off = { ...(keys[0] as UpdateKey), point: Buffer.alloc(64, 1) };
    expect(await open(good, [off, keys[1] as UpdateKey], 2)).toBe('ERR_BUNDLE_SIGNATURES');
  });
});

describe('a certificate', () => {
  const read = (der: Uint8Array): Promise<unknown> =>
    onBoard(`(() => { const { sha256, notBeforeSeconds, notAfterSeconds } = verify.readCertificate(${hex(der)}); return [toHex(sha256), notBeforeSeconds, notAfterSeconds]; })()`);

  test('of a CA has its digest and its dates', async () => {
    const der = pki.root.certificateDer;
    const digest = Buffer.from(await crypto.subtle.digest('SHA-256', der.slice())).toString('hex');
    expect(await read(der)).toEqual([digest, Date.UTC(2026, 0) / 1000, Date.UTC(2036, 0) / 1000]);
  });

  test('of no CA, cut short, with bytes behind it or of noise is refused', async () => {
    expect(await read(pki.server.certificateDer)).toBe('ERR_BUNDLE_ROOTS');
    expect(await read(pki.root.certificateDer.slice(0, -1))).toBe('ERR_BUNDLE_ROOTS');
    expect(await read(Buffer.concat([pki.root.certificateDer, Buffer.alloc(1)]))).toBe('ERR_BUNDLE_ROOTS');
    expect(await read(Buffer.alloc(300, 0x30))).toBe('ERR_BUNDLE_ROOTS');
  });
});
