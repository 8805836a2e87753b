import { describe, expect, test } from '@jest/globals';
import { Message } from 'azure-iot-common';
import { Mqtt } from 'azure-iot-device-mqtt';

import type { Identity } from '../../firmware/agent/identity.ts';
import {
  cloudMessageFilter,
  DESIRED_FILTER,
  METHODS_FILTER,
  methodResponseTopic,
  parseTopic,
  reportedTopic,
  telemetryTopic,
  twinGetTopic,
  TWIN_RESPONSES_FILTER,
} from '../../firmware/agent/topics.ts';

const HUB = 'hub.azure-devices.net';
const DEVICE: Identity = { hub: HUB, deviceId: 'dev1' };
const MODULE: Identity = { hub: HUB, deviceId: 'dev1', moduleId: 'mod1' };

/** Every character that IoT Hub allows in an id, but `#` and `+`. */
const ALL_CHARACTERS = "abcxyzABCXYZ0189-:.%_*?!(),=@$'";
const IDS = [ALL_CHARACTERS, ...[...ALL_CHARACTERS].map((character) => `d${character}`), ...ALL_CHARACTERS, 'x'.repeat(128), '%23', '$iothub'];

/** The transport of Microsoft's Node SDK, told whom it speaks for. */
function sdkTopics(identity: Identity): { telemetry: string; subscriptions: string[] } {
  const transport = {} as Record<string, unknown>;
  const methods = Mqtt.prototype as unknown as Record<string, (this: unknown, argument: unknown) => string>;
  for (const name of ['_onDeviceMethod', '_onC2DMessage', '_onInputMessage']) transport[name] = () => undefined;
  methods['_configureEndpoints']!.call(transport, { deviceId: identity.deviceId, moduleId: identity.moduleId });
  const telemetry = methods['_getEventTopicFromMessage']!.call(transport, new Message(''));
  const topics = transport['_topics'] as Record<string, { name: string }>;
  return { telemetry, subscriptions: Object.values(topics).map(({ name }) => name) };
}

describe('for every id that IoT Hub allows', () => {
  test.each(IDS)('device %j sends and listens where the Node SDK does, and knows its own messages', (deviceId) => {
    const identity = { hub: HUB, deviceId };
    expect(telemetryTopic(identity)).toBe(`devices/${deviceId}/messages/events/`);
    expect(sdkTopics(identity).telemetry).toBe(telemetryTopic(identity));
    expect(sdkTopics(identity).subscriptions.sort()).toEqual([METHODS_FILTER, cloudMessageFilter(identity)].sort());
    expect(parseTopic(identity, `devices/${deviceId}/messages/devicebound/a=b`)).toEqual({ kind: 'cloud-message', encodedProperties: 'a=b' });
    expect(parseTopic(identity, `devices/${deviceId}x/messages/devicebound/a=b`)).toBeUndefined();
    expect(parseTopic(DEVICE, `devices/${deviceId}/messages/devicebound/a=b`)).toBeUndefined();
  });

  test.each(IDS)('module %j of a device sends where the Node SDK does', (moduleId) => {
    const identity = { hub: HUB, deviceId: 'dev1', moduleId };
    expect(telemetryTopic(identity, 'a=b')).toBe(`devices/dev1/modules/${moduleId}/messages/events/a=b`);
    expect(sdkTopics(identity).telemetry).toBe(telemetryTopic(identity));
    expect(cloudMessageFilter(identity)).toBe(`devices/dev1/modules/${moduleId}/messages/devicebound/#`);
  });
});

test.each([
  [{ hub: HUB, deviceId: 'a#b' }, 'devices/a#b'],
  [{ hub: HUB, deviceId: 'a+b' }, 'devices/a+b'],
  [{ hub: HUB, deviceId: 'd', moduleId: '+' }, 'devices/d/modules/+'],
])('refuses to subscribe for %j with ERR_CONFIG', (identity, path) => {
  expect(() => cloudMessageFilter(identity)).toThrow(
    expect.objectContaining({
      name: 'LatchkeyError',
      code: 'ERR_CONFIG',
      message: `${path} has a "#" or "+", which MQTT cannot subscribe to: give the device another id`,
    }),
  );
});

test('writes the documented topics of methods and twin', () => {
  expect(methodResponseTopic(200, '1f')).toBe('$iothub/methods/res/200/?$rid=1f');
  expect(twinGetTopic('7')).toBe('$iothub/twin/GET/?$rid=7');
  expect(reportedTopic('8')).toBe('$iothub/twin/PATCH/properties/reported/?$rid=8');
  expect([METHODS_FILTER, TWIN_RESPONSES_FILTER, DESIRED_FILTER]).toEqual([
    '$iothub/methods/POST/#',
    '$iothub/twin/res/#',
    '$iothub/twin/PATCH/properties/desired/#',
  ]);
});

test.each<[string, ReturnType<typeof parseTopic>]>([
  ['$iothub/methods/POST/reboot/?$rid=1', { kind: 'method', name: 'reboot', requestId: '1' }],
  ['$iothub/methods/POST/a%20b/?x=1&$rid=af&y=2', { kind: 'method', name: 'a%20b', requestId: 'af' }],
  ['$iothub/twin/res/200/?$rid=1', { kind: 'twin-response', status: 200, requestId: '1' }],
  ['$iothub/twin/res/204/?$rid=2&$version=7', { kind: 'twin-response', status: 204, requestId: '2', version: 7 }],
  ['$iothub/twin/res/204/?$version=7&$rid=2', { kind: 'twin-response', status: 204, requestId: '2', version: 7 }],
  ['$iothub/twin/res/204/?$rid=2&$version=', { kind: 'twin-response', status: 204, requestId: '2' }],
  ['$iothub/twin/PATCH/properties/desired/?$version=0', { kind: 'desired', version: 0 }],
  ['$iothub/twin/PATCH/properties/desired/?$version=999999999999999', { kind: 'desired', version: 999_999_999_999_999 }],
  ['devices/dev1/messages/devicebound/', { kind: 'cloud-message', encodedProperties: '' }],
])('reads %s', (topic, expected) => {
  expect(parseTopic(DEVICE, topic)).toEqual(expected);
});

test.each([
  '',
  '/',
  'devices/dev1',
  'devices/dev1/messages/devicebound',
  'devices/dev1/messages/events/',
  'devices/DEV1/messages/devicebound/',
  'devices/dev1/modules/mod1/messages/devicebound/',
  'Devices/dev1/messages/devicebound/',
  '$iothub/methods/POST/',
  '$iothub/methods/POST/reboot',
  '$iothub/methods/POST/reboot/',
  '$iothub/methods/POST//?$rid=1',
  '$iothub/methods/POST/reboot/?$rid=',
  '$iothub/methods/POST/reboot/?rid=1',
  '$iothub/methods/POST/reboot/$rid=1',
  '$iothub/methods/POST/reboot/?x$rid=1',
  '$iothub/methods/res/200/?$rid=1',
  '$iothub/twin/res/',
  '$iothub/twin/res/200',
  '$iothub/twin/res/200/?',
  '$iothub/twin/res//?$rid=1',
  '$iothub/twin/res/-1/?$rid=1',
  '$iothub/twin/res/2e2/?$rid=1',
  '$iothub/twin/res/200/?$rid',
  '$iothub/twin/PATCH/properties/desired/',
  '$iothub/twin/PATCH/properties/desired/?$version=',
  '$iothub/twin/PATCH/properties/desired/?$version=-1',
  '$iothub/twin/PATCH/properties/desired/?$version=1.5',
  '$iothub/twin/PATCH/properties/desired/?$version=9007199254740993',
  '$iothub/twin/PATCH/properties/reported/?$version=1',
])('takes %j for a topic that is not its own', (topic) => {
  expect(parseTopic(DEVICE, topic)).toBeUndefined();
});

test('keeps device and module apart', () => {
  expect(parseTopic(MODULE, 'devices/dev1/modules/mod1/messages/devicebound/x')).toEqual({ kind: 'cloud-message', encodedProperties: 'x' });
  expect(parseTopic(MODULE, 'devices/dev1/messages/devicebound/x')).toBeUndefined();
});
