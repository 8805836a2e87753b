import type { Application } from '../application.ts';
import type { AgentConfig } from '../config.ts';
import type { HubConnection } from '../hub-connection.ts';
import { FIRST_ROUND_TRIP_MS } from '../limits.ts';
import { LAST_PACKET_ID, Outbox, type OutboxEntry } from '../mqtt/outbox.ts';

/** Weight of a new round-trip sample, as in RFC 6298. */
const ROUND_TRIP_GAIN = 1 / 8;

export interface SenderOwner {
  nowMs(): number;
  /** A message that must be acknowledged has left now. */
  messageSent(nowMs: number): void;
}

/** Moves messages from the outbox to a connection, as far as window and connection have room, and tells the application. */
export class Sender {
  readonly outbox: Outbox;
  readonly #config: Pick<AgentConfig, 'pipeline'>;
  readonly #application: Application;
  readonly #owner: SenderOwner;
  #roundTripMs: number = FIRST_ROUND_TRIP_MS;
  #pumping = false;
  #wasFull = false;
  /** A QoS 0 message that the connection has not taken whole. */
  #leaving: OutboxEntry | undefined;
  /** Nothing leaves on the current connection: its window drains, or the next one's CONNECT is under way. */
  paused = false;

  constructor(config: Pick<AgentConfig, 'queue' | 'window' | 'pipeline'>, application: Application, owner: SenderOwner) {
    this.#config = config;
    this.#application = application;
    this.#owner = owner;
    this.outbox = new Outbox(config.queue, config.window);
  }

  /** From PUBLISH to PUBACK, smoothed. */
  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  /** False when there is no room; the application is told when there is again. */
  hasRoom(): boolean {
    if (this.outbox.isFull) this.#wasFull = true;
    return !this.outbox.isFull;
  }

  /** False for an id that is not in flight: a late answer to an earlier connection's message, or a confused hub. Nothing is lost. */
  acknowledge(packetId: number): boolean {
    const entry = this.outbox.acknowledge(packetId);
    if (entry === undefined) return false;
    if (!entry.dup) this.#roundTripMs += (this.#owner.nowMs() - entry.sentAtMs - this.#roundTripMs) * ROUND_TRIP_GAIN;
    this.#application.acknowledged();
    return true;
  }

  /** Sends on the current connection. */
  pump(connection: HubConnection): void {
    // The application may send more in a callback of the loop: the loop goes on with it, the stack does not grow.
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      if (this.#leaving !== undefined) this.#finishLeaving(connection);
      for (let entry = this.outbox.next(); entry !== undefined && connection.canSend && !this.paused; entry = this.outbox.next()) {
        this.#publish(connection, entry);
      }
    } finally {
      this.#pumping = false;
    }
    if (!this.#wasFull || this.outbox.isFull) return;
    this.#wasFull = false;
    this.#application.writable();
  }

  /** Sends again what was sent before `packetId` was. @returns false when there is no room for all of it yet */
  resendBefore(packetId: number, connection: HubConnection): boolean {
    for (let entry = this.outbox.next(); entry?.dup === true && isEarlier(entry.packetId, packetId); entry = this.outbox.next()) {
      if (!connection.canSend) return false;
      this.#publish(connection, entry);
    }
    return true;
  }

  /** Sends behind an unanswered CONNECT: QoS 1 only, QoS 0 messages would be lost with a refusal. */
  pipeline(connection: HubConnection): void {
    if (!this.#config.pipeline) return;
    while (connection.canSend) {
      const entry = this.outbox.next();
      if (entry === undefined || entry.qos === 0) return;
      this.#publish(connection, entry);
    }
  }

  #publish(connection: HubConnection, entry: OutboxEntry): void {
    const nowMs = this.#owner.nowMs();
    this.outbox.markSent(entry, nowMs, connection.serial);
    const { topic, payload, qos, dup } = entry;
    const packetId = qos === 1 ? entry.packetId : undefined;
    connection.send({ type: 'publish', topic, payload, qos, dup, retain: false, packetId });
    if (qos === 1) return this.#owner.messageSent(nowMs);
    this.#leaving = entry;
    this.#finishLeaving(connection);
  }

  #finishLeaving(connection: HubConnection): void {
    const entry = this.#leaving;
    if (entry === undefined || (entry.sentOn === connection.serial && !connection.canSend)) return;
    this.#leaving = undefined;
    if (this.outbox.markLeft(entry)) this.#application.acknowledged();
  }
}

/** Ids are given in a circle of 65,535, and those in use lie close together. */
function isEarlier(packetId: number, other: number): boolean {
  return (other - packetId + LAST_PACKET_ID) % LAST_PACKET_ID < LAST_PACKET_ID / 2;
}
