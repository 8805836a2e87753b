import type { Duplex } from 'node:stream';
import type { Clock } from '../../time/clock.ts';
import type { AccessContext } from '../access/authorize.ts';
import type { HubEvent } from '../events.ts';
import type { Identity } from '../identity.ts';
import type { FeedbackQueue } from '../messages/feedback-queue.ts';
import type { MessageQueues } from '../messages/message-queues.ts';
import type { Throttles } from '../throttles/throttles.ts';
import type { AmqpEvent } from './amqp-events.ts';
import { createAmqpService, type AmqpService } from './amqp-service.ts';
import { EventLog } from './event-log.ts';
import { createTokenAuthorizer } from './token-authorizer.ts';

export interface AmqpSideOptions {
  readonly hubName: string;
  readonly clock: Clock;
  readonly graceMs: number;
  readonly messages: MessageQueues;
  readonly feedback: FeedbackQueue;
  readonly throttles: Throttles | undefined;
  accessContext(): AccessContext;
  now(): number;
  emit(event: AmqpEvent): void;
  /** @returns a function that ends it */
  onEvent(listener: (event: HubEvent) => void): () => void;
}

/** AMQP's port where nobody says another. */
const AMQPS_PORT = 5_671;

/** What the hub does for services over AMQP, put together: feedback waits from the start, events are kept once somebody can read them. */
export class AmqpSide {
  /** Feedback that no service has read yet. */
  readonly feedback: FeedbackQueue;
  readonly #options: AmqpSideOptions;
  readonly #events: EventLog;
  readonly #service: AmqpService;
  readonly #stopFeedback: () => void;
  #stopEvents: (() => void) | undefined;
  #port = AMQPS_PORT;

  constructor(options: AmqpSideOptions) {
    this.#options = options;
    const { hubName, clock, graceMs, messages } = options;
    this.#events = new EventLog({}, (identity) => options.accessContext().registry.find(identity)?.generationId);
    this.feedback = options.feedback;
    this.#stopFeedback = messages.onFeedback((record) => this.feedback.add(record));
    this.#service = createAmqpService({
      hubName, clock, graceMs, messages, throttles: options.throttles, feedback: this.feedback, events: this.#events,
      authorize: createTokenAuthorizer(() => options.accessContext()),
      now: () => options.now(),
      emit: (event) => options.emit(event),
      port: () => this.#port,
    });
  }

  /** Takes the plaintext side of a client's connection. */
  accept(stream: Duplex, peer: string): void {
    this.#keepEvents();
    this.#service.accept(stream, peer);
  }

  /** Services reach this side at `port`: from now on what devices send is kept for them, in memory. */
  serveAt(port: number): void {
    this.#port = port;
    this.#keepEvents();
  }

  delete({ deviceId, moduleId }: Identity): void {
    if (moduleId === undefined) this.feedback.deleteDevice(deviceId);
  }

  clockShifted(): void {
    this.#service.clockShifted();
  }

  close(): void {
    this.#stopFeedback();
    this.#stopEvents?.();
    this.#service.close();
    this.feedback.close();
  }

  #keepEvents(): void {
    this.#stopEvents ??= this.#options.onEvent((event) => this.#events.observe(event));
  }
}
