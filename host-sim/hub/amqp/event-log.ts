import type { HubEvent } from '../events.ts';
import { bareIdentity, type Identity } from '../identity.ts';

/** A message of a device as a reader of events sees it. */
export interface LoggedEvent {
  readonly identity: Identity;
  /** From 0, without gaps, in its partition. */
  readonly sequenceNumber: number;
  /** Where it starts in its partition, in bytes; grows, and says nothing else. */
  readonly offset: number;
  readonly enqueuedMs: number;
  readonly properties: Readonly<Record<string, string>>;
  /** By their MQTT names, such as `$.mid`. */
  readonly systemProperties: Readonly<Record<string, string>>;
  readonly payload: Buffer;
  /** `iothub-connection-auth-method`. */
  readonly authMethod: string;
  /** Of the identity, when it sent; `undefined` for one that the registry does not know. */
  readonly generationId: string | undefined;
  /** The Plug and Play model that its connection announced. */
  readonly modelId: string | undefined;
  readonly bytes: number;
}

export interface EventLogLimits {
  readonly partitions: number;
  /** Events of one partition; the oldest go. */
  readonly events: number;
  /** ... and their bytes. */
  readonly bytes: number;
}

/** What a reader may ask of a partition. */
export interface PartitionState {
  readonly beginSequenceNumber: number;
  /** -1 before the first event. */
  readonly lastSequenceNumber: number;
  readonly lastOffset: number;
  readonly lastEnqueuedMs: number;
  readonly isEmpty: boolean;
}

/** Four partitions are what a new IoT Hub has. The rest is ours: 32 MB at most. */
export const DEFAULT_EVENT_LOG_LIMITS: EventLogLimits = { partitions: 4, events: 10_000, bytes: 8 * 1024 * 1024 };

interface Partition {
  events: LoggedEvent[];
  bytes: number;
  nextSequenceNumber: number;
  nextOffset: number;
  last: LoggedEvent | undefined;
}

/** What the devices sent lately, for readers of the built-in events endpoint: in partitions by device id, in memory, bounded. */
export class EventLog {
  readonly #limits: EventLogLimits;
  readonly #partitions: readonly Partition[];
  readonly #listeners = new Set<(partition: number) => void>();
  /** What is known of connections, by their numbers. */
  readonly #connections = new Map<number, { readonly authMethod: string; readonly modelId: string | undefined }>();
  readonly #generationOf: (identity: Identity) => string | undefined;

  /** @param generationOf the registry's, for what each event says of its sender */
  constructor(limits: Partial<EventLogLimits> = {}, generationOf: (identity: Identity) => string | undefined = () => undefined) {
    this.#generationOf = generationOf;
    this.#limits = { ...DEFAULT_EVENT_LOG_LIMITS, ...limits };
    this.#partitions = Array.from({ length: this.#limits.partitions }, () => ({ events: [], bytes: 0, nextSequenceNumber: 0, nextOffset: 0, last: undefined }));
  }

  get partitionCount(): number {
    return this.#partitions.length;
  }

  /** Takes what is telemetry of the hub's events. */
  observe(event: HubEvent): void {
    switch (event.event) {
      case 'connected':
        this.#connections.set(event.connection, { authMethod: formatAuthMethod(event, event.policy), modelId: event.modelId });
        break;
      case 'disconnected':
        this.#connections.delete(event.connection);
        break;
      case 'messageReceived':
        this.#append(event);
        break;
      default:
    }
  }

  /** @returns events from a sequence number on, as many as `maxEvents`; what was dropped is left out */
  read(partition: number, fromSequenceNumber: number, maxEvents: number): readonly LoggedEvent[] {
    const events = this.#partitions[partition]?.events ?? [];
    const start = Math.max(0, fromSequenceNumber - (events[0]?.sequenceNumber ?? 0));
    return events.slice(start, start + maxEvents);
  }

  /** The sequence number of the first event that `matches`, or of the next one to come. Events are looked at in their order. */
  findFirst(partition: number, matches: (event: LoggedEvent) => boolean): number {
    const found = this.#partitions[partition];
    return found?.events.find(matches)?.sequenceNumber ?? found?.nextSequenceNumber ?? 0;
  }

  state(partition: number): PartitionState | undefined {
    const found = this.#partitions[partition];
    if (found === undefined) return undefined;
    return {
      beginSequenceNumber: found.events[0]?.sequenceNumber ?? found.nextSequenceNumber,
      lastSequenceNumber: found.nextSequenceNumber - 1,
      lastOffset: found.last?.offset ?? -1,
      lastEnqueuedMs: found.last?.enqueuedMs ?? 0,
      isEmpty: found.events.length === 0,
    };
  }

  /** @returns a function that ends it */
  onAppend(listener: (partition: number) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #append(event: Extract<HubEvent, { event: 'messageReceived' }>): void {
    const number = hash(event.deviceId) % this.#partitions.length;
    const partition = this.#partitions[number];
    if (partition === undefined) return;
    const { properties, systemProperties, bytes } = event;
    const identity = bareIdentity(event);
    const connection = this.#connections.get(event.connection);
    const logged: LoggedEvent = {
      identity,
      sequenceNumber: partition.nextSequenceNumber,
      offset: partition.nextOffset,
      enqueuedMs: event.at,
      properties,
      systemProperties,
      // A copy: the event's payload is part of a connection's buffer.
      payload: Buffer.from(event.payload),
      authMethod: connection?.authMethod ?? formatAuthMethod(identity, undefined),
      generationId: this.#generationOf(identity),
      modelId: connection?.modelId,
      bytes,
    };
    partition.nextSequenceNumber += 1;
    partition.nextOffset += bytes + 1;
    partition.last = logged;
    partition.events.push(logged);
    partition.bytes += bytes;
    while (partition.events.length > this.#limits.events || partition.bytes > this.#limits.bytes) {
      partition.bytes -= partition.events.shift()?.bytes ?? 0;
    }
    for (const listener of this.#listeners) listener(number);
  }
}

function formatAuthMethod({ moduleId }: Identity, policy: string | undefined): string {
  const scope = policy !== undefined ? 'hub' : moduleId === undefined ? 'device' : 'module';
  return JSON.stringify({ scope, type: 'sas', issuer: 'iothub', acceptingIpFilterRule: null });
}

/** FNV-1a: a device stays in its partition. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}
