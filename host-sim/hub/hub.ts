import type { Duplex } from 'node:stream';
import { decideConnect, type ConnectDenial, type ConnectGrant } from './mqtt/connect-rules.ts';
import { Connection, type ConnectionHost } from './mqtt/connection.ts';
import type { HubEvent, HubEventBody } from './events.ts';
import { HubError } from './hub-error.ts';
import { formatClientId, type Identity } from './identity.ts';
import { DEFAULT_GRACE_MS, DEFAULT_LIMITS, type HubLimits } from './limits.ts';
import { listenTls, type ListenOptions, type Listener } from './listen.ts';
import type { Registry, RegistryChange } from './registry/registry.ts';
import { Session } from './mqtt/session.ts';
import { generateKeyPair } from './access/symmetric-key.ts';
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
}

/** What `stall` withholds: the answer to every new CONNECT, or everything on the connection of now as well. */
export type StallScope = 'connects' | 'everything';

export interface Hub {
  readonly hubName: string;
  readonly registry: Registry;
  /** Takes the plaintext side of a client's connection; the hub owns the stream from now on. */
  accept(stream: Duplex, peer: string): void;
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

class LocalHub implements Hub, ConnectionHost {
  readonly hubName: string;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly limits: HubLimits;
  readonly graceMs: number;
  readonly #listeners = new Set<(event: HubEvent) => void>();
  readonly #connections = new Set<Connection>();
  readonly #byClientId = new Map<string, Connection>();
  readonly #sessions = new Map<string, Session>();
  readonly #stalled = new Set<string>();
  readonly #ports = new Set<Listener>();
  readonly #dummyKeys = generateKeyPair();
  readonly #stopWatching: () => void;
  #connectionsOpened = 0;
  #offsetMs = 0;

  constructor(options: HubOptions) {
    this.hubName = options.hubName;
    this.registry = options.registry;
    this.clock = options.clock;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.graceMs = options.graceMs ?? DEFAULT_GRACE_MS;
    if (options.onEvent !== undefined) this.#listeners.add(options.onEvent);
    this.#stopWatching = options.registry.onChange((change) => this.#applyChange(change));
  }

  accept(stream: Duplex, peer: string): void {
    if (this.#connections.size >= this.limits.connections) {
      stream.on('error', () => {});
      stream.destroy();
      this.emit({ event: 'connectionRejected', peer, limit: this.limits.connections });
      return;
    }
    this.#connectionsOpened += 1;
    this.#connections.add(new Connection(stream, peer, this.#connectionsOpened, this));
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
    this.#stopWatching();
    for (const connection of [...this.#connections]) connection.close('hub-closed', undefined, true);
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
    return [...this.#byClientId.values()].flatMap((connection) => connection.grant?.identity ?? []);
  }

  setClockOffset(offsetMs: number): void {
    this.#offsetMs = offsetMs;
    this.emit({ event: 'clockShifted', offsetMs });
    for (const connection of [...this.#connections]) connection.watchExpiry();
  }

  dropConnection(identity: Identity): boolean {
    const connection = this.#byClientId.get(formatClientId(identity));
    connection?.close('dropped', undefined, true);
    return connection !== undefined;
  }

  stall(identity: Identity, scope: StallScope): void {
    const clientId = formatClientId(identity);
    this.#stalled.add(clientId);
    if (scope === 'everything') this.#byClientId.get(clientId)?.stall();
  }

  resume(identity: Identity): void {
    const clientId = formatClientId(identity);
    this.#stalled.delete(clientId);
    this.#byClientId.get(clientId)?.resume();
    for (const connection of [...this.#connections]) {
      if (connection.heldClientId === clientId) connection.resume();
    }
  }

  decideConnect(packet: Parameters<typeof decideConnect>[0]): ConnectGrant | ConnectDenial {
    return decideConnect(packet, {
      hubName: this.hubName,
      registry: this.registry,
      dummyKeys: this.#dummyKeys,
      nowMs: this.now(),
      maxMessageBytes: this.limits.messageBytes,
    });
  }

  holdsConnect(clientId: string): boolean {
    return this.#stalled.has(clientId);
  }

  admit(connection: Connection, grant: ConnectGrant, cleanSession: boolean): { session: Session; sessionPresent: boolean } {
    const clientId = formatClientId(grant.identity);
    const older = this.#byClientId.get(clientId);
    if (older !== undefined) {
      this.emit({ event: 'evicted', connection: older.number, ...grant.identity, code: 400027, by: connection.number });
      older.close('evicted');
    }
    this.#byClientId.set(clientId, connection);
    const kept = cleanSession ? undefined : this.#sessions.get(clientId);
    const session = kept ?? new Session(grant.identity);
    // [MQTT-3.1.2-6]: a clean session ends with its connection, and takes an older one with it.
    if (cleanSession) this.#sessions.delete(clientId);
    else this.#sessions.set(clientId, session);
    return { session, sessionPresent: kept !== undefined };
  }

  release(connection: Connection): void {
    this.#connections.delete(connection);
    const identity = connection.grant?.identity;
    if (identity === undefined) return;
    const clientId = formatClientId(identity);
    if (this.#byClientId.get(clientId) === connection) this.#byClientId.delete(clientId);
  }

  #applyChange(change: RegistryChange): void {
    this.emit(
      'policy' in change
        ? { event: 'registryChanged', change: change.change, policy: change.policy }
        : { event: 'registryChanged', change: change.change, ...change.identity },
    );
    if (change.change !== 'disabled' && change.change !== 'removed') return;
    for (const connection of [...this.#connections]) {
      const identity = connection.grant?.identity;
      if (identity === undefined || this.registry.find(identity)?.enabled === true) continue;
      connection.close(change.change === 'disabled' ? 'identity-disabled' : 'identity-removed');
    }
    if (change.change === 'removed') this.#sessions.delete(formatClientId(change.identity));
  }
}
