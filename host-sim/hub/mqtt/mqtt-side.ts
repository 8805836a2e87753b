import type { Duplex } from 'node:stream';
import type { IConnectPacket } from 'mqtt-packet';
import type { Clock } from '../../time/clock.ts';
import type { HubEventBody } from '../events.ts';
import type { DeviceFaults } from '../faults/device-faults.ts';
import { formatClientId, parseClientId, type Identity } from '../identity.ts';
import type { HubLimits } from '../limits.ts';
import type { Presence } from '../twins/twin-format.ts';
import type { TwinChange } from '../twins/twin-store.ts';
import type { ConnectDenial, ConnectGrant } from './connect-rules.ts';
import type { DeviceServices } from './connected-client.ts';
import { Connection, type ConnectionHost } from './connection.ts';
import type { PresenceStore } from './presence-store.ts';
import type { Session } from './session.ts';
import type { SessionStore } from './session-store.ts';

/** What the device side needs of the hub. */
export interface MqttSideOptions {
  readonly clock: Clock;
  readonly limits: HubLimits;
  readonly graceMs: number;
  readonly services: DeviceServices;
  readonly sessions: SessionStore;
  readonly presences: PresenceStore;
  readonly faults: DeviceFaults;
  emit(event: HubEventBody): void;
  decideConnect(packet: IConnectPacket): ConnectGrant | ConnectDenial;
  /** Whether an identity is registered and enabled, or registered at all. */
  findIdentity(identity: Identity): { readonly enabled: boolean } | undefined;
}

/** The devices' side of the hub: its connections, one for each identity, and what outlives them. */
export class MqttSide implements ConnectionHost {
  readonly clock: Clock;
  readonly limits: HubLimits;
  readonly graceMs: number;
  readonly services: DeviceServices;
  readonly faults: DeviceFaults;
  readonly #options: MqttSideOptions;
  readonly #connections = new Set<Connection>();
  readonly #byClientId = new Map<string, Connection>();
  readonly #stalled = new Set<string>();
  #connectionsOpened = 0;

  constructor(options: MqttSideOptions) {
    this.clock = options.clock;
    this.limits = options.limits;
    this.graceMs = options.graceMs;
    this.services = options.services;
    this.faults = options.faults;
    this.#options = options;
  }

  /** Takes the plaintext side of a client's connection; the stream is the hub's from now on. */
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

  /** Who is connected. */
  identities(): readonly Identity[] {
    return [...this.#byClientId.values()].flatMap((connection) => connection.grant?.identity ?? []);
  }

  /** Those whose CONNECT was accepted. */
  connections(): readonly Connection[] {
    return [...this.#byClientId.values()];
  }

  presence(identity: Identity): Presence {
    const connection = this.#find(identity);
    const last = this.#options.presences.read(identity);
    if (connection === undefined) return last;
    const { connectedMs, silentMs, modelId } = connection;
    const seen = { connected: true, changedMs: connectedMs, connectedSinceMs: connectedMs, lastActivityMs: Math.max(this.now() - silentMs, last.lastActivityMs ?? 0) };
    return modelId === undefined ? seen : { ...seen, modelId };
  }

  /** It has sent or received something over another protocol. */
  noteActivity(identity: Identity): void {
    // It may have been deleted while the body of its request came.
    if (this.#options.findIdentity(identity) !== undefined) this.#options.presences.noteActivity(identity, this.now());
  }

  /** A message may wait for this device. */
  pump(identity: Identity): void {
    this.#find(identity)?.act((client) => client.pump());
  }

  tellDesired(change: TwinChange): void {
    this.#find(change.identity)?.tellDesired(change);
  }

  /** Closes what a change of the registry has made void: of a device, its modules' connections too. */
  closeVoid(reason: 'identity-disabled' | 'identity-removed'): void {
    for (const connection of [...this.#connections]) {
      const identity = connection.grant?.identity;
      if (identity !== undefined && this.#options.findIdentity(identity)?.enabled !== true) connection.close(reason);
    }
  }

  /** Everybody of whom something is kept. */
  knownIdentities(): readonly Identity[] {
    const { sessions, presences } = this.#options;
    return [...sessions.clientIds(), ...presences.clientIds()].flatMap((clientId) => parseClientId(clientId) ?? []);
  }

  /** The identity is gone. */
  delete(identity: Identity): void {
    this.#options.sessions.delete(identity);
    this.#options.presences.delete(identity);
  }

  /** Breaks every connection. */
  close(): void {
    for (const connection of [...this.#connections]) connection.close('hub-closed', undefined, true);
  }

  /** The hub's clock was changed. */
  watchExpiries(): void {
    for (const connection of [...this.#connections]) connection.watchExpiry();
  }

  /** A fault: the connection breaks without a word. @returns whether there was one */
  drop(identity: Identity): boolean {
    const connection = this.#find(identity);
    connection?.close('dropped', undefined, true);
    return connection !== undefined;
  }

  /** A fault: silence towards one identity until `resume`; `connects` only concerns CONNECTs to come. */
  stall(identity: Identity, scope: 'connects' | 'everything'): void {
    this.#stalled.add(formatClientId(identity));
    if (scope === 'everything') this.#find(identity)?.stall();
  }

  resume(identity: Identity): void {
    const clientId = formatClientId(identity);
    this.#stalled.delete(clientId);
    this.#find(identity)?.resume();
    for (const connection of [...this.#connections]) {
      if (connection.heldClientId === clientId) connection.resume();
    }
  }

  now(): number {
    return this.services.now();
  }

  emit(event: HubEventBody): void {
    this.#options.emit(event);
  }

  decideConnect(packet: IConnectPacket): ConnectGrant | ConnectDenial {
    return this.#options.decideConnect(packet);
  }

  holdsConnect(clientId: string): boolean {
    return this.#stalled.has(clientId);
  }

  admit(connection: Connection, grant: ConnectGrant, cleanSession: boolean): { session: Session; sessionPresent: boolean } {
    const older = this.#find(grant.identity);
    if (older !== undefined) {
      this.emit({ event: 'evicted', connection: older.number, ...grant.identity, code: 400027, by: connection.number });
      older.close('evicted');
    }
    this.#byClientId.set(formatClientId(grant.identity), connection);
    this.#notePresence(connection, grant.identity);
    return this.#options.sessions.open(grant.identity, cleanSession);
  }

  release(connection: Connection): void {
    this.#connections.delete(connection);
    const identity = connection.grant?.identity;
    if (identity === undefined || this.#find(identity) !== connection) return;
    this.#byClientId.delete(formatClientId(identity));
    if (this.#options.findIdentity(identity) !== undefined) this.#notePresence(connection, identity);
  }

  #find(identity: Identity): Connection | undefined {
    return this.#byClientId.get(formatClientId(identity));
  }

  #notePresence(connection: Connection, identity: Identity): void {
    const { modelId, silentMs } = connection;
    const nowMs = this.now();
    const lastActivityMs = Math.max(nowMs - silentMs, this.#options.presences.read(identity).lastActivityMs ?? 0);
    this.#options.presences.note(identity, { changedMs: nowMs, lastActivityMs, ...(modelId === undefined ? {} : { modelId }) });
  }
}
