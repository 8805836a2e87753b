import { describe, expect, test } from '@jest/globals';

import { LatchkeyError } from '../../../firmware/agent/errors.ts';
import { checkHost, checkId, clientIdOf } from '../../../firmware/agent/identity.ts';

/** As listed by IoT Hub, without `#` and `+`. */
const PUNCTUATION = "-:.%_*?!(),=@$'";

function messageOf(call: () => void): string {
  try {
    call();
  } catch (error) {
    if (!(error instanceof LatchkeyError)) throw error;
    expect(error.code).toBe('ERR_CONFIG');
    return error.message;
  }
  return 'accepted';
}

test('a client id is the device, or device and module', () => {
  expect(clientIdOf({ hub: 'h', deviceId: 'dev1' })).toBe('dev1');
  expect(clientIdOf({ hub: 'h', deviceId: 'dev1', moduleId: 'm 1' })).toBe('dev1/m 1');
});

describe('an id', () => {
  test('may have every character of IoT Hub', () => {
    for (const character of `${PUNCTUATION}ABCXYZabcxyz0189`) expect(messageOf(() => checkId(character, 'deviceId'))).toBe('accepted');
    expect(messageOf(() => checkId('a'.repeat(128), 'deviceId'))).toBe('accepted');
  });

  test.each([
    ['', 'deviceId must have 1 to 128 characters, got 0'],
    ['a'.repeat(129), 'deviceId must have 1 to 128 characters, got 129'],
    ['a b', 'deviceId has a character at position 2 that IoT Hub does not allow'],
    ['a/b', 'deviceId has a character at position 2 that IoT Hub does not allow'],
    ['gerät', 'deviceId has a character at position 4 that IoT Hub does not allow'],
    ['ab\u0000', 'deviceId has a character at position 3 that IoT Hub does not allow'],
    ['a&b', 'deviceId has a character at position 2 that IoT Hub does not allow'],
    ['a#b', 'deviceId has a "#" or "+": such a device cannot subscribe over MQTT; use another id'],
    ['+', 'deviceId has a "#" or "+": such a device cannot subscribe over MQTT; use another id'],
  ])('"%s" is refused', (id, message) => expect(messageOf(() => checkId(id, 'deviceId'))).toBe(message));

  test('is refused by every other ASCII character', () => {
    for (let code = 0; code < 128; code++) {
      const character = String.fromCharCode(code);
      const allowed = `${PUNCTUATION}`.includes(character) || /[A-Za-z0-9]/.test(character);
      expect([character, messageOf(() => checkId(character, 'x')) === 'accepted']).toEqual([character, allowed]);
    }
  });
});

describe('a host', () => {
  test.each(['myhub.azure-devices.net', 'localhost', '127.0.0.1', 'A-1.b', 'a'.repeat(253)])('"%s" is accepted', (host) => {
    expect(messageOf(() => checkHost(host, 'hub'))).toBe('accepted');
  });

  test.each([
    ['', 'hub must have 1 to 253 characters, got 0'],
    ['a'.repeat(254), 'hub must have 1 to 253 characters, got 254'],
    ['my hub', 'hub is no host name: character 3; write it like myhub.azure-devices.net'],
    ['https://myhub', 'hub is no host name: character 6; write it like myhub.azure-devices.net'],
    ['myhub:8883', 'hub is no host name: character 6; write it like myhub.azure-devices.net'],
    ['myhub/x', 'hub is no host name: character 6; write it like myhub.azure-devices.net'],
    ['a_b', 'hub is no host name: character 2; write it like myhub.azure-devices.net'],
  ])('"%s" is refused', (host, message) => expect(messageOf(() => checkHost(host, 'hub'))).toBe(message));
});
