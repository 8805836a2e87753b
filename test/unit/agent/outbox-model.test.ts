import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { Outbox, type OutboxEntry } from '../../../firmware/agent/mqtt/outbox.ts';

interface ModelEntry {
  readonly topic: string;
  readonly qos: 0 | 1;
  packetId: number;
  state: 'queued' | 'sent' | 'leaving' | 'done';
  dup: boolean;
  sentAtMs: number;
  sentOn: number;
}

/** The same queue, written as plainly as can be: arrays, no cursor, no ring. */
class NaiveOutbox {
  readonly entries: ModelEntry[] = [];
  readonly capacity: number;
  readonly window: number;
  #lastPacketId = 0;

  constructor(capacity: number, window: number) {
    this.capacity = capacity;
    this.window = window;
  }

  get inFlight(): number {
    return this.entries.filter(({ state }) => state === 'sent').length;
  }

  get size(): number {
    return this.entries.filter(({ state }) => state !== 'done').length;
  }

  push(topic: string, qos: 0 | 1): boolean {
    if (this.entries.length === this.capacity) return false;
    this.entries.push({ topic, qos, packetId: 0, state: 'queued', dup: false, sentAtMs: 0, sentOn: 0 });
    return true;
  }

  next(): ModelEntry | undefined {
    const entry = this.entries.find(({ state }) => state === 'queued');
    return entry?.qos === 1 && this.inFlight >= this.window ? undefined : entry;
  }

  send(nowMs: number, connection: number): ModelEntry | undefined {
    const entry = this.next();
    if (entry === undefined) return undefined;
    entry.sentAtMs = nowMs;
    entry.sentOn = connection;
    entry.state = entry.qos === 0 ? 'leaving' : 'sent';
    if (entry.qos === 1 && entry.packetId === 0) entry.packetId = this.takePacketId();
    return entry;
  }

  left(topic: string): boolean {
    const entry = this.entries.find((one) => one.topic === topic && one.state === 'leaving');
    if (entry !== undefined) entry.state = 'done';
    this.#trim();
    return entry !== undefined;
  }

  acknowledge(packetId: number): ModelEntry | undefined {
    const entry = this.entries.find((one) => one.state === 'sent' && one.packetId === packetId);
    if (entry !== undefined) entry.state = 'done';
    this.#trim();
    return entry;
  }

  requeue(connection: number): void {
    for (const entry of this.entries) {
      if ((entry.state !== 'sent' && entry.state !== 'leaving') || entry.sentOn === connection) continue;
      entry.dup = entry.state === 'sent';
      entry.state = 'queued';
    }
  }

  oldestSentAtMs(connection: number): number {
    return Math.min(Infinity, ...this.entries.filter(({ state, sentOn }) => state === 'sent' && sentOn === connection).map(({ sentAtMs }) => sentAtMs));
  }

  takePacketId(): number {
    return this.takePacketIds(1)[0] ?? 0;
  }

  takePacketIds(count: number): number[] {
    const inUse = new Set(this.entries.filter(({ state }) => state !== 'done').map(({ packetId }) => packetId));
    return Array.from({ length: count }, () => {
      do this.#lastPacketId = (this.#lastPacketId % 65_535) + 1;
      while (inUse.has(this.#lastPacketId));
      return this.#lastPacketId;
    });
  }

  /** A message behind an unfinished one keeps its place: order is what the ring is for. */
  #trim(): void {
    while (this.entries[0]?.state === 'done') this.entries.shift();
  }
}

type Command =
  | { readonly type: 'push'; readonly qos: 0 | 1 }
  | { readonly type: 'send'; readonly count: number; readonly connection: number }
  | { readonly type: 'left'; readonly pick: number }
  | { readonly type: 'acknowledge'; readonly pick: number }
  | { readonly type: 'acknowledgeId'; readonly packetId: number }
  | { readonly type: 'requeue'; readonly connection: number }
  | { readonly type: 'takeIds'; readonly count: number };

const connection = fc.integer({ min: 1, max: 3 });
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: fc.constant('push' as const), qos: fc.constantFrom(0 as const, 1 as const, 1 as const, 1 as const) }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('send' as const), count: fc.integer({ min: 1, max: 6 }), connection }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('left' as const), pick: fc.nat(20) }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('acknowledge' as const), pick: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('acknowledgeId' as const), packetId: fc.integer({ min: 0, max: 65_536 }) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('requeue' as const), connection }) },
  // Big steps bring the wrap, small ones the ids around it.
  { weight: 1, arbitrary: fc.record({ type: fc.constant('takeIds' as const), count: fc.constantFrom(1, 1, 1, 1, 2, 3, 65_530, 65_534) }) },
);

test('the outbox does what the naive model does, through any sequence of commands', () => {
  let wraps = 0;
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 6 }), fc.array(command, { minLength: 20, maxLength: 60, size: 'max' }), (capacity, window, commands) => {
      const outbox = new Outbox(capacity, window);
      const model = new NaiveOutbox(capacity, window);
      /** QoS 0 messages that were sent; some of them left, some were queued again. */
      const given: OutboxEntry[] = [];
      commands.forEach((one, nowMs) => {
        switch (one.type) {
          case 'push':
            expect(outbox.push(`m${nowMs}`, new Uint8Array(0), one.qos)).toBe(model.push(`m${nowMs}`, one.qos));
            break;
          case 'send':
            // Nothing is sent behind a message that the connection has not taken whole.
            for (let i = 0; i < one.count && model.entries.every(({ state }) => state !== 'leaving'); i++) {
              const entry = outbox.next();
              expect(entry?.topic).toBe(model.next()?.topic);
              if (entry === undefined) break;
              outbox.markSent(entry, nowMs, one.connection);
              if (entry.qos === 0) given.push(entry);
              const expected = model.send(nowMs, one.connection);
              expect([entry.packetId, entry.dup, entry.qos]).toEqual([expected?.packetId, expected?.dup, expected?.qos]);
            }
            break;
          case 'left': {
            const entry = given[one.pick % Math.max(1, given.length)];
            if (entry !== undefined) expect(outbox.markLeft(entry)).toBe(model.left(entry.topic));
            break;
          }
          case 'acknowledge': {
            const inFlight = model.entries.filter(({ state }) => state === 'sent');
            const packetId = inFlight[one.pick % Math.max(1, inFlight.length)]?.packetId ?? 0;
            expect(outbox.acknowledge(packetId)?.topic).toBe(model.acknowledge(packetId)?.topic);
            break;
          }
          case 'acknowledgeId':
            expect(outbox.acknowledge(one.packetId)?.topic).toBe(model.acknowledge(one.packetId)?.topic);
            break;
          case 'requeue':
            outbox.requeue(one.connection);
            model.requeue(one.connection);
            break;
          case 'takeIds':
            for (const expected of model.takePacketIds(one.count)) {
              const taken = outbox.takePacketId();
              if (taken !== expected) throw new Error(`expected id ${expected}, got ${taken}`);
            }
            wraps += one.count > 10 ? 1 : 0;
            break;
        }
        expect([outbox.inFlight, outbox.size, outbox.isFull]).toEqual([model.inFlight, model.size, model.entries.length === capacity]);
        for (const serial of [1, 2, 3]) expect(outbox.oldestSentAtMs(serial)).toBe(model.oldestSentAtMs(serial));
      });
    }),
    { seed: 20_261_101, numRuns: 120 },
  );
  expect(wraps).toBeGreaterThan(30);
});
