/** A message that `send()` accepted, until the hub has acknowledged it. */
export interface OutboxEntry {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1;
  /** 1–65535 once sent, 0 before and for QoS 0. */
  packetId: number;
  state: typeof QUEUED | typeof SENT | typeof LEAVING | typeof DONE;
  /** Sent before on another connection. */
  dup: boolean;
  sentAtMs: number;
  /** Serial of the connection it was sent on. */
  sentOn: number;
}

export const QUEUED = 0;
export const SENT = 1;
export const DONE = 2;
/** Of QoS 0: given to the connection, which may not have taken all of it; nothing else is sent before it has. */
export const LEAVING = 3;

export const LAST_PACKET_ID = 0xffff;

/**
 * The bounded queue of outgoing messages, in order, with the window of those that wait for PUBACK.
 * It outlives connections: what was sent and not acknowledged is sent again, same id, DUP set [MQTT-4.4.0-1].
 */
export class Outbox {
  readonly #capacity: number;
  readonly #window: number;
  readonly #ring: (OutboxEntry | undefined)[];
  #head = 0;
  #count = 0;
  /** Offset from the head of the first entry that may be QUEUED. */
  #cursor = 0;
  #inFlight = 0;
  #unacknowledged = 0;
  #lastPacketId = 0;
  /** The counter has met an id in use: from then on, until the queue is empty, every id is looked up. */
  #wentRound = false;

  /** Who else has packet ids that are not acknowledged. */
  other: { holds(packetId: number): boolean } | undefined;

  constructor(capacity: number, window: number) {
    this.#capacity = capacity;
    this.#window = window;
    this.#ring = new Array<OutboxEntry | undefined>(capacity).fill(undefined);
  }

  /** Messages sent and not acknowledged. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Messages accepted and not yet done. */
  get size(): number {
    return this.#unacknowledged;
  }

  get isFull(): boolean {
    return this.#count === this.#capacity;
  }

  /** False when full. */
  push(topic: string, payload: Uint8Array, qos: 0 | 1): boolean {
    if (this.#count === this.#capacity) return false;
    this.#ring[(this.#head + this.#count) % this.#capacity] = {
      topic, payload, qos, packetId: 0, state: QUEUED, dup: false, sentAtMs: 0, sentOn: 0,
    };
    this.#count += 1;
    this.#unacknowledged += 1;
    return true;
  }

  /** The next message to send, if the window has room for it. */
  next(): OutboxEntry | undefined {
    while (this.#cursor < this.#count) {
      const entry = this.#at(this.#cursor);
      if (entry?.state !== QUEUED) {
        this.#cursor += 1;
        continue;
      }
      if (entry.qos === 1 && this.#inFlight >= this.#window) return undefined;
      return entry;
    }
    return undefined;
  }

  /** `entry`, given by `next`, is about to leave; a QoS 1 message gets its packet id here. */
  markSent(entry: OutboxEntry, nowMs: number, connection: number): void {
    entry.sentOn = connection;
    entry.sentAtMs = nowMs;
    entry.state = entry.qos === 0 ? LEAVING : SENT;
    if (entry.qos === 0) return;
    if (entry.packetId === 0) entry.packetId = this.takePacketId();
    this.#inFlight += 1;
  }

  /** The connection has taken the whole of `entry`, a QoS 0 message. False when it is to be sent again: its connection has gone before. */
  markLeft(entry: OutboxEntry): boolean {
    if (entry.state !== LEAVING) return false;
    this.#finish(entry);
    return true;
  }

  /** The message that PUBACK `packetId` ends; `undefined` when no such message is in flight. */
  acknowledge(packetId: number): OutboxEntry | undefined {
    for (let i = 0; i < this.#count; i++) {
      const entry = this.#at(i);
      if (entry === undefined || entry.packetId !== packetId || entry.state !== SENT) continue;
      this.#inFlight -= 1;
      this.#finish(entry);
      return entry;
    }
    return undefined;
  }

  /** What was sent on another connection than `connection` and not acknowledged is queued again, in order, with DUP. */
  requeue(connection: number): void {
    for (let i = 0; i < this.#count; i++) {
      const entry = this.#at(i);
      if (entry === undefined || entry.sentOn === connection) continue;
      // A part of it never left: the hub cannot have had it.
      if (entry.state === LEAVING) entry.state = QUEUED;
      if (entry.state !== SENT) continue;
      entry.state = QUEUED;
      entry.dup = true;
      this.#inFlight -= 1;
    }
    this.#cursor = 0;
  }

  /** When the message that has waited longest on `connection` was sent; Infinity when none waits. */
  oldestSentAtMs(connection: number): number {
    let oldest = Infinity;
    let left = this.#inFlight;
    for (let i = 0; left > 0 && i < this.#count; i++) {
      const entry = this.#at(i);
      if (entry?.state !== SENT) continue;
      left -= 1;
      if (entry.sentOn === connection && entry.sentAtMs < oldest) oldest = entry.sentAtMs;
    }
    return oldest;
  }

  /** An id that is in no use ([MQTT-2.3.1-2]); ids wrap from 65535 to 1. */
  takePacketId(): number {
    do {
      this.#lastPacketId = this.#lastPacketId === LAST_PACKET_ID ? 1 : this.#lastPacketId + 1;
    } while (this.#isTaken(this.#lastPacketId) || this.other?.holds(this.#lastPacketId) === true);
    return this.#lastPacketId;
  }

  #isTaken(packetId: number): boolean {
    // Ids are given in the order of the queue: going round, the head's is the first that the counter meets.
    if (!this.#wentRound && this.#at(0)?.packetId !== packetId) return false;
    this.#wentRound = true;
    for (let i = 0; i < this.#count; i++) {
      const entry = this.#at(i);
      if (entry?.packetId === packetId && entry.state !== DONE) return true;
    }
    return false;
  }

  #finish(entry: OutboxEntry): void {
    entry.state = DONE;
    this.#unacknowledged -= 1;
    while (this.#count > 0 && this.#at(0)?.state === DONE) {
      this.#ring[this.#head] = undefined;
      this.#head = (this.#head + 1) % this.#capacity;
      this.#count -= 1;
      if (this.#cursor > 0) this.#cursor -= 1;
    }
    if (this.#count === 0) this.#wentRound = false;
  }

  #at(offset: number): OutboxEntry | undefined {
    return this.#ring[(this.#head + offset) % this.#capacity];
  }
}
