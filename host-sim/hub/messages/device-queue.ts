import { ServiceError } from '../service-error.ts';
import type { CloudMessage, QueuedMessage } from './cloud-message.ts';

/** Whether a lock ends by itself after a time, or with the connection it was taken for. */
export type LockHold = 'timed' | 'connection';

interface Lock {
  readonly token: string;
  readonly untilMs: number;
}

interface Entry {
  message: QueuedMessage;
  lock: Lock | undefined;
  wasLocked: boolean;
}

/** The messages of one device, oldest first. Times are given: it owns no clock. */
export class DeviceQueue {
  readonly #entries: Entry[] = [];
  #locksTaken = 0;

  get size(): number {
    return this.#entries.length;
  }

  messages(): readonly QueuedMessage[] {
    return this.#entries.map(({ message }) => message);
  }

  push(message: QueuedMessage): void {
    this.#entries.push({ message, lock: undefined, wasLocked: false });
  }

  /** Hands out the oldest message that nobody holds. */
  lock(untilMs: number): CloudMessage | undefined {
    const entry = this.#entries.find(({ lock }) => lock === undefined);
    if (entry === undefined) return undefined;
    this.#locksTaken += 1;
    const token = formatLockToken(entry.message.sequenceNumber, this.#locksTaken);
    const redelivered = entry.wasLocked;
    entry.lock = { token, untilMs };
    entry.wasLocked = true;
    return { ...entry.message, lockToken: token, redelivered };
  }

  /** Takes the message of a lock out. @throws ServiceError 412 DeviceMessageLockLost */
  take(lockToken: string): QueuedMessage {
    const entry = this.#find(lockToken);
    this.#entries.splice(this.#entries.indexOf(entry), 1);
    return entry.message;
  }

  /** Gives a message back, one delivery counted. @throws ServiceError 412 DeviceMessageLockLost */
  abandon(lockToken: string): QueuedMessage {
    return giveBack(this.#find(lockToken));
  }

  remove(message: QueuedMessage): void {
    const index = this.#entries.findIndex((entry) => entry.message === message);
    if (index >= 0) this.#entries.splice(index, 1);
  }

  /** Ends the locks that were taken for a connection, and not those for a time; no delivery counts. @returns whether there was one */
  unlockAll(): boolean {
    const locked = this.#entries.filter(({ lock }) => lock?.untilMs === Infinity);
    for (const entry of locked) entry.lock = undefined;
    return locked.length > 0;
  }

  /** Gives back what was locked until now, one delivery counted, and finds what has expired: a locked message lives as long as its lock. */
  sweep(nowMs: number): { readonly expired: readonly QueuedMessage[]; readonly givenBack: readonly QueuedMessage[] } {
    const givenBack = this.#entries.filter(({ lock }) => lock !== undefined && lock.untilMs <= nowMs).map(giveBack);
    const expired = this.#entries.filter(({ lock, message }) => lock === undefined && message.expiryMs <= nowMs).map(({ message }) => message);
    return { expired, givenBack };
  }

  /** When `sweep` will find something; `Infinity` for never. */
  nextDeadlineMs(): number {
    return this.#entries.reduce((soonest, { lock, message }) => Math.min(soonest, lock?.untilMs ?? message.expiryMs), Infinity);
  }

  #find(lockToken: string): Entry {
    const entry = this.#entries.find(({ lock }) => lock?.token === lockToken);
    if (entry === undefined) throw new ServiceError(412, 412_002, 'DeviceMessageLockLost', 'this lock is over: the message was settled, given back or purged');
    return entry;
  }
}

function giveBack(entry: Entry): QueuedMessage {
  entry.lock = undefined;
  entry.message = { ...entry.message, deliveryCount: entry.message.deliveryCount + 1 };
  return entry.message;
}

/** A lock looks like the GUIDs of IoT Hub. It is no secret: only the device of the queue can name it. */
function formatLockToken(sequenceNumber: number, locksTaken: number): string {
  const digits = `${sequenceNumber.toString(16).padStart(16, '0')}${locksTaken.toString(16).padStart(16, '0')}`;
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
