import type { Clock } from '../../time/clock.ts';
import type { Durable, DurableRecord } from '../state/durable.ts';
import { DEFAULT_FEEDBACK_LIMITS, type FeedbackLimits } from './limits.ts';
import type { FeedbackRecord } from './message-queues.ts';

/** Records on their way to one receiver. */
export interface FeedbackBatch {
  readonly lockToken: number;
  readonly records: readonly FeedbackRecord[];
  /** When the oldest of them came about. */
  readonly enqueuedMs: number;
  /** How often the most abandoned of them was given back. */
  readonly deliveryCount: number;
}

interface Entry {
  readonly sequenceNumber: number;
  readonly record: FeedbackRecord;
  readonly enqueuedMs: number;
  deliveryCount: number;
  lock: { readonly token: number; readonly untilMs: number } | undefined;
}

type StoredEntry = Pick<Entry, 'sequenceNumber' | 'record' | 'enqueuedMs' | 'deliveryCount'>;

/**
 * Feedback that waits for a service: in batches, each settled as a whole; one queue, which the receivers share.
 * @see https://learn.microsoft.com/azure/iot-hub/iot-hub-devguide-messages-c2d#message-feedback
 */
export class FeedbackQueue implements Durable {
  readonly prefix = 'feedback';
  readonly #clock: Clock;
  readonly #limits: FeedbackLimits;
  readonly #available = new Set<() => void>();
  readonly #records = new Set<(key: string, value: unknown) => void>();
  #entries: Entry[] = [];
  #lastSequenceNumber = 0;
  #lastToken = 0;
  #lastSentMs = -Infinity;
  #isClosed = false;
  #cancelTimer: () => void = () => {};

  constructor(clock: Clock, limits: Partial<FeedbackLimits> = {}, records: Iterable<DurableRecord> = []) {
    this.#clock = clock;
    this.#limits = { ...DEFAULT_FEEDBACK_LIMITS, ...limits };
    for (const [, value] of records) this.#entries.push({ ...(value as StoredEntry), lock: undefined });
    this.#lastSequenceNumber = this.#entries.at(-1)?.sequenceNumber ?? 0;
  }

  add(record: FeedbackRecord): void {
    this.#lastSequenceNumber += 1;
    const entry: Entry = { sequenceNumber: this.#lastSequenceNumber, record, enqueuedMs: this.#clock.now(), deliveryCount: 0, lock: undefined };
    this.#entries.push(entry);
    this.#save(entry);
    if (this.#entries.length > this.#limits.records) this.#drop((other) => other === this.#entries[0]);
    this.#announce();
  }

  /** Records that wait or are on their way. */
  get size(): number {
    this.#sweep();
    return this.#entries.length;
  }

  /** Hands out what waits, when it is a full batch or the last one was long enough ago. */
  lock(): FeedbackBatch | undefined {
    this.#sweep();
    if (this.#dueInMs() > 0) return undefined;
    const nowMs = this.#clock.now();
    const batch = this.#waiting().slice(0, this.#limits.batchRecords);
    const [oldest] = batch;
    if (oldest === undefined) return undefined;
    this.#lastToken += 1;
    this.#lastSentMs = nowMs;
    for (const entry of batch) entry.lock = { token: this.#lastToken, untilMs: nowMs + this.#limits.lockTimeoutMs };
    this.#watch();
    return {
      lockToken: this.#lastToken,
      records: batch.map(({ record }) => record),
      enqueuedMs: oldest.enqueuedMs,
      deliveryCount: Math.max(...batch.map(({ deliveryCount }) => deliveryCount)),
    };
  }

  /** The service has it. @returns false when the lock was over */
  complete(lockToken: number): boolean {
    return this.#drop((entry) => entry.lock?.token === lockToken);
  }

  /** The service gives it back; too often, and it is dropped. @returns false when the lock was over */
  abandon(lockToken: number): boolean {
    return this.#unlock(lockToken, true);
  }

  /** The receiver is gone; that counts for nothing. */
  release(lockToken: number): void {
    this.#unlock(lockToken, false);
  }

  /** "When a device is deleted, any pending feedback is deleted as well." */
  deleteDevice(deviceId: string): void {
    this.#drop((entry) => entry.record.deviceId === deviceId);
  }

  /** Hears when there is a batch to lock. @returns a function that ends it */
  onAvailable(listener: () => void): () => void {
    this.#available.add(listener);
    return () => void this.#available.delete(listener);
  }

  *records(): Iterable<DurableRecord> {
    for (const entry of this.#entries) yield [this.#key(entry), toStored(entry)];
  }

  onRecord(listener: (key: string, value: unknown) => void): () => void {
    this.#records.add(listener);
    return () => void this.#records.delete(listener);
  }

  /** Stops the clock's timer. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
  }

  #waiting(): Entry[] {
    return this.#entries.filter(({ lock }) => lock === undefined);
  }

  #dueInMs(): number {
    if (this.#waiting().length >= this.#limits.batchRecords) return 0;
    return this.#lastSentMs + this.#limits.batchIntervalMs - this.#clock.now();
  }

  #unlock(lockToken: number, counts: boolean): boolean {
    const locked = this.#entries.filter(({ lock }) => lock?.token === lockToken);
    for (const entry of locked) {
      entry.lock = undefined;
      if (counts) entry.deliveryCount += 1;
      if (counts) this.#save(entry);
    }
    this.#drop(({ deliveryCount }) => deliveryCount >= this.#limits.maxDeliveryCount);
    // What comes back was due already: it does not wait for the next batch.
    if (locked.length > 0) this.#lastSentMs = -Infinity;
    this.#announce();
    return locked.length > 0;
  }

  #sweep(): void {
    const nowMs = this.#clock.now();
    for (const entry of this.#entries) {
      if (entry.lock !== undefined && entry.lock.untilMs <= nowMs) entry.lock = undefined;
    }
    this.#drop((entry) => entry.lock === undefined && entry.enqueuedMs + this.#limits.ttlMs <= nowMs);
  }

  #announce(): void {
    // Asked once: between two looks at the clock the moment could pass, and nobody would wake up for it.
    const dueInMs = this.#dueInMs();
    if (dueInMs > 0) return this.#watch(dueInMs);
    if (this.#waiting().length > 0) for (const listener of this.#available) listener();
    this.#watch();
  }

  /** One timer, for the next batch or the end of a lock, whichever comes first. */
  #watch(dueInMs = this.#dueInMs()): void {
    this.#cancelTimer();
    const lockedUntilMs = this.#entries.reduce((soonest, { lock }) => Math.min(soonest, lock?.untilMs ?? Infinity), Infinity);
    const batchInMs = this.#waiting().length > 0 && dueInMs > 0 ? dueInMs : Infinity;
    const delayMs = Math.min(lockedUntilMs - this.#clock.now(), batchInMs);
    if (this.#isClosed || delayMs === Infinity) return;
    this.#cancelTimer = this.#clock.setTimer(Math.max(1, delayMs), () => {
      this.#sweep();
      this.#announce();
    });
  }

  #drop(isGone: (entry: Entry) => boolean): boolean {
    const gone = new Set(this.#entries.filter(isGone));
    if (gone.size === 0) return false;
    this.#entries = this.#entries.filter((entry) => !gone.has(entry));
    for (const entry of gone) {
      for (const listener of this.#records) listener(this.#key(entry), undefined);
    }
    return true;
  }

  #save(entry: Entry): void {
    for (const listener of this.#records) listener(this.#key(entry), toStored(entry));
  }

  #key(entry: Entry): string {
    return `${this.prefix}/${entry.sequenceNumber}`;
  }
}

function toStored({ sequenceNumber, record, enqueuedMs, deliveryCount }: Entry): StoredEntry {
  return { sequenceNumber, record, enqueuedMs, deliveryCount };
}
