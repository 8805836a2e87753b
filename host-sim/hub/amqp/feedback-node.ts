import type { Delivery, Sender } from 'rhea';
import type { FeedbackQueue } from '../messages/feedback-queue.ts';
import type { AmqpNode, LinkHost, OutboundNode, Outcome } from './link-node.ts';
import { messageSections } from './rhea.ts';

export const FEEDBACK_ADDRESS = '/messages/servicebound/feedback';
export const FILE_NOTIFICATIONS_ADDRESS = '/messages/servicebound/filenotifications';

const CONTENT_TYPE = 'application/vnd.microsoft.iothub.feedback.json';

/** One batch of 64 records of the longest ids. */
const BATCH_BYTES = 64 * 1024;

/** Where services read what became of their messages: one queue, shared by all that read. */
export function createFeedbackNode(hubName: string, queue: FeedbackQueue): AmqpNode {
  return {
    resources: [{ host: hubName, segments: ['messages', 'servicebound', 'feedback'] }],
    openOutbound: (sender, host) => new FeedbackLink(sender, host, hubName, queue),
  };
}

/** Nobody uploads files to this hub: services may listen, and nothing comes. */
export function createFileNotificationsNode(hubName: string): AmqpNode {
  return {
    resources: [{ host: hubName, segments: ['messages', 'servicebound', 'filenotifications'] }],
    openOutbound: () => ({ pump: () => {}, settled: () => {}, close: () => {} }),
  };
}

class FeedbackLink implements OutboundNode {
  readonly #sender: Sender;
  readonly #host: LinkHost;
  readonly #userId: Buffer;
  readonly #queue: FeedbackQueue;
  readonly #locks = new Map<Delivery, number>();
  readonly #stopListening: () => void;

  constructor(sender: Sender, host: LinkHost, hubName: string, queue: FeedbackQueue) {
    this.#sender = sender;
    this.#host = host;
    this.#userId = Buffer.from(hubName);
    this.#queue = queue;
    this.#stopListening = queue.onAvailable(() => this.pump());
  }

  pump(): void {
    while (this.#host.canSend(this.#sender, BATCH_BYTES)) {
      const batch = this.#queue.lock();
      if (batch === undefined) return;
      const body = JSON.stringify(batch.records);
      const delivery = this.#host.send(
        this.#sender,
        {
          user_id: this.#userId.toString(),
          content_type: CONTENT_TYPE,
          delivery_count: batch.deliveryCount,
          message_annotations: { 'iothub-enqueuedtime': new Date(batch.enqueuedMs) },
          body: messageSections.data_section(Buffer.from(body)),
        },
        body.length,
      );
      this.#locks.set(delivery, batch.lockToken);
    }
  }

  settled(delivery: Delivery, outcome: Outcome): void {
    const lockToken = this.#locks.get(delivery);
    if (lockToken === undefined) return;
    this.#locks.delete(delivery);
    // Rejected feedback goes nowhere else: IoT Hub has no dead-letter queue for it.
    if (outcome === 'released' || outcome === 'modified') this.#queue.abandon(lockToken);
    else this.#queue.complete(lockToken);
  }

  close(): void {
    this.#stopListening();
    for (const lockToken of this.#locks.values()) this.#queue.release(lockToken);
    this.#locks.clear();
  }
}
