import { resourceSegments, type Identity } from '../identity.ts';

/** SUBACK return codes, MQTT 3.1.1, 3.9.3. */
export type GrantedQos = 0 | 1 | 128;
const SUBACK_FAILURE = 128;

/** What outlives a connection with clean session 0: the topic filters and their QoS. */
export class Session {
  readonly subscriptions = new Map<string, 0 | 1>();
  readonly #allowed: ReadonlySet<string>;

  constructor(identity: Identity) {
    this.#allowed = allowedFilters(identity);
  }

  /** IoT Hub grants QoS 1 at most, and only what belongs to the identity. */
  subscribe(filter: string, qos: 0 | 1 | 2): GrantedQos {
    if (!this.#allowed.has(filter)) return SUBACK_FAILURE;
    const granted = qos === 0 ? 0 : 1;
    this.subscriptions.set(filter, granted);
    return granted;
  }

  unsubscribe(filter: string): void {
    this.subscriptions.delete(filter);
  }
}

/** An id with `#` or `+` makes its own filters invalid ([MQTT-4.7.1-2], [MQTT-4.7.1-3]): only the shared ones are left to it. */
function allowedFilters(identity: Identity): ReadonlySet<string> {
  const shared = ['$iothub/methods/POST/#', '$iothub/twin/res/#', '$iothub/twin/PATCH/properties/desired/#'];
  const base = resourceSegments(identity).join('/');
  if (/[#+]/.test(base)) return new Set(shared);
  const own = identity.moduleId === undefined ? [`${base}/messages/devicebound/#`] : [`${base}/messages/devicebound/#`, `${base}/inputs/#`, `${base}/#`];
  return new Set([...shared, ...own]);
}
