import type { Delivery, Message } from 'rhea';
import { decodePercentOnce } from '../access/sas-token.ts';
import { isIdentityName } from '../identity.ts';
import { isAcknowledgement, type OutgoingCloudMessage } from '../messages/cloud-message.ts';
import type { MessageQueues } from '../messages/message-queues.ts';
import { ServiceError } from '../service-error.ts';
import type { Throttles } from '../throttles/throttles.ts';
import type { AmqpNode } from './link-node.ts';
import { bodyOf, propertiesOf, textOf, timeOf } from './message-fields.ts';
import { toAmqpError } from './service-condition.ts';

export const DEVICEBOUND_ADDRESS = '/messages/devicebound';

const TO = /^\/devices\/([^/]{1,384})\/messages\/devicebound$/i;

const ACK_PROPERTY = 'iothub-ack';

/** Where services send messages for devices; `to` names the device. */
export function createDeviceboundNode(hubName: string, messages: MessageQueues, throttles?: Throttles): AmqpNode {
  return {
    resources: [{ host: hubName, segments: ['messages', 'devicebound'] }],
    openInbound: () => ({ receive: (message, delivery) => enqueue(messages, throttles, message, delivery) }),
  };
}

function enqueue(messages: MessageQueues, throttles: Throttles | undefined, message: Message, delivery: Delivery): void {
  try {
    throttles?.take('c2d-send');
    messages.enqueue({ deviceId: readDeviceId(message.to) }, readCloudMessage(message));
  } catch (error) {
    delivery.reject(toAmqpError(error));
    return;
  }
  delivery.accept();
}

/** SDKs percent-encode the device id. */
function readDeviceId(to: unknown): string {
  const deviceId = decodePercentOnce(TO.exec(textOf(to) ?? '')?.[1] ?? '');
  if (deviceId === undefined || !isIdentityName(deviceId)) throw invalid('"to" must be /devices/{deviceId}/messages/devicebound');
  return deviceId;
}

function readCloudMessage(message: Message): OutgoingCloudMessage {
  const payload = bodyOf(message);
  if (payload === undefined) throw invalid('the body must be data or text');
  const properties: Record<string, string> = {};
  let ack = 'none';
  for (const [name, value] of propertiesOf(message)) {
    const text = textOf(value);
    if (text === undefined) throw invalid(`the application property ${JSON.stringify(name)} is neither text, number nor boolean`);
    if (name.toLowerCase() === ACK_PROPERTY) ack = text.toLowerCase();
    else Object.defineProperty(properties, name, { value: text, enumerable: true });
  }
  if (!isAcknowledgement(ack)) throw invalid(`${ACK_PROPERTY} is none, positive, negative or full`);
  const userId: unknown = message.user_id;
  const optional = {
    messageId: textOf(message.message_id),
    correlationId: textOf(message.correlation_id),
    userId: Buffer.isBuffer(userId) ? userId.toString('utf8') : textOf(userId),
    contentType: textOf(message.content_type),
    contentEncoding: textOf(message.content_encoding),
    expiryMs: timeOf(message.absolute_expiry_time),
  };
  const given = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)) as Partial<OutgoingCloudMessage>;
  // A copy: the bytes lie in a buffer of the connection's.
  return { ...given, ack, properties, payload: Buffer.from(payload) };
}

function invalid(message: string): ServiceError {
  return new ServiceError(400, 400_004, 'ArgumentInvalid', message);
}
