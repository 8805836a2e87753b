import { LatchkeyError } from './errors.ts';
import type { Identity } from './identity.ts';

/** @see https://learn.microsoft.com/azure/iot/iot-mqtt-connect-to-iot-hub */
export const METHODS_FILTER = '$iothub/methods/POST/#';
export const TWIN_RESPONSES_FILTER = '$iothub/twin/res/#';
export const DESIRED_FILTER = '$iothub/twin/PATCH/properties/desired/#';

const METHOD_PREFIX = '$iothub/methods/POST/';
const TWIN_RESPONSE_PREFIX = '$iothub/twin/res/';
const DESIRED_PREFIX = '$iothub/twin/PATCH/properties/desired/';
const REQUEST_ID_KEY = '$rid';
const VERSION_KEY = '$version';

/** What a topic from the hub means; `requestId`, `name` and `encodedProperties` are as they stand in the topic. */
export type InboundTopic =
  | { readonly kind: 'cloud-message'; readonly encodedProperties: string }
  | { readonly kind: 'method'; readonly name: string; readonly requestId: string }
  /** `version` comes with the answer to a change of reported properties. */
  | { readonly kind: 'twin-response'; readonly status: number; readonly requestId: string; readonly version?: number }
  | { readonly kind: 'desired'; readonly version: number };

/** Where telemetry goes; `encodedProperties` of `formatProperties`. It is the topic of a will, too. */
export function telemetryTopic(identity: Identity, encodedProperties = ''): string {
  return `${pathOf(identity)}/messages/events/${encodedProperties}`;
}

/**
 * The filter for cloud-to-device messages.
 * @throws ERR_CONFIG for an id with `#` or `+`: MQTT would take it for a wildcard.
 */
export function cloudMessageFilter(identity: Identity): string {
  const path = pathOf(identity);
  if (path.includes('#') || path.includes('+')) {
    throw new LatchkeyError('ERR_CONFIG', `${path} has a "#" or "+", which MQTT cannot subscribe to: give the device another id`);
  }
  return `${path}/messages/devicebound/#`;
}

/** Where the answer to a direct method goes. */
export function methodResponseTopic(status: number, requestId: string): string {
  return `$iothub/methods/res/${status}/?${REQUEST_ID_KEY}=${requestId}`;
}

/** Publishing here, with an empty payload, asks for the whole twin. */
export function twinGetTopic(requestId: string): string {
  return `$iothub/twin/GET/?${REQUEST_ID_KEY}=${requestId}`;
}

/** Where a change of reported properties goes. */
export function reportedTopic(requestId: string): string {
  return `$iothub/twin/PATCH/properties/reported/?${REQUEST_ID_KEY}=${requestId}`;
}

/** What `topic` means to `identity`; `undefined` when it is none of its topics. */
export function parseTopic(identity: Identity, topic: string): InboundTopic | undefined {
  if (topic.startsWith(METHOD_PREFIX)) return parseMethod(topic);
  if (topic.startsWith(TWIN_RESPONSE_PREFIX)) return parseTwinResponse(topic);
  if (topic.startsWith(DESIRED_PREFIX)) return parseDesired(topic);
  const prefix = `${pathOf(identity)}/messages/devicebound/`;
  return topic.startsWith(prefix) ? { kind: 'cloud-message', encodedProperties: topic.slice(prefix.length) } : undefined;
}

/** `$iothub/methods/POST/{name}/?$rid={requestId}` */
function parseMethod(topic: string): InboundTopic | undefined {
  const nameEnd = topic.indexOf('/', METHOD_PREFIX.length);
  if (nameEnd <= METHOD_PREFIX.length) return undefined;
  const requestId = queryValue(topic, nameEnd + 1, REQUEST_ID_KEY);
  if (requestId === undefined || requestId === '') return undefined;
  return { kind: 'method', name: topic.slice(METHOD_PREFIX.length, nameEnd), requestId };
}

/** `$iothub/twin/res/{status}/?$rid={requestId}[&$version={version}]` */
function parseTwinResponse(topic: string): InboundTopic | undefined {
  const statusEnd = topic.indexOf('/', TWIN_RESPONSE_PREFIX.length);
  if (statusEnd < 0) return undefined;
  const status = parseWhole(topic.slice(TWIN_RESPONSE_PREFIX.length, statusEnd));
  const requestId = queryValue(topic, statusEnd + 1, REQUEST_ID_KEY);
  if (status === undefined || requestId === undefined || requestId === '') return undefined;
  const version = parseWhole(queryValue(topic, statusEnd + 1, VERSION_KEY));
  return version === undefined
    ? { kind: 'twin-response', status, requestId }
    : { kind: 'twin-response', status, requestId, version };
}

/** `$iothub/twin/PATCH/properties/desired/?$version={version}` */
function parseDesired(topic: string): InboundTopic | undefined {
  const version = parseWhole(queryValue(topic, DESIRED_PREFIX.length, VERSION_KEY));
  return version === undefined ? undefined : { kind: 'desired', version };
}

/** The value of `key` in the query `?key=value&…` that begins at `start`; `undefined` when there is no query or no such key. */
export function queryValue(topic: string, start: number, key: string): string | undefined {
  if (topic.charAt(start) !== '?') return undefined;
  for (let at = start + 1; at < topic.length; ) {
    const ampersand = topic.indexOf('&', at);
    const end = ampersand < 0 ? topic.length : ampersand;
    if (topic.startsWith(key, at) && topic.charAt(at + key.length) === '=') return topic.slice(at + key.length + 1, end);
    at = end + 1;
  }
  return undefined;
}

/** A number of decimal digits only, below 2^53. */
export function parseWhole(text: string | undefined): number | undefined {
  if (text === undefined || text === '' || text.length > 15) return undefined;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x30 || code > 0x39) return undefined;
  }
  return Number(text);
}

function pathOf(identity: Identity): string {
  const device = `devices/${identity.deviceId}`;
  return identity.moduleId === undefined ? device : `${device}/modules/${identity.moduleId}`;
}
