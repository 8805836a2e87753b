import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { formatKeyFile, writeKeyFile } from '../../host-sim/board/key-file.ts';
import type { KeyEntry } from '../../host-sim/board/key-file.ts';
import { projectPath } from '../../host-sim/board/project-path.ts';
import { SignerHarness } from './signer-harness.ts';
import type { SignerAnswer } from './signer-harness.ts';

const RESOURCE = 'hub.test/devices/dev1';
const EXPIRY = Math.floor(Date.now() / 1000) + 3600;
const entry = (change: Partial<Extract<KeyEntry, { keyBase64: string }>> = {}): KeyEntry => ({ slot: 0, keyBase64: randomBytes(32).toString('base64'), prefixes: [RESOURCE], ...change });

let folder: string;
let path: string;

beforeEach(() => {
  mkdirSync(projectPath('.build'), { recursive: true });
  folder = mkdtempSync(projectPath('.build/key-file-'));
  path = join(folder, 'keys.bin');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function sign(): Promise<SignerAnswer> {
  const signer = await SignerHarness.start(path);
  try {
    return await signer.sign(0, RESOURCE, EXPIRY);
  } finally {
    await signer.close();
  }
}

describe('the writer', () => {
  test('makes a file of mode 0600 and leaves nothing else behind', () => {
    writeKeyFile(path, [entry()]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['keys.bin']);
  });

  test('replaces a file that others could read by one that they cannot', async () => {
    writeFileSync(path, 'old', { mode: 0o644 });
    writeKeyFile(path, [entry()]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await sign()).toMatchObject({ ok: true });
  });

  test('keeps the old file when the new one cannot be made', () => {
    writeKeyFile(path, [entry()]);
    const before = readFileSync(path);
    expect(() => writeKeyFile(path, [entry({ keyBase64: 'AAAA' })])).toThrow(expect.objectContaining({ code: 'ERR_KEY_FILE' }));
    expect(() => writeKeyFile(join(folder, 'nowhere/keys.bin'), [entry()])).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test.each([
    ['a key of 15 bytes', { keyBase64: Buffer.alloc(15).toString('base64') }, 'slot 0: a key has 16 to 64 bytes, not 15'],
    ['a key of 65 bytes', { keyBase64: Buffer.alloc(65).toString('base64') }, 'slot 0: a key has 16 to 64 bytes, not 65'],
    ['a key that is not base64', { keyBase64: 'not base64!' }, 'slot 0: the key is not base64'],
    ['base64 without its padding', { keyBase64: Buffer.alloc(32, 1).toString('base64url') }, 'slot 0: the key is not base64'],
    ['slot 8', { slot: 8 }, 'slot 8: slots are 0 to 7'],
    ['slot 0.5', { slot: 0.5 }, 'slot 0.5: slots are 0 to 7'],
    ['no prefix', { prefixes: [] }, 'slot 0: at least one resource prefix'],
    ['an empty segment', { prefixes: ['hub.test//x'] }, 'slot 0: "hub.test//x" is no resource (printable ASCII, no empty segment)'],
    ['a prefix with a NUL', { prefixes: ['hub.test\0'] }, 'slot 0: "hub.test\0" is no resource (printable ASCII, no empty segment)'],
    ['prefixes without end', { prefixes: ['a'.repeat(1024)] }, 'slot 0: the prefixes take 1024 bytes at most'],
  ])('refuses %s', (_, change, message) => {
    expect(() => formatKeyFile([entry(change)])).toThrow(expect.objectContaining({ name: 'KeyFileError', code: 'ERR_KEY_FILE', message }));
  });

  test('refuses a slot that is given twice', () => {
    expect(() => formatKeyFile([entry(), entry()])).toThrow('slot 0 is given twice');
  });
});

describe('the board', () => {
  test('finds no key where no file is', async () => {
    expect(existsSync(path)).toBe(false);
    expect(await sign()).toEqual({ ok: false, code: 'ERR_SIGNER_SLOT' });
  });

  test.each([0o640, 0o604, 0o660, 0o644, 0o777])('reads nothing from a file of mode %o', async (mode) => {
    writeKeyFile(path, [entry()]);
    expect(await sign()).toMatchObject({ ok: true });
    chmodSync(path, mode);
    expect(await sign()).toEqual({ ok: false, code: 'ERR_SIGNER_STORE' });
  });

  test('follows no symbolic link and reads no folder', async () => {
    writeKeyFile(join(folder, 'real.bin'), [entry()]);
    symlinkSync('real.bin', path);
    expect(await sign()).toEqual({ ok: false, code: 'ERR_SIGNER_STORE' });
    rmSync(path);
    mkdirSync(path);
    expect(await sign()).toEqual({ ok: false, code: 'ERR_SIGNER_STORE' });
  });

  test('refuses a file that is cut short anywhere, and never reads past its end', async () => {
    const whole = formatKeyFile([entry({ prefixes: [RESOURCE, 'b/c'] })]);
    writeFileSync(path, whole, { mode: 0o600 });
    const signer = await SignerHarness.start(path);
    try {
      expect(await signer.sign(0, RESOURCE, EXPIRY)).toMatchObject({ ok: true });
      for (let length = 0; length < whole.length; length++) {
        writeFileSync(path, whole.subarray(0, length));
        expect(await signer.sign(0, RESOURCE, EXPIRY)).toEqual({ ok: false, code: 'ERR_SIGNER_STORE' });
      }
    } finally {
      await signer.close();
    }
  });

  test('refuses a file that has a slot twice, or bytes behind its end', async () => {
    const one = formatKeyFile([entry()]);
    const body = one.subarray(9);
    for (const bytes of [Buffer.concat([one.subarray(0, 8), Buffer.from([2]), body, body]), Buffer.concat([one, Buffer.alloc(1)])]) {
      writeFileSync(path, bytes, { mode: 0o600 });
      expect(await sign()).toEqual({ ok: false, code: 'ERR_SIGNER_STORE' });
    }
  });

  test('stands any changed byte: it signs as before, refuses, or signs with the changed key', async () => {
    const whole = formatKeyFile([entry({ slot: 3 }), entry()]);
    writeFileSync(path, whole, { mode: 0o600 });
    const signer = await SignerHarness.start(path);
    try {
      for (let at = 0; at < whole.length; at++) {
        const changed = Buffer.from(whole);
        changed[at]! ^= 0xff;
        writeFileSync(path, changed);
        const answer = await signer.sign(0, RESOURCE, EXPIRY);
        if (answer.ok !== true) expect(answer.code).toMatch(/^ERR_SIGNER_(STORE|SLOT|RESOURCE)$/);
      }
    } finally {
      await signer.close();
    }
  });

  test('overwrites an erased key in the file', async () => {
    const key = randomBytes(32);
    writeKeyFile(path, [entry({ keyBase64: key.toString('base64') }), entry({ slot: 1 })]);
    expect(readFileSync(path).includes(key)).toBe(true);
    const signer = await SignerHarness.start(path);
    await signer.erase(0);
    await signer.close();
    expect(readFileSync(path).includes(key)).toBe(false);
  });
});

describe('between two signatures the memory of the process', () => {
  const xor = (bytes: Buffer, pad: number): Buffer => Buffer.from(bytes.map((byte) => byte ^ pad));
  /** HMAC's own paddings, RFC 2104. */
  const forms: readonly (readonly [string, (key: Buffer) => Buffer])[] = [
    ['raw', (key) => key], ['xor 0x36', (key) => xor(key, 0x36)], ['xor 0x5c', (key) => xor(key, 0x5c)],
    ['in hex', (key) => Buffer.from(key.toString('hex'))], ['in base64', (key) => Buffer.from(key.toString('base64'))],
  ];

  test.each([[16], [32], [64]])('holds no key of %d bytes, nor one derived from it, in any form', async (length) => {
    const key = randomBytes(length);
    writeKeyFile(path, [entry({ keyBase64: key.toString('base64') })]);
    const signer = await SignerHarness.start(path, 'plain');
    try {
      await signer.derive(0, 'label', 8);
      for (const slot of [0, 8, 0]) expect(await signer.sign(slot, RESOURCE, EXPIRY)).toMatchObject({ ok: true });
      for (const [name, form] of forms) expect([name, await signer.scan(form(key))]).toEqual([name, 0]);
      // The search finds what is there.
      await signer.plant(key);
      expect(await signer.scan(key)).toBe(1);
    } finally {
      await signer.close();
    }
  });
});
