import { describe, expect, test } from '@jest/globals';
import type { OutgoingCloudMessage } from '../../host-sim/hub/messages/cloud-message.ts';
import { DEFAULT_MESSAGE_LIMITS, type MessageLimits } from '../../host-sim/hub/messages/limits.ts';
import { MessageQueues, type FeedbackRecord } from '../../host-sim/hub/messages/message-queues.ts';
import { ServiceError } from '../../host-sim/hub/service-error.ts';
import type { DurableRecord } from '../../host-sim/hub/state/durable.ts';
import { VirtualClock } from '../../host-sim/time/virtual-clock.ts';

const START_MS = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;
const dev1 = { deviceId: 'dev1' };

const text = (body: string, more: Partial<OutgoingCloudMessage> = {}): OutgoingCloudMessage => ({ messageId: body, properties: {}, payload: Buffer.from(body), ...more });

function fixture(limits: Partial<MessageLimits> = {}, records: Iterable<DurableRecord> = []) {
  const clock = new VirtualClock(START_MS);
  const known = new Map([['dev1', { generationId: '638' }], ['dev2', { generationId: '639' }]]);
  const queues = new MessageQueues(clock, { findDevice: (id) => known.get(id) }, limits, records);
  const feedback: FeedbackRecord[] = [];
  queues.onFeedback((record) => void feedback.push(record));
  const available: string[] = [];
  queues.onAvailable(({ deviceId }) => void available.push(deviceId));
  const stored = new Map<string, unknown>();
  queues.onRecord((key, value) => void (value === undefined ? stored.delete(key) : stored.set(key, JSON.parse(JSON.stringify(value)))));
  /** Goes on by so much, timer by timer. */
  const advance = (durationMs: number): void => {
    const endMs = clock.monotonicMs() + durationMs;
    for (let dueMs = clock.nextDueMs(); dueMs <= endMs; dueMs = clock.nextDueMs()) {
      clock.jumpTo(dueMs);
      clock.fireDue();
    }
    clock.jumpTo(endMs);
  };
  return { clock, known, queues, feedback, available, stored, advance };
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ServiceError) return `${error.status} ${error.code} ${error.reason}`;
    throw error;
  }
  return 'accepted';
}

describe('a queue', () => {
  test('hands messages out in their order, each to one receiver, and forgets them when completed', () => {
    const { queues, available } = fixture();
    for (const body of ['a', 'b']) queues.enqueue(dev1, text(body));
    const first = queues.lock(dev1);
    const second = queues.lock(dev1);
    expect([first?.messageId, second?.messageId, queues.lock(dev1)]).toEqual(['a', 'b', undefined]);
    expect([first?.redelivered, first?.deliveryCount, first?.sequenceNumber]).toEqual([false, 0, 1]);
    queues.complete(dev1, first?.lockToken ?? '');
    expect(queues.count(dev1)).toBe(1);
    expect(available).toEqual(['dev1', 'dev1']);
  });

  test('takes 50 messages, locked ones counted, and refuses the next with 403004', () => {
    const { queues } = fixture();
    for (let n = 0; n < 50; n++) queues.enqueue(dev1, text(`${n}`));
    queues.lock(dev1);
    expect(refusal(() => queues.enqueue(dev1, text('one more')))).toBe('403 403004 DeviceMaximumQueueDepthExceeded');
    expect(refusal(() => queues.enqueue({ deviceId: 'dev2' }, text('x')))).toBe('accepted');
  });

  test('refuses devices that are unknown, and modules', () => {
    const { queues } = fixture();
    expect(refusal(() => queues.enqueue({ deviceId: 'nobody' }, text('x')))).toBe('404 404001 DeviceNotFound');
    expect(refusal(() => queues.enqueue({ deviceId: 'dev1', moduleId: 'm' }, text('x')))).toBe('400 400004 ArgumentInvalid');
    expect(queues.lock({ deviceId: 'dev1', moduleId: 'm' })).toBeUndefined();
  });

  test('counts 64 KB over body, properties and ids', () => {
    const { queues } = fixture();
    const body = (bytes: number): OutgoingCloudMessage => ({ messageId: 'mid', properties: { name: 'é' }, payload: Buffer.alloc(bytes) });
    const room = 65_536 - 3 - 4 - 2;
    expect(refusal(() => queues.enqueue(dev1, body(room)))).toBe('accepted');
    expect(refusal(() => queues.enqueue(dev1, body(room + 1)))).toBe('413 413001 MessageTooLarge');
  });

  test('gives an abandoned message again until it was abandoned ten times', () => {
    const { queues, feedback } = fixture();
    queues.enqueue(dev1, text('a', { ack: 'negative' }));
    const counts: unknown[] = [];
    for (let message = queues.lock(dev1); message !== undefined; message = queues.lock(dev1)) {
      counts.push([message.deliveryCount, message.redelivered]);
      queues.abandon(dev1, message.lockToken);
    }
    expect(counts).toEqual(Array.from({ length: 10 }, (_, n) => [n, n > 0]));
    expect(feedback.map(({ statusCode }) => statusCode)).toEqual(['DeliveryCountExceeded']);
    expect(queues.count(dev1)).toBe(0);
  });

  test('gives up a message that ten receivers kept until the time of their lock was over', () => {
    const { queues, feedback, stored, advance } = fixture();
    queues.enqueue(dev1, text('a', { ack: 'full' }));
    for (let n = 0; n < 10; n++) {
      expect([queues.lock(dev1, 'timed')?.deliveryCount, [...stored.values()]]).toEqual([n, [expect.objectContaining({ deliveryCount: n })]]);
      advance(60_000);
    }
    expect([feedback.map(({ statusCode }) => statusCode), queues.count(dev1), stored.size]).toEqual([['DeliveryCountExceeded'], 0, 0]);
  });

  test('gives a message again when the connection or the time of its lock ends, and counts the latter', () => {
    const { queues, advance, available } = fixture();
    queues.enqueue(dev1, text('a'));
    const first = queues.lock(dev1);
    queues.unlockAll(dev1);
    const second = queues.lock(dev1, 'timed');
    advance(59_999);
    expect(queues.lock(dev1)).toBeUndefined();
    advance(1);
    const third = queues.lock(dev1);
    expect([second?.redelivered, second?.deliveryCount, third?.redelivered, third?.deliveryCount]).toEqual([true, 0, true, 1]);
    expect(available).toEqual(['dev1', 'dev1', 'dev1']);
    for (const stale of [first, second]) expect(refusal(() => queues.complete(dev1, stale?.lockToken ?? ''))).toBe('412 412002 DeviceMessageLockLost');
    advance(HOUR_MS - 60_001);
    expect(queues.count(dev1)).toBe(1);
    queues.complete(dev1, third?.lockToken ?? '');
    expect(queues.count(dev1)).toBe(0);
  });
});

describe('expiry', () => {
  test('comes after an hour, at the time asked for, and after two days at the latest', () => {
    const { queues, advance, feedback } = fixture();
    queues.enqueue(dev1, text('default', { ack: 'full' }));
    queues.enqueue(dev1, text('soon', { ack: 'full', expiryMs: START_MS + 1_000 }));
    queues.enqueue(dev1, text('late', { ack: 'full', expiryMs: START_MS + 100 * 24 * HOUR_MS }));
    queues.enqueue(dev1, text('past', { ack: 'full', expiryMs: START_MS - 1 }));
    const ends = (): string[] => feedback.map(({ originalMessageId, statusCode }) => `${originalMessageId} ${statusCode}`);
    expect(ends()).toEqual(['past Expired']);
    advance(1_000);
    expect(ends().slice(1)).toEqual(['soon Expired']);
    advance(HOUR_MS);
    expect(ends().slice(2)).toEqual(['default Expired']);
    advance(47 * HOUR_MS);
    expect(ends().slice(3)).toEqual(['late Expired']);
    expect(feedback[3]?.enqueuedTimeUtc).toBe('2026-01-03T00:00:00.000Z');
  });

  test('waits for the end of a lock', () => {
    const { queues, advance, feedback } = fixture();
    queues.enqueue(dev1, text('a', { ack: 'full', expiryMs: START_MS + 1_000 }));
    queues.lock(dev1);
    advance(5_000);
    expect(queues.count(dev1)).toBe(1);
    queues.unlockAll(dev1);
    expect([queues.count(dev1), queues.lock(dev1)]).toEqual([0, undefined]);
    expect(feedback.map(({ statusCode }) => statusCode)).toEqual(['Expired']);
  });
});

describe('feedback', () => {
  const ENDS = [
    ['Success', (queues: MessageQueues) => queues.complete(dev1, queues.lock(dev1)?.lockToken ?? '')],
    ['Rejected', (queues: MessageQueues) => queues.reject(dev1, queues.lock(dev1)?.lockToken ?? '')],
    ['Purged', (queues: MessageQueues) => queues.purge(dev1)],
    ['DeliveryCountExceeded', (queues: MessageQueues) => queues.abandon(dev1, queues.lock(dev1)?.lockToken ?? '')],
    ['Expired', (_queues: MessageQueues, advance: (ms: number) => void) => advance(HOUR_MS)],
  ] as const;

  for (const [state, end] of ENDS) {
    test.each([
      ['none', false],
      ['positive', state === 'Success'],
      ['negative', state !== 'Success'],
      ['full', true],
    ] as const)(`of ${state} for ack %s comes: %s`, (ack, comes) => {
      const { queues, feedback, advance } = fixture({ maxDeliveryCount: 1 });
      queues.enqueue(dev1, text('m', { ack }));
      end(queues, advance);
      expect(queues.count(dev1)).toBe(0);
      const at = state === 'Expired' ? '2026-01-01T01:00:00.000Z' : '2026-01-01T00:00:00.000Z';
      const record = { originalMessageId: 'm', enqueuedTimeUtc: at, statusCode: state, description: state, deviceId: 'dev1', deviceGenerationId: '638' };
      expect(feedback).toEqual(comes ? [record] : []);
    });
  }

  test('does not come for a device that was deleted', () => {
    const { queues, feedback, stored } = fixture();
    queues.enqueue(dev1, text('a', { ack: 'full' }));
    queues.delete(dev1);
    expect([queues.count(dev1), feedback, stored.size]).toEqual([0, [], 0]);
  });
});

test('purge says how many messages it took, locked ones too', () => {
  const { queues } = fixture();
  for (const body of ['a', 'b', 'c']) queues.enqueue(dev1, text(body));
  queues.lock(dev1);
  expect([queues.purge(dev1), queues.purge(dev1), queues.purge({ deviceId: 'nobody' })]).toEqual([3, 0, 0]);
});

test('a queue is restored from its records, with order, delivery counts, bytes and numbers, and without locks', () => {
  const before = fixture();
  before.queues.enqueue(dev1, text('a', { payload: Buffer.from([0, 255]), properties: { p: '1' }, ack: 'full' }));
  before.queues.enqueue(dev1, text('b'));
  before.queues.enqueue({ deviceId: 'dev2' }, text('c'));
  before.queues.abandon(dev1, before.queues.lock(dev1)?.lockToken ?? '');
  before.queues.complete({ deviceId: 'dev2' }, before.queues.lock({ deviceId: 'dev2' })?.lockToken ?? '');
  expect([...before.stored]).toEqual([...before.queues.records()].map((record) => JSON.parse(JSON.stringify(record)) as unknown));
  expect([...before.stored.keys()]).toEqual(['message/dev1/1', 'message/dev1/2']);
  const after = fixture({}, before.stored);
  const first = after.queues.lock(dev1);
  expect(first).toMatchObject({ messageId: 'a', payload: Buffer.from([0, 255]), properties: { p: '1' }, ack: 'full', deliveryCount: 1, redelivered: false });
  expect(after.queues.enqueue(dev1, text('d')).sequenceNumber).toBe(3);
  after.advance(HOUR_MS);
  expect(after.queues.count(dev1)).toBe(1);
});

test('no timer is left when every queue is empty or closed', () => {
  const { queues, clock, advance } = fixture();
  queues.enqueue(dev1, text('a'));
  expect(clock.nextDueMs()).toBe(HOUR_MS);
  queues.close();
  expect(clock.nextDueMs()).toBe(Infinity);
  queues.enqueue(dev1, text('b'));
  advance(DEFAULT_MESSAGE_LIMITS.defaultTtlMs);
  expect(clock.nextDueMs()).toBe(Infinity);
});
