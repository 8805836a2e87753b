import type { Duplex } from 'node:stream';
import { AmqpSide } from './amqp/amqp-side.ts';
import { Configurations } from './configurations/configurations.ts';
import { decideConnect } from './mqtt/connect-rules.ts';
import { MqttSide } from './mqtt/mqtt-side.ts';
import type { HubEvent, HubEventBody } from './events.ts';
import { FaultControl } from './faults/fault-control.ts';
import { HubError } from './hub-error.ts';
import type { Identity } from './identity.ts';
import { DEFAULT_GRACE_MS, DEFAULT_LIMITS, type HubLimits } from './limits.ts';
import { listenTls, type ListenOptions, type Listener } from './listen.ts';
import type { Registry, RegistryChange } from './registry/registry.ts';
import { FeedbackQueue } from './messages/feedback-queue.ts';
import { MessageQueues, type DeviceDirectory, type MessageChange } from './messages/message-queues.ts';
import { MethodBroker } from './methods/method-broker.ts';
import { PresenceStore } from './mqtt/presence-store.ts';
import { SessionStore } from './mqtt/session-store.ts';
import type { RowSource } from './query/run-query.ts';
import { createTwinRows } from './query/twin-rows.ts';
import type { Durable, DurableRecord } from './state/durable.ts';
import type { Throttles } from './throttles/throttles.ts';
import { formatTwin, type Presence } from './twins/twin-format.ts';
import { TwinStore, type TwinChange } from './twins/twin-store.ts';
import { authorize, type AccessContext, type AccessDenial, type AccessGrant, type AccessRequest, type DeniedSharedAccess } from './access/authorize.ts';
import { generateKeyPair } from './access/symmetric-key.ts';
import type { RestServer } from './rest/rest-server.ts';
import { createServiceApi } from './rest/service-api.ts';
import type { Clock } from '../time/clock.ts';

export interface HubOptions {
  /** Host name that stands in user names and tokens, such as `myhub.azure-devices.net`. */
  readonly hubName: string;
  readonly clock: Clock;
  readonly registry: Registry;
  /** How long a connection outlives its token. Default 5 minutes. */
  readonly graceMs?: number;
  readonly onEvent?: (event: HubEvent) => void;
  readonly limits?: Partial<HubLimits>;
  /** Stores as they were kept; new ones when not given. */
  readonly twins?: TwinStore;
  readonly messages?: MessageQueues;
  readonly feedback?: FeedbackQueue;
  readonly sessions?: SessionStore;
  readonly presences?: PresenceStore;
  /** Of automatic device configurations. */
  readonly configurationRecords?: Iterable<DurableRecord>;
  /** The rates of IoT Hub; none when not given. */
  readonly throttles?: Throttles;
  /** What was kept of the stores that are not given, by their prefix. */
  readonly records?: (prefix: string) => Iterable<DurableRecord>;
  /** Whose tokens the hub takes no more. Default: all are taken. */
  readonly deniedAccess?: DeniedSharedAccess;
}

/** What `stall` withholds: the answer to every new CONNECT, or everything on the connection of now as well. */
export type StallScope = 'connects' | 'everything';

export interface Hub {
  readonly hubName: string;
  readonly registry: Registry;
  /** Every identity of the registry has its twin. */
  readonly twins: TwinStore;
  readonly methods: MethodBroker;
  /** Cloud-to-device queues. */
  readonly messages: MessageQueues;
  /** Automatic device configurations. */
  readonly configurations: Configurations;
  /** What queries run over. */
  readonly rows: RowSource;
  readonly throttles: Throttles | undefined;
  /** What goes wrong on request. */
  readonly faults: FaultControl;
  /** What of the hub's own stores a state file keeps; the registry and others are their owners' to add. */
  readonly durables: readonly Durable[];
  /** Whether an identity is connected, and what is known of it. */
  presence(identity: Identity): Presence;
  /** A device has sent or received something over HTTPS, which has no connections. */
  noteActivity(identity: Identity): void;
  /** A twin as the service API shows it; `undefined` when there is no such identity. */
  describeTwin(identity: Identity): ServiceTwin | undefined;
  /** Takes the plaintext side of a client's connection; the hub owns the stream from now on. */
  accept(stream: Duplex, peer: string): void;
  /** The same of a client of the service API (HTTP), which also tells the time. */
  acceptHttps(stream: Duplex, peer: string): void;
  /** The same of a service's AMQP connection. */
  acceptAmqp(stream: Duplex, peer: string): void;
  /** Says at which port services find `acceptAmqp`: from now on what devices send is kept for them, in memory. */
  serveAmqpAt(port: number): void;
  /** Decides, for every protocol, whether a token allows something. */
  authorize(request: AccessRequest): AccessGrant | AccessDenial;
  /** Accepts TLS connections on a port. @throws ERR_PORT_IN_USE, ERR_PORT_FORBIDDEN, ERR_ADDRESS */
  listen(options: ListenOptions): Promise<Listener>;
  /** Closes every listener and connection. */
  close(): Promise<void>;
  /** Hears every event from now on. @returns a function that ends it */
  onEvent(listener: (event: HubEvent) => void): () => void;
  /** Puts an event of a service beside the hub (NTP, Date, state file) into the stream; the object is the hub's from now on. */
  emit(event: HubEventBody): void;
  /** The hub's clock with its offset, milliseconds since 1970. */
  now(): number;
  /** Who is connected. */
  identities(): readonly Identity[];

  /** A fault: the hub's clock is off by so much. */
  setClockOffset(offsetMs: number): void;
  /** A fault: the connection breaks without a word. @returns whether there was one */
  dropConnection(identity: Identity): boolean;
  /** A fault: the hub goes silent towards one identity until `resume`. */
  stall(identity: Identity, scope: StallScope): void;
  resume(identity: Identity): void;
}

/** @throws ERR_HUB_NAME */
export function createHub(options: HubOptions): Hub {
  if (!/^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(options.hubName)) {
    throw new HubError('ERR_HUB_NAME', `no host name: ${JSON.stringify(options.hubName)}`, 'use letters, digits, dots and hyphens, such as myhub.azure-devices.net');
  }
  return new LocalHub(options);
}

/** A twin with what automatic configurations are to it. */
export type ServiceTwin = ReturnType<typeof formatTwin> & { readonly configurations: NonNullable<ReturnType<Configurations['statusOf']>> };

class LocalHub implements Hub {
  readonly hubName: string;
  readonly registry: Registry;
  readonly twins: TwinStore;
  readonly methods: MethodBroker;
  readonly messages: MessageQueues;
  readonly configurations: Configurations;
  readonly rows: RowSource;
  readonly throttles: Throttles | undefined;
  readonly faults: FaultControl;
  readonly durables: readonly Durable[];
  readonly clock: Clock;
  readonly limits: HubLimits;
  readonly #listeners = new Set<(event: HubEvent) => void>();
  readonly #mqtt: MqttSide;
  readonly #amqp: AmqpSide;
  readonly #ports = new Set<Listener>();
  readonly #dummyKeys = generateKeyPair();
  readonly #deniedAccess: DeniedSharedAccess;
  readonly #serviceApi: RestServer;
  readonly #stopWatching: readonly (() => void)[];
  #offsetMs = 0;

  constructor(options: HubOptions) {
    this.hubName = options.hubName;
    this.registry = options.registry;
    this.clock = options.clock;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    if (options.onEvent !== undefined) this.#listeners.add(options.onEvent);
    const records = options.records ?? (() => []);
    this.twins = options.twins ?? new TwinStore(options.clock, records('twin'));
    this.messages = options.messages ?? new MessageQueues(options.clock, directoryOf(options.registry), {}, records('message'));
    this.methods = new MethodBroker(options.clock, (event) => this.emit(event));
    this.throttles = options.throttles;
    const sessions = options.sessions ?? new SessionStore(records('session'));
    const presences = options.presences ?? new PresenceStore(records('presence'));
    this.faults = new FaultControl(options.clock, (event) => this.emit(event), { connections: () => this.#mqtt.connections(), setClockOffset: (offsetMs) => this.setClockOffset(offsetMs) });
    this.#mqtt = new MqttSide({
      faults: this.faults,
      clock: this.clock, limits: this.limits, graceMs: options.graceMs ?? DEFAULT_GRACE_MS, sessions, presences,
      services: { twins: this.twins, methods: this.methods, messages: this.messages, throttles: this.throttles, now: () => this.now() },
      emit: (event) => this.emit(event),
      decideConnect: (packet) => decideConnect(packet, { ...this.#accessContext(), hubName: this.hubName, maxMessageBytes: this.limits.messageBytes }),
      findIdentity: (identity) => this.registry.find(identity),
    });
    this.#amqp = new AmqpSide({
      hubName: this.hubName, clock: this.clock, graceMs: options.graceMs ?? DEFAULT_GRACE_MS, messages: this.messages, throttles: this.throttles,
      feedback: options.feedback ?? new FeedbackQueue(options.clock, {}, records('feedback')),
      accessContext: () => this.#accessContext(),
      now: () => this.now(),
      emit: (event) => this.emit(event),
      onEvent: (listener) => this.onEvent(listener),
    });
    this.#matchStores();
    this.rows = createTwinRows({ identities: () => this.twins.identities(), read: (identity) => this.describeTwin(identity) });
    this.configurations = new Configurations({
      clock: options.clock, twins: this.twins, rows: this.rows, records: options.configurationRecords ?? records('configuration'), emit: (event) => this.emit(event),
    });
    this.durables = [this.twins, this.messages, this.#amqp.feedback, sessions, presences, this.configurations];
    this.#deniedAccess = options.deniedAccess ?? {};
    this.#serviceApi = createServiceApi(this, options.clock);
    this.#stopWatching = [
      options.registry.onChange((change) => this.#applyChange(change)),
      this.twins.onChange((change) => this.#tellTwin(change)),
      this.messages.onChange((change) => this.#tellMessage(change)),
      this.messages.onAvailable((identity) => this.#mqtt.pump(identity)),
    ];
  }

  accept(stream: Duplex, peer: string): void {
    this.#mqtt.accept(stream, peer);
  }

  acceptHttps(stream: Duplex, peer: string): void {
    this.#serviceApi.accept(stream, peer);
  }

  acceptAmqp(stream: Duplex, peer: string): void {
    this.#amqp.accept(stream, peer);
  }

  serveAmqpAt(port: number): void {
    this.#amqp.serveAt(port);
  }

  authorize(request: AccessRequest): AccessGrant | AccessDenial {
    return authorize(request, this.#accessContext());
  }

  async listen(options: ListenOptions): Promise<Listener> {
    const listener = await listenTls(options, this.limits, {
      accept: (stream, peer) => this.accept(stream, peer),
      failed: (peer, code, detail) => this.emit({ event: 'tlsFailed', peer, code, detail }),
    });
    this.#ports.add(listener);
    this.emit({ event: 'listening', service: 'mqtt', address: listener.address, port: listener.port });
    return listener;
  }

  async close(): Promise<void> {
    for (const stop of this.#stopWatching) stop();
    this.#serviceApi.close();
    this.#amqp.close();
    this.configurations.close();
    this.faults.close();
    this.methods.close();
    this.messages.close();
    this.#mqtt.close();
    await Promise.all([...this.#ports].map((port) => port.close()));
    this.#ports.clear();
  }

  onEvent(listener: (event: HubEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(body: HubEventBody): void {
    // Stamped in place: a copy would be half the cost of a message.
    const event: HubEvent = Object.assign(body, { at: this.clock.now(), monotonicMs: this.clock.monotonicMs() });
    for (const listener of this.#listeners) listener(event);
  }

  now(): number {
    return this.clock.now() + this.#offsetMs;
  }

  identities(): readonly Identity[] {
    return this.#mqtt.identities();
  }

  presence(identity: Identity): Presence {
    return this.#mqtt.presence(identity);
  }

  noteActivity(identity: Identity): void {
    this.#mqtt.noteActivity(identity);
  }

  describeTwin(identity: Identity): ServiceTwin | undefined {
    const registered = this.registry.find(identity);
    if (registered === undefined || !this.twins.has(identity)) return undefined;
    const waiting = identity.moduleId === undefined ? this.messages.count(identity) : 0;
    return { ...formatTwin(registered, this.twins.read(identity), this.presence(identity), waiting), configurations: this.configurations.statusOf(identity) ?? {} };
  }

  setClockOffset(offsetMs: number): void {
    this.#offsetMs = offsetMs;
    this.emit({ event: 'clockShifted', offsetMs });
    this.#mqtt.watchExpiries();
    this.#amqp.clockShifted();
  }

  dropConnection(identity: Identity): boolean {
    return this.#mqtt.drop(identity);
  }

  stall(identity: Identity, scope: StallScope): void {
    this.#mqtt.stall(identity, scope);
  }

  resume(identity: Identity): void {
    this.#mqtt.resume(identity);
  }

  #accessContext(): AccessContext {
    return { registry: this.registry, dummyKeys: this.#dummyKeys, nowMs: this.now(), denied: this.#deniedAccess };
  }

  #tellTwin(change: TwinChange): void {
    const { identity, part, version, replaced } = change;
    this.emit({ event: 'twinChanged', ...identity, part, version, replaced });
    if (part === 'desired') this.#mqtt.tellDesired(change);
  }

  #tellMessage({ deviceId, change, message: { messageId, sequenceNumber, payload } }: MessageChange): void {
    this.emit({ event: 'cloudMessage', change, deviceId, messageId, sequenceNumber, bytes: payload.length });
  }

  /** Every identity has a twin, and nobody else has anything: what was kept may have been cut off in the middle of a change. */
  #matchStores(): void {
    const orphans = [...this.twins.identities(), ...this.#mqtt.knownIdentities()].filter((identity) => this.registry.find(identity) === undefined);
    for (const identity of orphans) this.#forget(identity);
    for (const identity of this.registry.contents().identities) this.twins.create(identity);
  }

  #forget(identity: Identity): void {
    for (const store of [this.#mqtt, this.messages, this.#amqp, this.methods, this.twins]) store.delete(identity);
  }

  #applyChange(change: RegistryChange): void {
    this.emit(
      'policy' in change
        ? { event: 'registryChanged', change: change.change, policy: change.policy }
        : { event: 'registryChanged', change: change.change, ...change.identity },
    );
    if (change.change === 'added') {
      this.twins.create(change.identity);
      this.configurations.addTwin(change.identity);
    }
    if (change.change !== 'disabled' && change.change !== 'removed') return;
    this.#mqtt.closeVoid(change.change === 'disabled' ? 'identity-disabled' : 'identity-removed');
    if (change.change !== 'removed') return;
    this.#forget(change.identity);
    this.configurations.removeTwin(change.identity);
  }
}

function directoryOf(registry: Registry): DeviceDirectory {
  return {
    findDevice: (deviceId) => {
      const device = registry.find({ deviceId });
      return device === undefined ? undefined : { generationId: device.generationId };
    },
  };
}
