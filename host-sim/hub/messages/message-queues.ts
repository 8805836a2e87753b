import type { Clock } from '../../time/clock.ts';
import type { Identity } from '../identity.ts';
import { ServiceError } from '../service-error.ts';
import type { Durable, DurableRecord } from '../state/durable.ts';
import { checkMessage, formatMessageRecord, parseMessageRecord, wantsFeedback, type CloudMessage, type FinalState, type OutgoingCloudMessage, type QueuedMessage } from './cloud-message.ts';
import { DeviceQueue, type LockHold } from './device-queue.ts';
import { DEFAULT_MESSAGE_LIMITS, type MessageLimits } from './limits.ts';

/** Which devices there are. */
export interface DeviceDirectory {
  /** @returns `undefined` for a device that the hub does not know */
  findDevice(deviceId: string): { readonly generationId: string } | undefined;
}

/** What a service is told of a message that it wanted feedback for; property names as on the wire. */
export interface FeedbackRecord {
  readonly originalMessageId: string;
  readonly enqueuedTimeUtc: string;
  readonly statusCode: FinalState;
  readonly description: string;
  readonly deviceId: string;
  readonly deviceGenerationId: string;
}

/** A step in a message's life. */
export interface MessageChange {
  readonly deviceId: string;
  readonly message: QueuedMessage;
  readonly change: 'queued' | 'abandoned' | FinalState;
}

/**
 * The cloud-to-device queues: one a device, in order, at least once. A message is locked for its receiver and stays until it is
 * completed or rejected, expires, was given back too often, or is purged. Abandoning and the end of a lock's time count as deliveries; the
 * end of a connection does not.
 * @see https://learn.microsoft.com/azure/iot-hub/iot-hub-devguide-messages-c2d
 */
export class MessageQueues implements Durable {
  readonly prefix = 'message';
  readonly #clock: Clock;
  readonly #devices: DeviceDirectory;
  readonly #limits: MessageLimits;
  readonly #queues = new Map<string, DeviceQueue>();
  readonly #available = new Set<(identity: Identity) => void>();
  readonly #feedback = new Set<(record: FeedbackRecord) => void>();
  readonly #changes = new Set<(change: MessageChange) => void>();
  readonly #records = new Set<(key: string, value: unknown) => void>();
  #lastSequenceNumber = 0;
  #wakeAtMs = Infinity;
  #cancelTimer: () => void = () => {};

  constructor(clock: Clock, devices: DeviceDirectory, limits: Partial<MessageLimits> = {}, records: Iterable<DurableRecord> = []) {
    this.#clock = clock;
    this.#devices = devices;
    this.#limits = { ...DEFAULT_MESSAGE_LIMITS, ...limits };
    for (const [key, value] of records) {
      const message = parseMessageRecord(value);
      this.#lastSequenceNumber = Math.max(this.#lastSequenceNumber, message.sequenceNumber);
      this.#queueOf(parseRecordKey(key)).push(message);
    }
    for (const queue of this.#queues.values()) this.#wakeBy(queue.nextDeadlineMs());
  }

  /**
   * @returns the message as it waits now
   * @throws ServiceError 404 DeviceNotFound, 403 DeviceMaximumQueueDepthExceeded, 413 MessageTooLarge, 400 ArgumentInvalid (also for a module, which has no queue)
   */
  enqueue(identity: Identity, message: OutgoingCloudMessage): QueuedMessage {
    const { deviceId, moduleId } = identity;
    if (moduleId !== undefined) throw new ServiceError(400, 400_004, 'ArgumentInvalid', 'cloud-to-device messages go to devices, not to modules');
    if (this.#devices.findDevice(deviceId) === undefined) throw new ServiceError(404, 404_001, 'DeviceNotFound', `there is no device ${JSON.stringify(deviceId)}`);
    checkMessage(message, this.#limits);
    const queue = this.#queueOf(deviceId);
    if (queue.size >= this.#limits.queuedMessages) {
      throw new ServiceError(403, 403_004, 'DeviceMaximumQueueDepthExceeded', `${this.#limits.queuedMessages} messages wait for ${JSON.stringify(deviceId)} already`);
    }
    const nowMs = this.#clock.now();
    this.#lastSequenceNumber += 1;
    const queued: QueuedMessage = {
      ...message,
      messageId: message.messageId ?? '',
      ack: message.ack ?? 'none',
      expiryMs: Math.min(message.expiryMs ?? nowMs + this.#limits.defaultTtlMs, nowMs + this.#limits.maxTtlMs),
      expiryIsSet: message.expiryMs !== undefined,
      enqueuedMs: nowMs,
      sequenceNumber: this.#lastSequenceNumber,
      deliveryCount: 0,
    };
    queue.push(queued);
    this.#save(deviceId, queued);
    this.#tell({ deviceId, message: queued, change: 'queued' });
    if (queued.expiryMs <= nowMs) this.#finish(deviceId, queued, 'Expired');
    else {
      this.#wakeBy(queued.expiryMs);
      this.#announce(deviceId);
    }
    return queued;
  }

  /** Hands out the oldest message that waits; the receiver settles it by its `lockToken`. */
  lock(identity: Identity, hold: LockHold = 'connection'): CloudMessage | undefined {
    const queue = this.#find(identity);
    if (queue === undefined) return undefined;
    this.#sweep(identity.deviceId, queue);
    const message = queue.lock(hold === 'timed' ? this.#clock.now() + this.#limits.lockTimeoutMs : Infinity);
    if (hold === 'timed') this.#wakeBy(queue.nextDeadlineMs());
    return message;
  }

  /** The device has handled it. @throws ServiceError 412 DeviceMessageLockLost */
  complete(identity: Identity, lockToken: string): void {
    this.#leave(identity.deviceId, this.#require(identity).take(lockToken), 'Success');
  }

  /** The device will never handle it. @throws ServiceError 412 DeviceMessageLockLost */
  reject(identity: Identity, lockToken: string): void {
    this.#leave(identity.deviceId, this.#require(identity).take(lockToken), 'Rejected');
  }

  /** The device gives it back for another try. @throws ServiceError 412 DeviceMessageLockLost */
  abandon(identity: Identity, lockToken: string): void {
    const { deviceId } = identity;
    const queue = this.#require(identity);
    const message = queue.abandon(lockToken);
    this.#tell({ deviceId, message, change: 'abandoned' });
    if (!this.#keepGivenBack(deviceId, message)) return;
    this.#sweep(deviceId, queue);
    this.#wakeBy(queue.nextDeadlineMs());
    this.#announce(deviceId);
  }

  /** The connection that held the device's locks has ended: its messages wait again, in their order. */
  unlockAll(identity: Identity): void {
    const queue = this.#find(identity);
    if (queue === undefined || !queue.unlockAll()) return;
    this.#sweep(identity.deviceId, queue);
    this.#wakeBy(queue.nextDeadlineMs());
    this.#announce(identity.deviceId);
  }

  /** Messages of the queue, locked ones counted. */
  count(identity: Identity): number {
    const queue = this.#find(identity);
    if (queue !== undefined) this.#sweep(identity.deviceId, queue);
    return queue?.size ?? 0;
  }

  /** Empties a queue, locked messages too. @returns how many there were */
  purge(identity: Identity): number {
    const messages = this.#find(identity)?.messages() ?? [];
    for (const message of messages) this.#finish(identity.deviceId, message, 'Purged');
    return messages.length;
  }

  /** The device is gone, and what waited for it; nobody gets feedback. */
  delete(identity: Identity): void {
    const queue = this.#find(identity);
    if (queue === undefined) return;
    this.#queues.delete(identity.deviceId);
    for (const message of queue.messages()) this.#forget(identity.deviceId, message);
  }

  /** Hears of every device that has a message to lock. @returns a function that ends it */
  onAvailable(listener: (identity: Identity) => void): () => void {
    return listen(this.#available, listener);
  }

  /** @returns a function that ends it */
  onFeedback(listener: (record: FeedbackRecord) => void): () => void {
    return listen(this.#feedback, listener);
  }

  /** @returns a function that ends it */
  onChange(listener: (change: MessageChange) => void): () => void {
    return listen(this.#changes, listener);
  }

  *records(): Iterable<DurableRecord> {
    for (const [deviceId, queue] of this.#queues) {
      for (const message of queue.messages()) yield [this.#key(deviceId, message), formatMessageRecord(message)];
    }
  }

  onRecord(listener: (key: string, value: unknown) => void): () => void {
    return listen(this.#records, listener);
  }

  /** Stops the clock's timer; the queues can still be read. */
  close(): void {
    this.#cancelTimer();
    this.#wakeAtMs = -Infinity;
  }

  #find(identity: Identity): DeviceQueue | undefined {
    return identity.moduleId === undefined ? this.#queues.get(identity.deviceId) : undefined;
  }

  #require(identity: Identity): DeviceQueue {
    return this.#find(identity) ?? new DeviceQueue();
  }

  #queueOf(deviceId: string): DeviceQueue {
    let queue = this.#queues.get(deviceId);
    if (queue === undefined) this.#queues.set(deviceId, (queue = new DeviceQueue()));
    return queue;
  }

  /** @returns whether a message was given back */
  #sweep(deviceId: string, queue: DeviceQueue): boolean {
    const { expired, givenBack } = queue.sweep(this.#clock.now());
    for (const message of expired) this.#finish(deviceId, message, 'Expired');
    for (const message of givenBack) if (!expired.includes(message)) this.#keepGivenBack(deviceId, message);
    return givenBack.length > 0;
  }

  /** "The max delivery count … determines the maximum number of times a message can transition between the Enqueued and Invisible states." @returns whether it waits again */
  #keepGivenBack(deviceId: string, message: QueuedMessage): boolean {
    const isKept = message.deliveryCount < this.#limits.maxDeliveryCount;
    if (isKept) this.#save(deviceId, message);
    else this.#finish(deviceId, message, 'DeliveryCountExceeded');
    return isKept;
  }

  #wakeBy(atMs: number): void {
    if (atMs >= this.#wakeAtMs) return;
    this.#cancelTimer();
    this.#wakeAtMs = atMs;
    this.#cancelTimer = this.#clock.setTimer(Math.max(0, atMs - this.#clock.now()), () => this.#wake());
  }

  #wake(): void {
    this.#wakeAtMs = Infinity;
    for (const [deviceId, queue] of [...this.#queues]) {
      if (this.#sweep(deviceId, queue) && queue.size > 0) this.#announce(deviceId);
      this.#wakeBy(queue.nextDeadlineMs());
    }
  }

  #finish(deviceId: string, message: QueuedMessage, state: FinalState): void {
    this.#queues.get(deviceId)?.remove(message);
    this.#leave(deviceId, message, state);
  }

  /** What follows when a message has left its queue. */
  #leave(deviceId: string, message: QueuedMessage, state: FinalState): void {
    if (this.#queues.get(deviceId)?.size === 0) this.#queues.delete(deviceId);
    this.#forget(deviceId, message);
    this.#tell({ deviceId, message, change: state });
    if (!wantsFeedback(message.ack, state)) return;
    const record: FeedbackRecord = {
      originalMessageId: message.messageId,
      enqueuedTimeUtc: new Date(this.#clock.now()).toISOString(),
      statusCode: state,
      description: state,
      deviceId,
      deviceGenerationId: this.#devices.findDevice(deviceId)?.generationId ?? '',
    };
    for (const listener of this.#feedback) listener(record);
  }

  #announce(deviceId: string): void {
    for (const listener of this.#available) listener({ deviceId });
  }

  #tell(change: MessageChange): void {
    for (const listener of this.#changes) listener(change);
  }

  #key(deviceId: string, message: QueuedMessage): string {
    return `${this.prefix}/${deviceId}/${message.sequenceNumber}`;
  }

  #save(deviceId: string, message: QueuedMessage): void {
    for (const listener of this.#records) listener(this.#key(deviceId, message), formatMessageRecord(message));
  }

  #forget(deviceId: string, message: QueuedMessage): void {
    for (const listener of this.#records) listener(this.#key(deviceId, message), undefined);
  }
}

function listen<Listener>(listeners: Set<Listener>, listener: Listener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** `message/{deviceId}/{sequenceNumber}`: ids hold no slash. */
function parseRecordKey(key: string): string {
  return key.split('/')[1] ?? '';
}
