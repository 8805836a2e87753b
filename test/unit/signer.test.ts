import { execFileSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { writeKeyFile } from '../../host-sim/board/key-file.ts';
import { projectPath } from '../../host-sim/board/project-path.ts';
import { SignerHarness } from './signer-harness.ts';

const HUB = 'myhub.azure-devices.net';
const RESOURCE = `${HUB}/devices/dev1`;
const YEAR_SECONDS = 366 * 86_400;
const DERIVED = 8;
const OTHER_DERIVED = 9;
const THIRD_DERIVED = 10;

const deviceKey = randomBytes(32);
const groupKey = randomBytes(64);
const moduleKey = randomBytes(16);
let folder: string;
let signer: SignerHarness;

beforeAll(() => {
  mkdirSync(projectPath('.build'), { recursive: true });
  folder = mkdtempSync(projectPath('.build/signer-'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeEach(async () => {
  const path = join(folder, 'keys.bin');
  writeKeyFile(path, [
    { slot: 0, keyBase64: deviceKey.toString('base64'), prefixes: [RESOURCE] },
    { slot: 1, keyBase64: groupKey.toString('base64'), prefixes: ['0ne000A247E/registrations/dev1', `${HUB}/devices/dev1`] },
    { slot: 2, keyBase64: moduleKey.toString('base64'), prefixes: [`${HUB}/devices/dev1/modules/m`] },
    { slot: 3, keyBase64: deviceKey.toString('base64'), prefixes: [HUB] },
    { slot: 5, privateKeyBase64: Buffer.from('a private key').toString('base64') },
  ]);
  signer = await SignerHarness.start(path);
});

afterEach(() => signer.close());

const now = (): number => Math.floor(Date.now() / 1000);
const expected = (key: Buffer, resource: string, expiry: number): string => createHmac('sha256', key).update(`${resource}\n${expiry}`).digest('base64');

describe('a signature', () => {
  test.each([
    ['device key, plain', 0, deviceKey, RESOURCE],
    ['device key, encoded', 0, deviceKey, encodeURIComponent(RESOURCE)],
    ['device key, encoded in small letters', 0, deviceKey, encodeURIComponent(RESOURCE).toLowerCase()],
    ['something below the device', 0, deviceKey, `${RESOURCE}/modules/m1`],
    ['the host in capitals', 0, deviceKey, `MYHUB.Azure-Devices.NET/devices/dev1`],
    ['64-byte key, its first prefix', 1, groupKey, '0ne000A247E/registrations/dev1'],
    ['64-byte key, its second prefix', 1, groupKey, RESOURCE],
    ['16-byte key', 2, moduleKey, `${RESOURCE}/modules/m`],
    ['a policy for the whole hub', 3, deviceKey, `${HUB}/devices/any%20one`.replace('%20', '-')],
    ['the hub itself', 3, deviceKey, HUB],
  ])('is the HMAC-SHA256 of resource and expiry that Node computes: %s', async (_, slot, key, resource) => {
    const expiry = now() + 3600;
    expect(await signer.sign(slot, resource, expiry)).toMatchObject({ ok: true, signature: expected(key, resource, expiry) });
  });

  test('is the one that openssl dgst computes', async () => {
    const expiry = now() + 60;
    const digest = execFileSync('openssl', ['dgst', '-sha256', '-mac', 'HMAC', '-macopt', `hexkey:${deviceKey.toString('hex')}`, '-binary'], { input: `${RESOURCE}\n${expiry}` });
    expect((await signer.sign(0, RESOURCE, expiry)).signature).toBe(digest.toString('base64'));
  });

  test('covers every character that a device id may have', async () => {
    const id = "aZ09-:.+%_#*?!(),=@$'";
    const resource = `${HUB}/devices/${encodeURIComponent(id)}`;
    expect(await signer.sign(3, resource, now() + 60)).toMatchObject({ ok: true, signature: expected(deviceKey, resource, now() + 60) });
  });
});

describe('a resource outside the prefixes of the slot is refused', () => {
  test.each([
    `${HUB}/devices/dev10`, `${HUB}/devices/dev`, `${HUB}/devices`, HUB, `${HUB}/devices/DEV1`, `${HUB}/Devices/dev1`,
    'other.azure-devices.net/devices/dev1', `x${RESOURCE}`, `${HUB}.evil.net/devices/dev1`, `${HUB}/devices/dev1%00`, `${HUB}/devices/dev2/../dev1`,
    encodeURIComponent(encodeURIComponent(RESOURCE)), `${HUB}/devices/dev1%2`, `${HUB}/devices/dev1%2G`, `${HUB}/devices/dev1%`, `${HUB}//devices/dev1`,
    `/${RESOURCE}`, `${RESOURCE}/`, `${RESOURCE}//x`, '', ' ', `${RESOURCE} `, `${RESOURCE}\n1`, `${RESOURCE}%0A1`, `${RESOURCE}/\x7f`, `${RESOURCE}/\xe9`, `${RESOURCE}/%C3%A9`,
    `${RESOURCE}/${'a'.repeat(1536)}`,
  ])('%j', async (resource) => {
    expect(await signer.sign(0, resource, now() + 60)).toEqual({ ok: false, code: 'ERR_SIGNER_RESOURCE' });
  });

  test('the longest names that Azure allows fit, each character encoded', async () => {
    const id = '%2A'.repeat(128);
    expect(await signer.sign(3, `${HUB}%2Fdevices%2F${id}%2Fmodules%2F${id}`, now() + 60)).toMatchObject({ ok: true });
  });
});

describe('an expiry', () => {
  test('366 days from now is signed, a second more is not', async () => {
    expect(await signer.sign(0, RESOURCE, now() + YEAR_SECONDS - 2)).toMatchObject({ ok: true });
    expect(await signer.sign(0, RESOURCE, now() + YEAR_SECONDS + 60)).toEqual({ ok: false, code: 'ERR_SIGNER_EXPIRY' });
  });

  test('follows the clock: a device in 1970 signs nothing for today', async () => {
    await signer.moveWall(-now());
    expect(await signer.sign(0, RESOURCE, now() + 60)).toEqual({ ok: false, code: 'ERR_SIGNER_EXPIRY' });
    expect(await signer.sign(0, RESOURCE, 3600)).toMatchObject({ ok: true });
  });

  test.each([0, -1, Number.MAX_SAFE_INTEGER])('of %d is refused', async (expiry) => {
    expect(await signer.sign(0, RESOURCE, expiry)).toEqual({ ok: false, code: 'ERR_SIGNER_EXPIRY' });
  });
});

describe('a slot', () => {
  test.each([4, 6, 7, 8, 15, 16, 1000, 4294967295])('%d is empty', async (slot) => {
    expect(await signer.sign(slot, RESOURCE, now() + 60)).toEqual({ ok: false, code: 'ERR_SIGNER_SLOT' });
    expect(await signer.backend(slot)).toBeNull();
  });

  test('with a private key signs no token, and one with a token key gives no private key', async () => {
    expect(await signer.sign(5, RESOURCE, now() + 60)).toEqual({ ok: false, code: 'ERR_SIGNER_SLOT' });
    expect(await signer.privateKey(5)).toEqual({ ok: true, hex: Buffer.from('a private key').toString('hex') });
    expect(await signer.privateKey(0)).toEqual({ ok: false, code: 'ERR_SIGNER_SLOT' });
  });

  test('that was erased is empty, in the file too', async () => {
    expect(await signer.backend(0)).toBe('file');
    expect(await signer.erase(0)).toMatchObject({ ok: true });
    expect(await signer.backend(0)).toBeNull();
    expect(await signer.sign(0, RESOURCE, now() + 60)).toEqual({ ok: false, code: 'ERR_SIGNER_SLOT' });
    expect(await signer.sign(1, RESOURCE, now() + 60)).toMatchObject({ ok: true });
    expect(await signer.erase(0)).toMatchObject({ ok: true });
  });
});

describe('a derived key', () => {
  const label = `latchkey-hub-key-v1\n${HUB}\ndev1\n1`;
  const derive = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

  test('is the HMAC of the label, signs for the prefixes of its source, and says how it is kept', async () => {
    expect(await signer.derive(0, label, DERIVED)).toMatchObject({ ok: true });
    const expiry = now() + 60;
    expect(await signer.sign(DERIVED, RESOURCE, expiry)).toMatchObject({ ok: true, signature: expected(derive(deviceKey, label), RESOURCE, expiry) });
    expect(await signer.sign(DERIVED, `${HUB}/devices/dev2`, expiry)).toEqual({ ok: false, code: 'ERR_SIGNER_RESOURCE' });
    expect(await signer.backend(DERIVED)).toBe('derived');
  });

  test('of a DPS group is the HMAC of the registration id', async () => {
    await signer.derive(1, 'dev1', DERIVED);
    const expiry = now() + 60;
    expect((await signer.sign(DERIVED, '0ne000A247E/registrations/dev1', expiry)).signature)
      .toBe(expected(derive(groupKey, 'dev1'), '0ne000A247E/registrations/dev1', expiry));
  });

  test('may be derived from again, once', async () => {
    await signer.derive(0, 'a', DERIVED);
    expect(await signer.derive(DERIVED, 'b', OTHER_DERIVED)).toMatchObject({ ok: true });
    const expiry = now() + 60;
    expect((await signer.sign(OTHER_DERIVED, RESOURCE, expiry)).signature).toBe(expected(derive(derive(deviceKey, 'a'), 'b'), RESOURCE, expiry));
    expect(await signer.derive(OTHER_DERIVED, 'c', THIRD_DERIVED)).toEqual({ ok: false, code: 'ERR_SIGNER_SLOT' });
  });

  test('ends with its source, whether that is erased or derived anew', async () => {
    await signer.derive(0, 'a', DERIVED);
    await signer.derive(DERIVED, 'b', OTHER_DERIVED);
    await signer.derive(0, 'other', DERIVED);
    expect(await signer.backend(OTHER_DERIVED)).toBeNull();
    await signer.erase(0);
    expect(await signer.backend(DERIVED)).toBeNull();
  });

  test.each([[0, 1], [0, 0], [0, 16], [4, DERIVED], [5, DERIVED], [DERIVED, DERIVED]])('from slot %d into slot %d is refused', async (from, into) => {
    expect(await signer.derive(from, 'a', into)).toEqual({ ok: false, code: 'ERR_SIGNER_SLOT' });
  });

  test('is not derived from itself, not even when it is there', async () => {
    await signer.derive(0, 'a', DERIVED);
    expect(await signer.derive(DERIVED, 'b', DERIVED)).toEqual({ ok: false, code: 'ERR_SIGNER_SLOT' });
  });

  test.each([['', false], ['a'.repeat(512), true], ['a'.repeat(513), false], ['a\0b', true], ['\x01', false], ['\xe9', false], ['\t', false]])('with the label %j: %s', async (text, accepted) => {
    // A NUL ends the text in C: what comes behind is not part of the label.
    expect(await signer.derive(0, text, DERIVED)).toMatchObject(accepted ? { ok: true } : { ok: false, code: 'ERR_SIGNER_LABEL' });
  });
});

test('a signature costs compute units that grow with its length', async () => {
  const short = await signer.sign(3, HUB, now() + 60);
  const long = await signer.sign(3, `${HUB}/${'a'.repeat(1000)}`, now() + 60);
  expect(short.units).toBeGreaterThan(5 * 85);
  expect(long.units! - short.units!).toBe(Math.ceil(1000 / 64) * 85);
});
