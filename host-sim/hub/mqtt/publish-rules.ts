import type { IConnectPacket, IPublishPacket } from 'mqtt-packet';
import type { DeviceEndpoint } from '../access/device-endpoints.ts';
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

/** A request for the twin. */
export interface TwinRequest {
  readonly kind: 'twin-get' | 'twin-reported';
  /** What stands behind `$rid=`, as the device wrote it: the answer carries the same. */
  readonly requestId: string;
  readonly payload: Buffer;
}

export interface MethodAnswer {
  readonly kind: 'method-response';
  readonly requestId: string;
  /** The device's own; any integer. */
  readonly status: number;
  readonly payload: Buffer;
}

export interface PublishFault {
  readonly kind: 'close';
  readonly reason: DisconnectReason;
}

export type PublishDecision = Telemetry | TwinRequest | MethodAnswer | PublishFault;

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

const TWIN_REQUESTS: readonly (readonly [prefix: string, kind: TwinRequest['kind']])[] = [
  ['$iothub/twin/GET/?', 'twin-get'],
  ['$iothub/twin/PATCH/properties/reported/?', 'twin-reported'],
];

/** Ours: an answer's topic carries the request id again and must not outgrow MQTT. The SDKs' have 36 characters. */
const MAX_REQUEST_ID = 1_024;

/** `$iothub/methods/res/{status}/?$rid={request id}`; the status is an integer of 32 bits. */
const METHOD_ANSWER = /^\$iothub\/methods\/res\/(-?\d{1,10})\/\?(.*)$/s;

/** Decides the PUBLISH packets of one identity: its own telemetry topic and the `$iothub` requests; everything else closes. */
export class PublishRules {
  readonly #prefix: string;
  readonly #maxMessageBytes: number;
  readonly #maySend: boolean;
  readonly #mayUseTwin: boolean;
  readonly #mayAnswer: boolean;

  /** @param endpoints what the token covers; all of them when not given */
  constructor(identity: Identity, maxMessageBytes: number, endpoints?: ReadonlySet<DeviceEndpoint>) {
    this.#prefix = telemetryPrefix(identity);
    this.#maxMessageBytes = maxMessageBytes;
    const covers = (endpoint: DeviceEndpoint): boolean => endpoints === undefined || endpoints.has(endpoint);
    this.#maySend = covers('messages/events');
    this.#mayUseTwin = covers('twin');
    this.#mayAnswer = covers('methods/devicebound');
  }

  decide(packet: IPublishPacket): PublishDecision {
    if (packet.qos === 2) return close('qos-2');
    if (packet.topic.startsWith(this.#prefix)) return this.#decideTelemetry(packet, packet.topic.slice(this.#prefix.length));
    // The documentation also shows the topic without the last slash.
    if (packet.topic.length === this.#prefix.length - 1 && this.#prefix.startsWith(packet.topic)) return this.#decideTelemetry(packet, '');
    if (NOT_IN_TOPIC_NAME.test(packet.topic)) return close('topic-not-allowed');
    for (const [prefix, kind] of TWIN_REQUESTS) {
      if (!packet.topic.startsWith(prefix)) continue;
      if (!this.#mayUseTwin) return close('endpoint-not-covered');
      const requestId = readRequestId(packet.topic.slice(prefix.length));
      if (requestId.length > MAX_REQUEST_ID) return close('topic-not-allowed');
      return { kind, requestId, payload: packet.payload as Buffer };
    }
    return this.#decideMethodAnswer(packet);
  }

  #decideTelemetry(packet: IPublishPacket, bag: string): Telemetry | PublishFault {
    if (!this.#maySend) return close('endpoint-not-covered');
    if (NOT_IN_TOPIC_NAME.test(bag)) return close('topic-not-allowed');
    const parsed = parsePropertyBag(bag);
    if (parsed === undefined) return close('properties-malformed');
    const properties = packet.retain ? withProperty(parsed, RETAIN_PROPERTY, 'true') : parsed;
    const payload = packet.payload as Buffer;
    const bytes = payload.length + properties.bytes;
    if (bytes > this.#maxMessageBytes) return close('message-too-large');
    return { kind: 'telemetry', properties, payload, bytes };
  }

  #decideMethodAnswer(packet: IPublishPacket): MethodAnswer | PublishFault {
    const match = METHOD_ANSWER.exec(packet.topic);
    if (match === null) return close('topic-not-allowed');
    if (!this.#mayAnswer) return close('endpoint-not-covered');
    return { kind: 'method-response', status: Number(match[1]), requestId: readRequestId(match[2] ?? ''), payload: packet.payload as Buffer };
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

function readRequestId(query: string): string {
  for (const pair of query.split('&')) {
    if (pair.startsWith('$rid=')) return pair.slice('$rid='.length);
  }
  return '';
}

function close(reason: DisconnectReason): PublishFault {
  return { kind: 'close', reason };
}
