import type { IncomingHttpHeaders } from 'node:http';
import type { CloudMessage } from '../messages/cloud-message.ts';
import { ServiceError } from '../service-error.ts';

/** System properties: header, MQTT's short name. @see https://learn.microsoft.com/rest/api/iothub/device/send-device-event */
const SYSTEM: readonly (readonly [header: string, name: string])[] = [
  ['iothub-messageid', '$.mid'], ['iothub-correlationid', '$.cid'], ['iothub-userid', '$.uid'], ['iothub-to', '$.to'],
  ['iothub-contenttype', '$.ct'], ['iothub-contentencoding', '$.ce'],
];

const APPLICATION_PREFIX = 'iothub-app-';

export interface MessageHeaders {
  readonly system: Readonly<Record<string, string>>;
  readonly application: Readonly<Record<string, string>>;
  /** What counts towards the message's size: system values, application names and values. */
  readonly bytes: number;
}

/** Reads the properties of a message from the headers of its request; names keep the case in which they were written. */
export function readMessageHeaders(headers: IncomingHttpHeaders, rawHeaders: readonly string[]): MessageHeaders {
  const system = Object.create(null) as Record<string, string>;
  const application = Object.create(null) as Record<string, string>;
  let bytes = 0;
  for (const [header, name] of SYSTEM) {
    const value = headers[header];
    if (typeof value !== 'string') continue;
    system[name] = value;
    bytes += Buffer.byteLength(value);
  }
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const header = rawHeaders[index] as string;
    if (!header.toLowerCase().startsWith(APPLICATION_PREFIX)) continue;
    const name = header.slice(APPLICATION_PREFIX.length);
    const value = rawHeaders[index + 1] as string;
    if (name === '' || application[name] !== undefined) throw new ServiceError(400, 400_004, 'ArgumentInvalid', `The header ${APPLICATION_PREFIX}${name} is empty or stands twice.`);
    application[name] = value;
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  }
  return { system, application, bytes };
}

/** What of a name or a value fits a header (RFC 9110, section 5.5). */
const NOT_IN_NAME = /[^A-Za-z0-9!#$%&'*+.^_`|~-]/;
const NOT_IN_VALUE = /[^\t\x20-\x7e]/gu;

/** The headers of a message to a device. What fits no header is percent-encoded in a value, and left out as a name. */
export function formatMessageHeaders(message: CloudMessage): Readonly<Record<string, string>> {
  const optional: readonly (readonly [header: string, value: string | undefined])[] = [
    ['iothub-messageid', message.messageId || undefined],
    ['iothub-correlationid', message.correlationId],
    ['iothub-userid', message.userId],
    ['iothub-contenttype', message.contentType],
    ['iothub-contentencoding', message.contentEncoding],
    ['iothub-expiry', message.expiryIsSet ? new Date(message.expiryMs).toISOString() : undefined],
    ...Object.entries(message.properties).filter(([name]) => name !== '' && !NOT_IN_NAME.test(name)).map(([name, value]) => [`${APPLICATION_PREFIX}${name}`, value] as const),
  ];
  return {
    ETag: `"${message.lockToken}"`,
    'iothub-sequencenumber': String(message.sequenceNumber),
    'iothub-enqueuedtime': new Date(message.enqueuedMs).toISOString(),
    'iothub-deliverycount': String(message.deliveryCount),
    'iothub-ack': message.ack,
    ...Object.fromEntries(optional.flatMap(([header, value]) => (value === undefined ? [] : [[header, value.replace(NOT_IN_VALUE, encodeURIComponent)]]))),
  };
}
