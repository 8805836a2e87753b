import type { DeviceEndpoint } from '../access/device-endpoints.ts';
import { resourceSegments, type Identity } from '../identity.ts';

/** SUBACK return codes, MQTT 3.1.1, 3.9.3. */
export type GrantedQos = 0 | 1 | 128;
const SUBACK_FAILURE = 128;

export const TWIN_ANSWERS = '$iothub/twin/res/#';
export const DESIRED_CHANGES = '$iothub/twin/PATCH/properties/desired/#';
export const METHOD_CALLS = '$iothub/methods/POST/#';

/** What a token must cover for a subscription. */
export function endpointOfFilter(filter: string): DeviceEndpoint {
  if (filter === METHOD_CALLS) return 'methods/devicebound';
  return filter === TWIN_ANSWERS || filter === DESIRED_CHANGES ? 'twin' : 'messages/devicebound';
}

/** "A device can only subscribe to five topics at a time." */
const MAX_SUBSCRIPTIONS = 5;

/** [MQTT-2.3.1-1]: packet identifiers are 1 to 65,535. */
const LAST_PACKET_ID = 65_535;

/** A cloud-to-device message that was sent with QoS 1 and not acknowledged. */
export interface UnacknowledgedMessage {
  readonly sequenceNumber: number;
  readonly lockToken: string;
}

/** What outlives a connection with clean session 0: the topic filters, their QoS, and messages that await PUBACK. */
export class Session {
  readonly subscriptions = new Map<string, 0 | 1>();
  /** By packet identifier. */
  readonly unacknowledged = new Map<number, UnacknowledgedMessage>();
  /** `devices/{id}/messages/devicebound/#`; `undefined` where an id makes it no filter. */
  readonly messageFilter: string | undefined;
  readonly #allowed: ReadonlySet<string>;
  readonly #onChange: () => void;
  /** Packet identifiers of an earlier connection, by sequence number: a message keeps its own when it comes again ([MQTT-4.4.0-1]). */
  #former = new Map<number, number>();
  #lastPacketId = 0;

  /** @param onChange called when subscriptions changed */
  constructor(identity: Identity, onChange: () => void = () => {}) {
    this.messageFilter = messageFilterOf(identity);
    this.#allowed = allowedFilters(identity, this.messageFilter);
    this.#onChange = onChange;
  }

  /** IoT Hub grants QoS 1 at most, and only what belongs to the identity. */
  subscribe(filter: string, qos: 0 | 1 | 2): GrantedQos {
    if (!this.#allowed.has(filter) || (!this.subscriptions.has(filter) && this.subscriptions.size >= MAX_SUBSCRIPTIONS)) return SUBACK_FAILURE;
    const granted = qos === 0 ? 0 : 1;
    if (this.subscriptions.get(filter) !== granted) {
      this.subscriptions.set(filter, granted);
      this.#onChange();
    }
    return granted;
  }

  unsubscribe(filter: string): void {
    if (this.subscriptions.delete(filter)) this.#onChange();
  }

  /** QoS for cloud-to-device messages; `undefined` without a subscription. */
  messageQos(): 0 | 1 | undefined {
    return this.messageFilter === undefined ? undefined : this.subscriptions.get(this.messageFilter);
  }

  /** The connection has ended: its locks are void, its packet identifiers are not. */
  suspend(): void {
    for (const [packetId, { sequenceNumber }] of this.unacknowledged) this.#former.set(sequenceNumber, packetId);
    this.unacknowledged.clear();
  }

  /** Gives a message its packet identifier: the one it had, or a free one. */
  hold(message: UnacknowledgedMessage): { readonly packetId: number; readonly isResent: boolean } {
    const former = this.#former.get(message.sequenceNumber);
    const packetId = former ?? this.#nextPacketId();
    this.#former.delete(message.sequenceNumber);
    this.unacknowledged.set(packetId, message);
    return { packetId, isResent: former !== undefined };
  }

  /** Forgets the identifiers of messages that are not to be sent again: they expired or were purged meanwhile. */
  forgetFormer(): void {
    this.#former.clear();
  }

  #nextPacketId(): number {
    const former = new Set(this.#former.values());
    do {
      this.#lastPacketId = this.#lastPacketId === LAST_PACKET_ID ? 1 : this.#lastPacketId + 1;
    } while (this.unacknowledged.has(this.#lastPacketId) || former.has(this.#lastPacketId));
    return this.#lastPacketId;
  }
}

/** An id with `#` or `+` makes its own filters invalid ([MQTT-4.7.1-2], [MQTT-4.7.1-3]): only the shared ones are left to it. */
function messageFilterOf(identity: Identity): string | undefined {
  const base = resourceSegments(identity).join('/');
  return /[#+]/.test(base) ? undefined : `${base}/messages/devicebound/#`;
}

function allowedFilters(identity: Identity, messageFilter: string | undefined): ReadonlySet<string> {
  const shared = [METHOD_CALLS, TWIN_ANSWERS, DESIRED_CHANGES];
  if (messageFilter === undefined) return new Set(shared);
  const base = resourceSegments(identity).join('/');
  const own = identity.moduleId === undefined ? [messageFilter] : [messageFilter, `${base}/inputs/#`, `${base}/#`];
  return new Set([...shared, ...own]);
}
