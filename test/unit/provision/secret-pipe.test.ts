import { expect, test } from '@jest/globals';
import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { withSecretPipes } from '../../../host-sim/chip-tools/secret-pipe.ts';

const SECRETS = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];

test('each reader gets its secret whole, through a pipe of mode 0600 in a folder of mode 0700 that is gone afterwards', async () => {
  let folder = '';
  const read = await withSecretPipes(SECRETS, async (paths) => {
    folder = dirname(paths[0] ?? '');
    expect(paths.map((path) => [statSync(path).isFIFO(), statSync(path).mode & 0o777])).toEqual([[true, 0o600], [true, 0o600]]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    return Promise.all(paths.map((path) => readFile(path)));
  });
  expect(read).toEqual(SECRETS);
  expect(existsSync(folder)).toBe(false);
});

test('a program that reads no pipe, or one of two, leaves nothing waiting', async () => {
  await expect(withSecretPipes(SECRETS, async () => 'nothing read')).resolves.toBe('nothing read');
  await expect(withSecretPipes(SECRETS, async (paths) => readFile(paths[1] ?? ''))).resolves.toEqual(SECRETS[1]);
});

test('a failure of the program comes through, and the folder goes', async () => {
  let folder = '';
  await expect(withSecretPipes(SECRETS, async ([path = '']) => {
    folder = dirname(path);
    throw new Error('it failed');
  })).rejects.toThrow('it failed');
  expect(existsSync(folder)).toBe(false);
});

test('a second reader finds no secret', async () => {
  await withSecretPipes(SECRETS, async ([path = '']) => {
    expect(await readFile(path)).toEqual(SECRETS[0]);
    expect(statSync(path).size).toBe(0);
  });
});
