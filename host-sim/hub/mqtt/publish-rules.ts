import type { IConnectPacket, IPublishPacket } from 'mqtt-packet';
import type { DisconnectReason } from '../events.ts';
import { telemetryPrefix, type Identity } from '../identity.ts';
import { parsePropertyBag, type MessageProperties } from './property-bag.ts';

/** A message to the hub that is allowed. */
export interface Telemetry {
  readonly kind: 'telemetry';
  readonly properties: MessageProperties;
  readonly payload: Buffer;
  /** Body and properties. */
  readonly bytes: number;
}

export interface DeviceRequest {
  readonly kind: 'twin-get' | 'twin-reported' | 'method-response';
  /** `$rid`. */
  readonly requestId: string;
}

export interface PublishFault {
  readonly kind: 'close';
  readonly reason: DisconnectReason;
}

export interface Will {
  readonly telemetry: Telemetry;
  readonly qos: 0 | 1;
}

/** IoT Hub turns RETAIN into this property. */
const RETAIN_PROPERTY = 'mqtt-retain';

/** IoT Hub marks a will with this property. */
const TYPE_PROPERTY = 'iothub-MessageType';
const TYPE_WILL = 'Will';

/** [MQTT-3.3.2-2] wildcards and [MQTT-1.5.3-2] NUL have no place in a topic name; U+FFFD stands where bytes were no UTF-8. */
const NOT_IN_TOPIC_NAME = /[#+\u0000\ufffd]/;

const REQUESTS: readonly (readonly [prefix: string, kind: DeviceRequest['kind']])[] = [
  ['$iothub/twin/GET/?', 'twin-get'],
  ['$iothub/twin/PATCH/properties/reported/?', 'twin-reported'],
  ['$iothub/methods/res/', 'method-response'],
];

/** Decides the PUBLISH packets of one identity: its own telemetry topic and the `$iothub` requests; everything else closes. */
export class PublishRules {
  readonly #prefix: string;
  readonly #maxMessageBytes: number;

  constructor(identity: Identity, maxMessageBytes: number) {
    this.#prefix = telemetryPrefix(identity);
    this.#maxMessageBytes = maxMessageBytes;
  }

  decide(packet: IPublishPacket): Telemetry | DeviceRequest | PublishFault {
    if (packet.qos === 2) return close('qos-2');
    if (packet.topic.startsWith(this.#prefix)) return this.#decideTelemetry(packet, packet.topic.slice(this.#prefix.length));
    // The documentation also shows the topic without the last slash.
    if (packet.topic.length === this.#prefix.length - 1 && this.#prefix.startsWith(packet.topic)) return this.#decideTelemetry(packet, '');
    if (NOT_IN_TOPIC_NAME.test(packet.topic)) return close('topic-not-allowed');
    for (const [prefix, kind] of REQUESTS) {
      if (packet.topic.startsWith(prefix)) return { kind, requestId: readRequestId(packet.topic) };
    }
    return close('topic-not-allowed');
  }

  #decideTelemetry(packet: IPublishPacket, bag: string): Telemetry | PublishFault {
    if (NOT_IN_TOPIC_NAME.test(bag)) return close('topic-not-allowed');
    const parsed = parsePropertyBag(bag);
    if (parsed === undefined) return close('properties-malformed');
    const properties = packet.retain ? withProperty(parsed, RETAIN_PROPERTY, 'true') : parsed;
    const payload = packet.payload as Buffer;
    const bytes = payload.length + properties.bytes;
    if (bytes > this.#maxMessageBytes) return close('message-too-large');
    return { kind: 'telemetry', properties, payload, bytes };
  }
}

/** The will of a CONNECT, ready to be delivered: IoT Hub takes it for the telemetry topic only. */
export function decideWill(will: IConnectPacket['will'], identity: Identity, maxMessageBytes: number): Will | undefined | 'not-allowed' {
  if (will === undefined) return undefined;
  const qos = will.qos ?? 0;
  if (qos === 2) return 'not-allowed';
  const decided = new PublishRules(identity, maxMessageBytes).decide({
    cmd: 'publish', topic: will.topic, payload: will.payload, qos, dup: false, retain: will.retain ?? false,
  });
  if (decided.kind !== 'telemetry') return 'not-allowed';
  return { qos, telemetry: { ...decided, properties: withProperty(decided.properties, TYPE_PROPERTY, TYPE_WILL) } };
}

function withProperty(properties: MessageProperties, name: string, value: string): MessageProperties {
  const application = Object.assign(Object.create(null) as Record<string, string>, properties.application, { [name]: value });
  return { ...properties, application };
}

function readRequestId(topic: string): string {
  return new URLSearchParams(topic.slice(topic.indexOf('?') + 1)).get('$rid') ?? '';
}

function close(reason: DisconnectReason): PublishFault {
  return { kind: 'close', reason };
}
