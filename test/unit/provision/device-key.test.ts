import { expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { decodeDeviceKey, deriveHubKey, deriveRegistrationKey, generateDeviceSecret, toEfuseKey, wipeKey } from '../../../host-sim/provisioning/device-key.ts';

const opensslHmac = (key: Buffer, message: string | Buffer): Buffer =>
  spawnSync('openssl', ['dgst', '-sha256', '-mac', 'HMAC', '-macopt', `hexkey:${key.toString('hex')}`, '-binary'], { input: message }).stdout;

test("a registration's key is derived from its group's as Microsoft's documentation shows it", () => {
  // https://learn.microsoft.com/azure/iot-dps/how-to-legacy-device-symm-key
  const group = Buffer.from('8isrFI1sGsIlvvFSSFRiMfCNzv21fjbE/+ah/lSh3lF8e2YG1Te7w1KpZhJFFXJrqYKi9yegxkqIChbqOS9Egw==', 'base64');
  expect(deriveRegistrationKey(group, 'sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6').toString('base64')).toBe('Jsm0lyGpjaVYVP2g3FnmnmG9dI/9qU24wNoykUmermc=');
});

test('hub key n is the HMAC that OpenSSL computes of hub, device and n', () => {
  const secret = Buffer.alloc(32, 0x5a);
  for (const n of [1, 2]) {
    expect(deriveHubKey(secret, 'hub.example', 'dev1', n).equals(opensslHmac(secret, `latchkey-hub-key-v1\nhub.example\ndev1\n${n}`))).toBe(true);
  }
});

test.each([16, 31, 32])('a key of %i bytes signs the same out of a block of 32', (length) => {
  const key = Buffer.alloc(length, 0xa5);
  const block = toEfuseKey({ bytes: key });
  expect(block).toHaveLength(32);
  expect(opensslHmac(block, 'message').equals(opensslHmac(key, 'message'))).toBe(true);
});

test.each([33, 64])('a key of %i bytes is refused for a block, with the remedy', (length) => {
  expect(() => toEfuseKey({ bytes: Buffer.alloc(length) })).toThrow(expect.objectContaining({
    code: 'ERR_KEY', message: `a key of ${length} bytes does not fit an eFuse block, which holds 32`, remedy: expect.stringContaining('--new-key'),
  }));
});

test('a text that is no key is refused, and is in no message', () => {
  for (const text of ['not base64!', 'c2hvcnQ=']) {
    expect(() => decodeDeviceKey(text, 'the test')).toThrow(expect.objectContaining({ code: 'ERR_KEY', message: expect.not.stringContaining(text) }));
  }
});

test('a new secret has 32 bytes, is another one each time, and is gone when it is wiped', () => {
  const [first, second] = [generateDeviceSecret(), generateDeviceSecret()];
  expect(first.bytes).toHaveLength(32);
  expect(first.bytes.equals(second.bytes)).toBe(false);
  wipeKey(first);
  expect(first.bytes.equals(Buffer.alloc(32))).toBe(true);
});
