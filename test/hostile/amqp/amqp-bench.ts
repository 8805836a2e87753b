import { Duplex } from 'node:stream';
import { encodeKey, generateKeyPair } from '../../../host-sim/hub/access/symmetric-key.ts';
import type { AmqpEvent } from '../../../host-sim/hub/amqp/amqp-events.ts';
import { createAmqpService, type AmqpService } from '../../../host-sim/hub/amqp/amqp-service.ts';
import { EventLog } from '../../../host-sim/hub/amqp/event-log.ts';
import type { AmqpLimits } from '../../../host-sim/hub/amqp/limits.ts';
import { createTokenAuthorizer } from '../../../host-sim/hub/amqp/token-authorizer.ts';
import { FeedbackQueue } from '../../../host-sim/hub/messages/feedback-queue.ts';
import { MessageQueues } from '../../../host-sim/hub/messages/message-queues.ts';
import { Registry } from '../../../host-sim/hub/registry/registry.ts';
import { createServiceToken } from '../../../host-sim/service/service-token.ts';
import { VirtualClock } from '../../../host-sim/time/virtual-clock.ts';
import { ValueReader, type AmqpValue } from '../../../host-sim/hub/amqp/value-reader.ts';

export const HUB_NAME = 'hostile-hub.azure-devices.net';
export const START_MS = Date.UTC(2026, 0, 1);

/** The hub's AMQP endpoint on a clock that stands still, and a peer that says what it likes. */
export interface AmqpBench {
  readonly service: AmqpService;
  readonly clock: VirtualClock;
  readonly messages: MessageQueues;
  readonly feedback: FeedbackQueue;
  readonly events: EventLog;
  readonly seen: AmqpEvent[];
  token(policy?: string, lifeSeconds?: number, resource?: string): string;
  connect(): Peer;
  /** Goes on by so much, timer by timer. */
  advance(durationMs: number): Promise<void>;
}

const open = new Set<AmqpService>();

/** Ends every bench; rhea has timers of its own. */
export async function closeBenches(): Promise<void> {
  for (const service of open) service.close();
  open.clear();
  await turns();
}

export function openAmqpBench(limits: Partial<AmqpLimits> = {}, graceMs = 0): AmqpBench {
  const clock = new VirtualClock(START_MS);
  const registry = new Registry();
  registry.add({ deviceId: 'dev1' });
  const messages = new MessageQueues(clock, { findDevice: (id) => (id === 'dev1' ? { generationId: '1' } : undefined) });
  const feedback = new FeedbackQueue(clock, { batchIntervalMs: 0 });
  messages.onFeedback((record) => feedback.add(record));
  const events = new EventLog();
  const dummyKeys = generateKeyPair();
  const seen: AmqpEvent[] = [];
  const service = createAmqpService({
    hubName: HUB_NAME, clock, messages, feedback, events, graceMs, limits,
    authorize: createTokenAuthorizer(() => ({ registry, dummyKeys, nowMs: clock.now() })),
    now: () => clock.now(),
    emit: (event) => void seen.push(event),
    port: () => 5_671,
  });
  open.add(service);
  return {
    service, clock, messages, feedback, events, seen,
    token: (policy = 'service', lifeSeconds = 3_600, resource = HUB_NAME) =>
      createServiceToken({ resource, policy: { name: policy, key: encodeKey(registry.findPolicy(policy)!.keys.primary) }, expirySeconds: START_MS / 1_000 + lifeSeconds, dialect: 'iot-hub' }),
    connect: () => {
      const peer = new Peer();
      service.accept(peer.stream, 'test');
      return peer;
    },
    advance: async (durationMs) => {
      const endMs = clock.monotonicMs() + durationMs;
      for (let dueMs = clock.nextDueMs(); dueMs <= endMs; dueMs = clock.nextDueMs()) {
        clock.jumpTo(dueMs);
        clock.fireDue();
        await turns();
      }
      clock.jumpTo(endMs);
    },
  };
}

/** Lets what is queued run: rhea works in ticks, the hub's end of a connection takes immediates. */
export async function turns(count = 4): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((resolve) => void setImmediate(resolve));
}

/** A client of bytes. */
export class Peer {
  /** The hub's end. */
  readonly stream: Duplex;
  readonly received: Buffer[] = [];
  /** Whether it takes what the hub writes. */
  reads = true;
  isEnded = false;
  #pending: (() => void)[] = [];

  constructor() {
    this.stream = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        this.received.push(chunk);
        if (this.reads) done();
        else this.#pending.push(done);
      },
      final: (done) => {
        this.isEnded = true;
        done();
      },
      destroy: (error, done) => {
        this.isEnded = true;
        done(error);
      },
    });
  }

  /** Says something, and lets the hub answer. */
  async say(...chunks: readonly Buffer[]): Promise<void> {
    for (const chunk of chunks) if (!this.stream.destroyed) this.stream.push(chunk);
    await turns();
  }

  /** The performatives that the hub sent, by the code of their descriptor. */
  frames(): { readonly code: number; readonly items: readonly AmqpValue[] }[] {
    const all = Buffer.concat(this.received);
    const found: { code: number; items: readonly AmqpValue[] }[] = [];
    for (let at = 0; at + 8 <= all.length; ) {
      if (all.toString('latin1', at, at + 4) === 'AMQP') {
        at += 8;
        continue;
      }
      const size = all.readUInt32BE(at);
      if (size > 8) {
        const value = new ValueReader(all.subarray(at + 8, at + size)).read();
        if (value.kind === 'described' && value.descriptor.kind === 'unsigned' && value.value.kind === 'list') found.push({ code: value.descriptor.value, items: value.value.items });
      }
      at += size;
    }
    return found;
  }

  /** The condition of the hub's `close`; undefined when it said none. */
  closeCondition(): string | undefined {
    const error = this.frames().find(({ code }) => code === 0x18)?.items[0];
    const condition = error?.kind === 'described' && error.value.kind === 'list' ? error.value.items[0] : undefined;
    return condition?.kind === 'symbol' ? condition.value : undefined;
  }
}
