import type { Message } from 'rhea';
import type { LoggedEvent } from './event-log.ts';
import { messageSections, types } from './rhea.ts';

/** AMQP's place for the system properties that a device may set. */
const FIELDS: Readonly<Record<string, string>> = {
  '$.mid': 'message_id',
  '$.cid': 'correlation_id',
  '$.ct': 'content_type',
  '$.ce': 'content_encoding',
};

/** @see https://learn.microsoft.com/azure/iot-hub/iot-hub-devguide-messages-construct#system-properties-of-d2c-iot-hub-messages */
const ANNOTATIONS: Readonly<Record<string, string>> = { '$.ctime': 'iothub-creation-time-utc', '$.sub': 'dt-subject' };

/** One event as Event Hubs clients read it. */
export function formatEventMessage(event: LoggedEvent): Message {
  const { identity, systemProperties, properties, authMethod, generationId, modelId } = event;
  const enqueued = new Date(Math.round(event.enqueuedMs));
  const annotations: Record<string, unknown> = {
    'x-opt-sequence-number': types.wrap_long(event.sequenceNumber),
    'x-opt-offset': String(event.offset),
    'x-opt-enqueued-time': enqueued,
    'x-opt-partition-key': identity.deviceId,
    'iothub-connection-device-id': identity.deviceId,
    ...(identity.moduleId === undefined ? {} : { 'iothub-connection-module-id': identity.moduleId }),
    'iothub-connection-auth-method': authMethod,
    ...(generationId === undefined ? {} : { 'iothub-connection-auth-generation-id': generationId }),
    ...(modelId === undefined ? {} : { 'dt-dataschema': modelId }),
    'iothub-enqueuedtime': enqueued,
    'iothub-message-source': 'Telemetry',
  };
  const message: Record<string, unknown> = {
    to: identity.moduleId === undefined ? `/devices/${identity.deviceId}/messages/events` : `/devices/${identity.deviceId}/modules/${identity.moduleId}/messages/events`,
    message_annotations: annotations,
    body: messageSections.data_section(event.payload),
  };
  for (const [name, value] of Object.entries(systemProperties)) {
    const field = FIELDS[name];
    const annotation = ANNOTATIONS[name];
    if (field !== undefined) message[field] = value;
    else if (annotation !== undefined) annotations[annotation] = value;
  }
  if (systemProperties['$.uid'] !== undefined) message['user_id'] = Buffer.from(systemProperties['$.uid']);
  if (Object.keys(properties).length > 0) message['application_properties'] = properties;
  return message as unknown as Message;
}
