import { describe, expect, test } from '@jest/globals';

import { Outbox, type OutboxEntry } from '../../../firmware/agent/mqtt/outbox.ts';

const PAYLOAD = new Uint8Array(0);

function outboxOf(count: number, { capacity = 8, window = 8, qos = 1 as 0 | 1 } = {}): Outbox {
  const outbox = new Outbox(capacity, window);
  for (let i = 1; i <= count; i++) outbox.push(`m${i}`, PAYLOAD, qos);
  return outbox;
}

/** Sends what the window has room for; the topics in the order they left, with id, and `!` for DUP. */
function sendAll(outbox: Outbox, nowMs: number, connection: number): string[] {
  const sent: string[] = [];
  for (let entry = outbox.next(); entry !== undefined; entry = outbox.next()) {
    outbox.markSent(entry, nowMs, connection);
    if (entry.qos === 0) outbox.markLeft(entry);
    sent.push(labelOf(entry));
  }
  return sent;
}

function labelOf({ topic, packetId, dup }: OutboxEntry): string {
  return `${topic}:${packetId}${dup ? '!' : ''}`;
}

describe('the outbox', () => {
  test('gives messages in the order they came, with ids from 1', () => {
    expect(sendAll(outboxOf(3), 0, 1)).toEqual(['m1:1', 'm2:2', 'm3:3']);
  });

  test('sends no more than the window, and goes on as acknowledgements come', () => {
    const outbox = outboxOf(5, { window: 2 });
    expect(sendAll(outbox, 0, 1)).toEqual(['m1:1', 'm2:2']);
    expect(outbox.inFlight).toBe(2);
    outbox.acknowledge(2);
    expect(sendAll(outbox, 0, 1)).toEqual(['m3:3']);
    outbox.acknowledge(1);
    outbox.acknowledge(3);
    expect(sendAll(outbox, 0, 1)).toEqual(['m4:4', 'm5:5']);
    expect(outbox.size).toBe(2);
  });

  test('refuses a message above its capacity until the oldest is done', () => {
    const outbox = outboxOf(3, { capacity: 3 });
    expect(outbox.isFull).toBe(true);
    expect(outbox.push('m4', PAYLOAD, 1)).toBe(false);
    sendAll(outbox, 0, 1);
    outbox.acknowledge(1);
    expect(outbox.isFull).toBe(false);
    expect(outbox.push('m4', PAYLOAD, 1)).toBe(true);
    expect(outbox.size).toBe(3);
  });

  test('lets a QoS 0 message go at once: no id, nothing in flight', () => {
    const outbox = outboxOf(2, { qos: 0, window: 1 });
    expect(sendAll(outbox, 0, 1)).toEqual(['m1:0', 'm2:0']);
    expect([outbox.inFlight, outbox.size, outbox.isFull]).toEqual([0, 0, false]);
  });

  test('keeps a QoS 0 message that a connection has not taken whole; it is sent again on the next, without DUP', () => {
    const outbox = outboxOf(2, { qos: 0 });
    const first = outbox.next()!;
    outbox.markSent(first, 0, 1);
    expect([outbox.inFlight, outbox.size, outbox.next()?.topic, outbox.oldestSentAtMs(1), outbox.acknowledge(0)]).toEqual([0, 2, 'm2', Infinity, undefined]);
    outbox.requeue(1);
    expect(outbox.next()?.topic).toBe('m2');
    outbox.requeue(2);
    expect(outbox.markLeft(first)).toBe(false);
    expect(sendAll(outbox, 0, 2)).toEqual(['m1:0', 'm2:0']);
    expect(outbox.size).toBe(0);
  });

  test('keeps QoS 0 messages behind QoS 1 ones in order, also where the window is full', () => {
    const outbox = new Outbox(8, 1);
    outbox.push('a', PAYLOAD, 1);
    outbox.push('b', PAYLOAD, 1);
    outbox.push('c', PAYLOAD, 0);
    expect(sendAll(outbox, 0, 1)).toEqual(['a:1']);
    outbox.acknowledge(1);
    expect(sendAll(outbox, 0, 1)).toEqual(['b:2', 'c:0']);
    expect(outbox.size).toBe(1);
  });

  test('[MQTT-4.4.0-1] sends again in order, with the same id and DUP, what another connection did not acknowledge', () => {
    const outbox = outboxOf(4, { window: 3 });
    sendAll(outbox, 0, 1);
    outbox.acknowledge(2);
    outbox.requeue(2);
    expect(outbox.inFlight).toBe(0);
    expect(sendAll(outbox, 5, 2)).toEqual(['m1:1!', 'm3:3!', 'm4:4']);
  });

  test('leaves alone what was sent on the connection that stays', () => {
    const outbox = outboxOf(2);
    sendAll(outbox, 0, 1);
    outbox.push('m3', PAYLOAD, 1);
    sendAll(outbox, 1, 2);
    outbox.requeue(1);
    expect(sendAll(outbox, 2, 1)).toEqual(['m3:3!']);
    expect(outbox.inFlight).toBe(3);
  });

  test.each([0, 4, 65_535, -1, 65_536, NaN])('takes no notice of an acknowledgement of id %d, which is not in flight', (packetId) => {
    const outbox = outboxOf(3);
    sendAll(outbox, 0, 1);
    expect(outbox.acknowledge(packetId)).toBeUndefined();
    expect([outbox.inFlight, outbox.size]).toEqual([3, 3]);
  });

  test('takes no notice of a second acknowledgement', () => {
    const outbox = outboxOf(3);
    sendAll(outbox, 0, 1);
    expect(outbox.acknowledge(2)?.topic).toBe('m2');
    expect(outbox.acknowledge(2)).toBeUndefined();
    expect([outbox.inFlight, outbox.size]).toEqual([2, 2]);
  });

  test('takes no notice of an acknowledgement of what waits to be sent again', () => {
    const outbox = outboxOf(1);
    sendAll(outbox, 0, 1);
    outbox.requeue(2);
    expect(outbox.acknowledge(1)).toBeUndefined();
    expect(outbox.size).toBe(1);
  });
});

describe('packet ids', () => {
  test('wrap from 65535 to 1 [MQTT-2.3.1-1]', () => {
    const outbox = new Outbox(4, 4);
    for (let i = 0; i < 65_534; i++) outbox.takePacketId();
    outbox.push('a', PAYLOAD, 1);
    outbox.push('b', PAYLOAD, 1);
    expect(sendAll(outbox, 0, 1)).toEqual(['a:65535', 'b:1']);
  });

  test('skip every id in use, in any order of use', () => {
    const outbox = new Outbox(8, 8);
    const takeUpTo = (last: number): void => {
      while (outbox.takePacketId() !== last);
    };
    for (const topic of ['a', 'b', 'c', 'd']) outbox.push(topic, PAYLOAD, 1);
    sendAll(outbox, 0, 1);
    outbox.acknowledge(3);
    takeUpTo(65_535);
    expect(outbox.takePacketId()).toBe(3);
    expect(outbox.takePacketId()).toBe(5);
    // Round once more: the order of ids in use is not that of the queue any more.
    outbox.push('e', PAYLOAD, 1);
    expect(sendAll(outbox, 0, 1)).toEqual(['e:6']);
    takeUpTo(65_535);
    expect(outbox.takePacketId()).toBe(3);
    outbox.acknowledge(1);
    expect(outbox.takePacketId()).toBe(5);
    expect(outbox.takePacketId()).toBe(7);
    takeUpTo(65_535);
    expect(outbox.takePacketId()).toBe(1);
    expect(outbox.takePacketId()).toBe(3);
  });

  test('of messages that wait to be sent again are in use', () => {
    const outbox = outboxOf(2);
    sendAll(outbox, 0, 1);
    outbox.requeue(2);
    for (let i = 3; i <= 65_535; i++) outbox.takePacketId();
    expect(outbox.takePacketId()).toBe(3);
  });

  test('are free again once everything is acknowledged', () => {
    const outbox = outboxOf(2);
    sendAll(outbox, 0, 1);
    for (let i = 3; i <= 65_535; i++) outbox.takePacketId();
    outbox.acknowledge(1);
    outbox.acknowledge(2);
    expect([outbox.takePacketId(), outbox.takePacketId(), outbox.takePacketId()]).toEqual([1, 2, 3]);
  });
});

describe('the oldest message in flight', () => {
  test('is told for each connection, Infinity where none is', () => {
    const outbox = outboxOf(2);
    expect(outbox.oldestSentAtMs(1)).toBe(Infinity);
    const first = outbox.next();
    if (first !== undefined) outbox.markSent(first, 10, 1);
    const second = outbox.next();
    if (second !== undefined) outbox.markSent(second, 20, 2);
    expect(outbox.oldestSentAtMs(1)).toBe(10);
    expect(outbox.oldestSentAtMs(2)).toBe(20);
    expect(outbox.oldestSentAtMs(3)).toBe(Infinity);
    outbox.acknowledge(1);
    expect(outbox.oldestSentAtMs(1)).toBe(Infinity);
    expect(outbox.oldestSentAtMs(2)).toBe(20);
  });

  test('is not hidden by an earlier message that waits to be sent again', () => {
    const outbox = outboxOf(2);
    const first = outbox.next();
    if (first !== undefined) outbox.markSent(first, 10, 2);
    const second = outbox.next();
    if (second !== undefined) outbox.markSent(second, 20, 1);
    outbox.requeue(1);
    expect(outbox.oldestSentAtMs(1)).toBe(20);
    sendAll(outbox, 30, 1);
    expect(outbox.oldestSentAtMs(1)).toBe(20);
  });
});
