import type { CloudMessage } from '../messages/cloud-message.ts';

/**
 * The topic of a cloud-to-device message as IoT Hub writes it: system properties with `$.` in front, then `iothub-ack`, then
 * the application's, all percent-encoded.
 * @see https://learn.microsoft.com/azure/iot/iot-mqtt-connect-to-iot-hub#receiving-cloud-to-device-messages
 */
export function formatMessageTopic(deviceId: string, message: CloudMessage): string {
  const system: readonly (readonly [name: string, value: string | undefined])[] = [
    ['$.mid', message.messageId === '' ? undefined : message.messageId],
    ['$.exp', message.expiryIsSet ? new Date(message.expiryMs).toISOString() : undefined],
    ['$.to', `/devices/${deviceId}/messages/devicebound`],
    ['$.cid', message.correlationId],
    ['$.uid', message.userId],
    ['$.ct', message.contentType],
    ['$.ce', message.contentEncoding],
    ['iothub-ack', message.ack === 'none' ? undefined : message.ack],
  ];
  const pairs = [...system, ...Object.entries(message.properties)].flatMap(([name, value]) =>
    value === undefined ? [] : [`${encodeURIComponent(name)}=${encodeURIComponent(value)}`],
  );
  return `devices/${deviceId}/messages/devicebound/${pairs.join('&')}`;
}
