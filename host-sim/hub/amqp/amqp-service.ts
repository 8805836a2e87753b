import type { Duplex } from 'node:stream';
import type { Clock } from '../../time/clock.ts';
import type { FeedbackQueue } from '../messages/feedback-queue.ts';
import type { MessageQueues } from '../messages/message-queues.ts';
import type { Throttles } from '../throttles/throttles.ts';
import { AmqpConnection } from './amqp-connection.ts';
import type { AmqpEvent } from './amqp-events.ts';
import type { AuthorizeToken } from './claims.ts';
import type { EventLog } from './event-log.ts';
import { DEFAULT_AMQP_LIMITS, type AmqpLimits } from './limits.ts';
import { createNodeDirectory } from './node-directory.ts';
import { createContainer } from './rhea.ts';

export interface AmqpServiceOptions {
  readonly hubName: string;
  readonly clock: Clock;
  readonly messages: MessageQueues;
  readonly feedback: FeedbackQueue;
  readonly events: EventLog;
  /** The hub's rates; none when not given. */
  readonly throttles?: Throttles | undefined;
  /** Whether a token lets a service (ServiceConnect) do something with a resource. */
  readonly authorize: AuthorizeToken;
  /** The hub's clock, milliseconds since 1970. */
  now(): number;
  emit(event: AmqpEvent): void;
  /** How long a connection outlives its tokens. */
  readonly graceMs: number;
  readonly limits?: Partial<AmqpLimits>;
  /** The port that services reach it at, for redirects. */
  port(): number;
}

export interface AmqpService {
  /** Takes the plaintext side of a client's connection; the service owns the stream from now on. */
  accept(stream: Duplex, peer: string): void;
  /** How many connections are open. */
  readonly connectionCount: number;
  /** The hub's clock has jumped. */
  clockShifted(): void;
  close(): void;
}

/** The hub's AMQP 1.0 endpoint for services: cloud-to-device messages, feedback, and the built-in events of devices. */
export function createAmqpService(options: AmqpServiceOptions): AmqpService {
  const limits = { ...DEFAULT_AMQP_LIMITS, ...options.limits };
  const { hubName, clock, graceMs, authorize } = options;
  const connections = new Set<AmqpConnection>();
  let opened = 0;
  const host = {
    hubName, clock, limits, graceMs, authorize,
    nodes: createNodeDirectory({ ...options, port: () => options.port(), createdMs: options.now() }),
    container: createContainer({
      id: hubName,
      disable_sasl: true,
      receiver_options: { autoaccept: false, credit_window: 0, max_message_size: limits.messageBytes },
    }),
    now: () => options.now(),
    emit: (event: AmqpEvent) => options.emit(event),
    release: (connection: AmqpConnection) => void connections.delete(connection),
  };
  // Errors of links and sessions that nobody listens to end at the container.
  host.container.on('error', () => {});
  return {
    accept(stream, peer) {
      if (connections.size >= limits.connections) {
        stream.on('error', () => {});
        stream.destroy();
        return;
      }
      opened += 1;
      connections.add(new AmqpConnection(stream, peer, opened, host));
    },
    get connectionCount() {
      return connections.size;
    },
    clockShifted() {
      for (const connection of connections) connection.watchExpiry();
    },
    close() {
      for (const connection of [...connections]) connection.destroy('hub-closed');
    },
  };
}
