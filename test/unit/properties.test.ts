import { expect, test } from '@jest/globals';
import { Message } from 'azure-iot-common';
import { Mqtt } from 'azure-iot-device-mqtt';
import fc from 'fast-check';

import { formatProperties, MAX_RECEIVED_PROPERTIES, parseProperties, type MessageProperties } from '../../firmware/agent/properties.ts';

const SEED = 20_250_512;

/** What Microsoft's Node SDK does with a message: methods of its MQTT transport that its type declarations keep to themselves. */
interface SdkTransport {
  _getEventTopicFromMessage(this: { _topicTelemetryPublish: string }, message: Message): string;
  _extractPropertiesFromTopicPart(properties: string, message: Message): void;
}
const sdk = Mqtt.prototype as unknown as SdkTransport;

function formattedBySdk(properties: MessageProperties): string {
  const message = new Message('');
  const { application, ...system } = properties;
  for (const [name, value] of Object.entries(system)) if (value !== undefined) (message as unknown as Record<string, string>)[name] = value;
  for (const [name, value] of Object.entries(application ?? {})) message.properties.add(name, value);
  return sdk._getEventTopicFromMessage.call({ _topicTelemetryPublish: '' }, message);
}

const AWKWARD = `a b%&=?/#+$\u0001"<>[]{}|\\^\`~!'()*-._;,:@é€😀\0`;

const CASES: readonly (readonly [name: string, properties: MessageProperties, text: string])[] = [
  ['nothing', {}, ''],
  ['a message id', { messageId: '42' }, '%24.mid=42'],
  [
    'every system property, in the order of the SDK',
    {
      contentEncoding: 'utf-8',
      contentType: 'application/json',
      to: '/devices/d/messages/devicebound',
      userId: 'u',
      correlationId: 'c',
      messageId: 'm',
    },
    '%24.mid=m&%24.cid=c&%24.uid=u&%24.to=%2Fdevices%2Fd%2Fmessages%2Fdevicebound&%24.ct=application%2Fjson&%24.ce=utf-8',
  ],
  ['application properties', { application: { alert: 'true', 'a b': '1&2=3' } }, 'alert=true&a%20b=1%262%3D3'],
  ['both kinds', { messageId: '1', application: { a: '' } }, '%24.mid=1&a='],
  ['empty system properties, which are left out', { messageId: '', contentType: '', application: { b: '1' } }, 'b=1'],
];

test.each(CASES)('formats %s as the Node SDK does', (_name, properties, text) => {
  expect(formatProperties(properties)).toBe(text);
  expect(formattedBySdk(properties)).toBe(text);
});

test('formats awkward names and values as the Node SDK does', () => {
  const properties: MessageProperties = { messageId: AWKWARD, contentType: AWKWARD, application: { [`x${AWKWARD}`]: AWKWARD } };
  expect(formatProperties(properties)).toBe(formattedBySdk(properties));
});

const value = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
const name = value.filter((text) => !text.startsWith('$') && text !== 'dt-subject' && text !== '__proto__');
const messageProperties = fc.record(
  { messageId: value, correlationId: value, userId: value, to: value, contentType: value, contentEncoding: value, application: fc.dictionary(name, value) },
  { requiredKeys: ['application'], noNullPrototype: true },
) as fc.Arbitrary<MessageProperties>;

test('formats any message as the Node SDK does, and reads it back', () => {
  fc.assert(
    fc.property(messageProperties, (properties) => {
      const text = formatProperties(properties);
      expect(text).toBe(formattedBySdk(properties));
      const { application, droppedCount, ...system } = parseProperties(text);
      expect({ ...system, application: Object.fromEntries(application) }).toEqual(properties);
      expect(droppedCount).toBe(0);
    }),
    { seed: SEED, numRuns: 300 },
  );
});

test('reads what the Node SDK reads', () => {
  const text = '%24.mid=m1&%24.to=%2Fdevices%2Fdev1&%24.cid=c&%24.uid=u&%24.ct=t&%24.ce=e&%24.exp=2030-01-01T00%3A00%3A00Z&iothub-ack=full&a%20b=%C3%A9';
  const message = new Message('');
  sdk._extractPropertiesFromTopicPart(text, message);
  const { application, ...rest } = parseProperties(text);
  const { messageId, to, correlationId, userId, contentType, contentEncoding, expiryTimeUtc } = message;
  expect(rest).toEqual({ messageId, to, correlationId, userId, contentType, contentEncoding, expiryTimeUtc, droppedCount: 0 });
  expect([...application]).toEqual(message.properties.propertyList.map(({ key, value }) => [key, value]));
});

test.each([
  ['', []],
  ['&&', []],
  ['a', [['a', '']]],
  ['a=', [['a', '']]],
  ['=b', [['', 'b']]],
  ['a=1=2', [['a', '1=2']]],
  ['a=1&a=2', [['a', '2']]],
  ['__proto__=1&constructor=2', [['__proto__', '1'], ['constructor', '2']]],
  ['a=%', [['a', '%']]],
  ['a=%zz&%e2%82=1', [['a', '%zz'], ['%e2%82', '1']]],
])('reads %j without an exception', (text, application) => {
  expect([...parseProperties(text).application]).toEqual(application);
});

test('keeps the first 64 properties of a topic full of them and counts the rest', () => {
  const text = Array.from({ length: 4000 }, (_, index) => `p${index}`).join('&');
  const { application, droppedCount } = parseProperties(text);
  expect(application.size).toBe(MAX_RECEIVED_PROPERTIES);
  expect(droppedCount).toBe(4000 - 64);
});

test.each([
  [{ application: { '': 'x' } }, '"" is no name of an application property: it is empty or begins with "$"; rename it'],
  [{ application: { '$.mid': 'x' } }, '"$.mid" is no name of an application property: it is empty or begins with "$"; rename it'],
  [{ messageId: '\ud800' }, 'property "messageId" holds half of a surrogate pair: send bytes as base64'],
  [{ application: { key: 'a\udc00' } }, 'property "key" holds half of a surrogate pair: send bytes as base64'],
])('refuses %j with ERR_PROPERTY', (properties, message) => {
  expect(() => formatProperties(properties)).toThrow(expect.objectContaining({ name: 'LatchkeyError', code: 'ERR_PROPERTY', message }));
});
