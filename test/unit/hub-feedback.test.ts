import { expect, test } from '@jest/globals';
import { createHub, type Hub } from '../../host-sim/hub/hub.ts';
import { FeedbackQueue } from '../../host-sim/hub/messages/feedback-queue.ts';
import type { FeedbackLimits } from '../../host-sim/hub/messages/limits.ts';
import type { FeedbackRecord } from '../../host-sim/hub/messages/message-queues.ts';
import { Registry } from '../../host-sim/hub/registry/registry.ts';
import type { DurableRecord } from '../../host-sim/hub/state/durable.ts';
import { VirtualClock } from '../../host-sim/time/virtual-clock.ts';

const START_MS = Date.UTC(2026, 0, 1);

const record = (id: string, deviceId = 'dev1'): FeedbackRecord => ({
  originalMessageId: id, enqueuedTimeUtc: '2026-01-01T00:00:00.000Z', statusCode: 'Success', description: 'Success', deviceId, deviceGenerationId: '638',
});

function fixture(limits: Partial<FeedbackLimits> = {}, records: Iterable<DurableRecord> = []) {
  const clock = new VirtualClock(START_MS);
  const queue = new FeedbackQueue(clock, limits, records);
  const log: string[] = [];
  queue.onAvailable(() => void log.push(`available at ${clock.monotonicMs()}`));
  const stored = new Map<string, unknown>();
  queue.onRecord((key, value) => void (value === undefined ? stored.delete(key) : stored.set(key, structuredClone(value))));
  const advance = (durationMs: number): void => {
    const endMs = clock.monotonicMs() + durationMs;
    for (let dueMs = clock.nextDueMs(); dueMs <= endMs; dueMs = clock.nextDueMs()) {
      clock.jumpTo(dueMs);
      clock.fireDue();
    }
    clock.jumpTo(endMs);
  };
  const take = (): string | undefined => queue.lock()?.records.map(({ originalMessageId }) => originalMessageId).join(' ');
  return { clock, queue, log, stored, advance, take };
}

test('the first record leaves at once, later ones together 15 seconds after it', () => {
  const { queue, log, advance, take } = fixture();
  queue.add(record('a'));
  expect(take()).toBe('a');
  queue.add(record('b'));
  advance(10_000);
  queue.add(record('c'));
  expect(take()).toBeUndefined();
  advance(5_000);
  expect(log).toEqual(['available at 0', 'available at 15000']);
  expect(take()).toBe('b c');
});

test('a full batch of 64 does not wait, and what is over waits for the next', () => {
  const { queue, advance, take } = fixture();
  queue.add(record('first'));
  take();
  for (let n = 1; n <= 70; n++) queue.add(record(`${n}`));
  expect(take()?.split(' ')).toHaveLength(64);
  expect(take()).toBeUndefined();
  advance(15_000);
  expect(take()).toBe('65 66 67 68 69 70');
});

test('an abandoned or timed-out batch comes again at once, a released one without a count, and ten abandons end it', () => {
  const { queue, advance } = fixture({ batchIntervalMs: 0 });
  queue.add(record('a'));
  const first = queue.lock();
  expect(queue.abandon(first?.lockToken ?? 0)).toBe(true);
  const second = queue.lock();
  expect([second?.deliveryCount, queue.complete(first?.lockToken ?? 0)]).toEqual([1, false]);
  queue.release(second?.lockToken ?? 0);
  queue.lock();
  advance(60_000);
  let counts = '';
  for (let batch = queue.lock(); batch !== undefined; batch = queue.lock()) {
    counts += batch.deliveryCount;
    queue.abandon(batch.lockToken);
  }
  expect([counts, queue.size]).toEqual(['123456789', 0]);
});

test('records expire after an hour, go with their device, and never number more than the limit', () => {
  const { queue, advance, stored } = fixture({ records: 3, batchIntervalMs: 0 });
  for (const id of ['a', 'b', 'c', 'd']) queue.add(record(id, id === 'c' ? 'dev2' : 'dev1'));
  expect([...stored.keys()]).toEqual(['feedback/2', 'feedback/3', 'feedback/4']);
  queue.deleteDevice('dev2');
  expect(queue.lock()?.records.map(({ originalMessageId }) => originalMessageId)).toEqual(['b', 'd']);
  advance(3_600_000);
  expect([queue.size, stored.size]).toEqual([0, 0]);
});

test('the queue is restored from its records, and a completed batch leaves none', () => {
  const before = fixture();
  before.queue.add(record('a'));
  before.queue.add(record('b'));
  const after = fixture({}, before.stored);
  const batch = after.queue.lock();
  expect(batch).toMatchObject({ enqueuedMs: START_MS, deliveryCount: 0, records: [record('a'), record('b')] });
  expect(after.queue.complete(batch?.lockToken ?? 0)).toBe(true);
  expect([after.queue.size, after.stored.size, [...after.queue.records()]]).toEqual([0, 0, []]);
});

test('no timer is left when nothing waits, or when it is closed', () => {
  const { queue, clock } = fixture();
  queue.add(record('a'));
  queue.complete(queue.lock()?.lockToken ?? 0);
  queue.add(record('b'));
  expect(clock.nextDueMs()).toBe(15_000);
  queue.close();
  expect(clock.nextDueMs()).toBe(Infinity);
});

test('feedback and messages outlive the hub that they were given to', async () => {
  const clock = new VirtualClock(START_MS);
  const registry = new Registry();
  registry.add({ deviceId: 'dev1' });
  const open = (kept: readonly DurableRecord[]): Hub => createHub({ hubName: 'myhub', clock, registry, records: (prefix) => kept.filter(([key]) => key.startsWith(`${prefix}/`)) });
  const before = open([]);
  for (const messageId of ['m1', 'm2']) before.messages.enqueue({ deviceId: 'dev1' }, { messageId, ack: 'full', properties: {}, payload: Buffer.from('x') });
  before.messages.complete({ deviceId: 'dev1' }, before.messages.lock({ deviceId: 'dev1' })?.lockToken ?? '');
  const kept = before.durables.flatMap((store) => [...store.records()]).map((each) => JSON.parse(JSON.stringify(each)) as DurableRecord);
  await before.close();
  const after = open(kept);
  const feedback = after.durables.find(({ prefix }) => prefix === 'feedback');
  expect([...(feedback?.records() ?? [])]).toEqual([['feedback/1', expect.objectContaining({ record: expect.objectContaining({ originalMessageId: 'm1', statusCode: 'Success' }) })]]);
  expect(after.messages.lock({ deviceId: 'dev1' })?.messageId).toBe('m2');
  registry.remove({ deviceId: 'dev1' });
  expect([[...(feedback?.records() ?? [])], after.messages.count({ deviceId: 'dev1' })]).toEqual([[], 0]);
  await after.close();
});
