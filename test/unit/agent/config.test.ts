import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { parseConfig } from '../../../firmware/agent/config.ts';
import { LatchkeyError } from '../../../firmware/agent/errors.ts';

const GOOD = { hub: 'myhub.azure-devices.net', deviceId: 'dev1' };

function messageOf(input: unknown): string {
  try {
    parseConfig(input, 'settings');
  } catch (error) {
    if (!(error instanceof LatchkeyError)) throw error;
    expect(error.code).toBe('ERR_CONFIG');
    return error.message;
  }
  return 'accepted';
}

test('hub and device are enough: everything else has its default', () => {
  expect(parseConfig(GOOD, 'settings')).toEqual({
    identity: { hub: 'myhub.azure-devices.net', deviceId: 'dev1', moduleId: undefined },
    credential: { type: 'key', slots: [0], policyName: undefined },
    host: 'myhub.azure-devices.net',
    port: 8883,
    tokenLifeSeconds: 3600,
    keepAliveSeconds: 240,
    window: 64,
    queue: 128,
    pubackTimeoutMs: 10_000,
    maxInboundBytes: 8192,
    pipeline: false,
    timeServers: [],
    dateServer: '',
    clientType: 'latchkey/0.1.0',
    modelId: undefined,
  });
});

test('everything that can be given is taken as given', () => {
  const config = parseConfig({
    ...GOOD, moduleId: 'm1', gateway: '127.0.0.1', port: 18_883, slots: [2, 0], policyName: 'device', tokenLifeSeconds: 31_536_000,
    keepAliveSeconds: 1177, window: 8, queue: 16, pubackTimeoutMs: 100, maxInboundBytes: 256, pipeline: true,
    timeServers: ['time.example', '127.0.0.1:10123'], dateServer: 'date.example:8443', clientType: 'mine/1', modelId: 'dtmi:a:b;1',
  }, 'settings');
  expect(config).toEqual({
    identity: { hub: GOOD.hub, deviceId: 'dev1', moduleId: 'm1' },
    credential: { type: 'key', slots: [2, 0], policyName: 'device' },
    host: '127.0.0.1', gateway: '127.0.0.1', dps: undefined, port: 18_883, tokenLifeSeconds: 31_536_000, keepAliveSeconds: 1177, window: 8, queue: 16, pubackTimeoutMs: 100,
    maxInboundBytes: 256, pipeline: true, timeServers: ['time.example', '127.0.0.1:10123'], dateServer: 'date.example:8443',
    clientType: 'mine/1', modelId: 'dtmi:a:b;1',
  });
});

test('a ready-made token takes the place of the slots', () => {
  const token = 'SharedAccessSignature sr=h%2Fdevices%2Fd&sig=x&se=1800000000';
  expect(parseConfig({ ...GOOD, token }, 'settings').credential).toEqual({ type: 'token', token });
});

test('the window is never larger than the queue', () => {
  expect(parseConfig({ ...GOOD, queue: 10 }, 'settings').window).toBe(10);
});

test('an empty text counts as not given', () => {
  expect(parseConfig({ ...GOOD, moduleId: '', gateway: '', token: '', dateServer: '' }, 'settings')).toEqual(parseConfig(GOOD, 'settings'));
});

describe('is refused, with a text that names source, key and remedy:', () => {
  test.each<[unknown, string]>([
    [undefined, 'settings: expected an object, got undefined'],
    [null, 'settings: expected an object, got object'],
    ['HostName=h;SharedAccessKey=x', 'settings: expected an object, got string'],
    [{}, 'settings: hub is missing'],
    [[], 'settings: hub is missing'],
    [{ hub: 'h' }, 'settings: deviceId is missing'],
    [{ ...GOOD, hub: 7 }, 'settings: hub must be text, got number'],
    [{ ...GOOD, hub: 'https://h' }, 'settings: hub is no host name: character 6; write it like myhub.azure-devices.net'],
    [{ ...GOOD, gateway: 'localhost:18883' }, 'settings: gateway is no host name: character 10; write it like myhub.azure-devices.net'],
    [{ ...GOOD, deviceId: 'a/b' }, 'settings: deviceId has a character at position 2 that IoT Hub does not allow'],
    [{ ...GOOD, deviceId: 'a+b' }, 'settings: deviceId has a "#" or "+": such a device cannot subscribe over MQTT; use another id'],
    [{ ...GOOD, moduleId: 'a b' }, 'settings: moduleId has a character at position 2 that IoT Hub does not allow'],
    [{ ...GOOD, port: 0 }, 'settings: port must be a whole number from 1 to 65535, got 0'],
    [{ ...GOOD, port: 65_536 }, 'settings: port must be a whole number from 1 to 65535, got 65536'],
    [{ ...GOOD, port: '8883' }, 'settings: port must be a whole number from 1 to 65535, got string'],
    [{ ...GOOD, port: NaN }, 'settings: port must be a whole number from 1 to 65535, got NaN'],
    [{ ...GOOD, port: 1.5 }, 'settings: port must be a whole number from 1 to 65535, got 1.5'],
    [{ ...GOOD, port: null }, 'settings: port must be a whole number from 1 to 65535, got object'],
    [{ ...GOOD, port: Object.create(null) }, 'settings: port must be a whole number from 1 to 65535, got object'],
    [{ ...GOOD, tokenLifeSeconds: 4 }, 'settings: tokenLifeSeconds must be a whole number from 5 to 31536000, got 4'],
    [{ ...GOOD, tokenLifeSeconds: 31_536_001 }, 'settings: tokenLifeSeconds must be a whole number from 5 to 31536000, got 31536001'],
    [{ ...GOOD, keepAliveSeconds: 0 }, 'settings: keepAliveSeconds must be a whole number from 1 to 1177, got 0'],
    [{ ...GOOD, keepAliveSeconds: 1178 }, 'settings: keepAliveSeconds must be a whole number from 1 to 1177, got 1178'],
    [{ ...GOOD, window: 0 }, 'settings: window must be a whole number from 1 to 1024, got 0'],
    [{ ...GOOD, window: 1025 }, 'settings: window must be a whole number from 1 to 1024, got 1025'],
    [{ ...GOOD, queue: 0 }, 'settings: queue must be a whole number from 1 to 4096, got 0'],
    [{ ...GOOD, queue: 4097 }, 'settings: queue must be a whole number from 1 to 4096, got 4097'],
    [{ ...GOOD, pubackTimeoutMs: 99 }, 'settings: pubackTimeoutMs must be a whole number from 100 to 2147483647, got 99'],
    [{ ...GOOD, maxInboundBytes: 255 }, 'settings: maxInboundBytes must be a whole number from 256 to 262144, got 255'],
    [{ ...GOOD, pipeline: 1 }, 'settings: pipeline must be true or false, got number'],
    [{ ...GOOD, timeServers: 'time.example' }, 'settings: timeServers must be a list of texts'],
    [{ ...GOOD, timeServers: ['time.example', 7] }, 'settings: timeServers must be a list of texts'],
    [{ ...GOOD, timeServers: [''] }, 'settings: timeServers must have 1 to 253 characters, got 0'],
    [{ ...GOOD, timeServers: ['time.example:ntp'] }, 'settings: timeServers must be "host" or "host:port" with a port from 1 to 65535'],
    [{ ...GOOD, dateServer: 'https://x' }, 'settings: dateServer must be "host" or "host:port" with a port from 1 to 65535'],
    [{ ...GOOD, dateServer: 'x:0' }, 'settings: dateServer must be "host" or "host:port" with a port from 1 to 65535'],
    [{ ...GOOD, dateServer: 'x y' }, 'settings: dateServer is no host name: character 2; write it like myhub.azure-devices.net'],
    [{ ...GOOD, slots: [] }, "settings: slots must be a list of the signer's slots, the preferred one first"],
    [{ ...GOOD, slots: [0, -1] }, "settings: slots must be a list of the signer's slots, the preferred one first"],
    [{ ...GOOD, slots: ['0'] }, "settings: slots must be a list of the signer's slots, the preferred one first"],
    [{ ...GOOD, token: 'sr=x' }, 'settings: token must start with "SharedAccessSignature "'],
    [{ ...GOOD, devceId: 'dev1' }, 'settings: unknown key "devceId", did you mean "deviceId"?'],
    [{ ...GOOD, Hub: 'h' }, 'settings: unknown key "Hub", did you mean "hub"?'],
    [{ ...GOOD, keepAliveSecond: 5 }, 'settings: unknown key "keepAliveSecond", did you mean "keepAliveSeconds"?'],
    [{ ...GOOD, colour: 'red' }, 'settings: unknown key "colour"'],
  ])('%j', (input, message) => expect(messageOf(input)).toBe(message));

  test.each(['SharedAccessKey', 'sharedAccessKey', 'key', 'primaryKey', 'secondaryKey', 'connectionString'])('%s: keys belong to the signer', (name) => {
    const secret = 'c2VjcmV0IGtleSBvZiB0aGUgdGVzdA==';
    const message = messageOf({ ...GOOD, [name]: secret });
    expect(message).toBe("settings: keys do not belong here; provision them into the signer's key store");
    expect(message).not.toContain(secret);
  });
});

test('no text of a refusal holds a value that was given as text', () => {
  const secret = 'XsecretX';
  for (const key of ['hub', 'deviceId', 'moduleId', 'gateway', 'port', 'token', 'timeServers', 'window', 'pipeline', 'slots', 'tokenLifeSeconds']) {
    for (const value of [`${secret} /`, [`${secret} /`], { [secret]: secret }]) expect(messageOf({ ...GOOD, [key]: value })).not.toContain(secret);
  }
});

test('whatever comes, the answer is a configuration or ERR_CONFIG', () => {
  const keys = ['hub', 'deviceId', 'moduleId', 'gateway', 'port', 'slots', 'policyName', 'token', 'timeServers', 'dateServer', 'pipeline', 'queue'];
  const input = fc.oneof(fc.anything(), fc.dictionary(fc.constantFrom(...keys), fc.anything()).map((record) => ({ ...GOOD, ...record })));
  fc.assert(fc.property(input, (value) => void messageOf(value)), { seed: 20_261_101, numRuns: 2000 });
});
