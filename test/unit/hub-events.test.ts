import { describe, expect, test } from '@jest/globals';
import { EventLog, type EventLogLimits } from '../../host-sim/hub/amqp/event-log.ts';
import { findStart } from '../../host-sim/hub/amqp/event-position.ts';
import { PartitionReaders, type PartitionReader } from '../../host-sim/hub/amqp/partition-readers.ts';
import type { HubEvent } from '../../host-sim/hub/events.ts';

function telemetry(body: string, fields: { readonly deviceId?: string; readonly moduleId?: string; readonly connection?: number; readonly at?: number } = {}): HubEvent {
  const payload = Buffer.from(body);
  return { event: 'messageReceived', at: 0, monotonicMs: 0, connection: 1, deviceId: 'dev1', qos: 1, dup: false, will: false, bytes: payload.length, properties: {}, systemProperties: {}, payload, ...fields };
}

/** One partition: what is where is plain. */
function logOf(bodies: readonly string[], limits: Partial<EventLogLimits> = {}): EventLog {
  const log = new EventLog({ partitions: 1, ...limits });
  for (const [index, body] of bodies.entries()) log.observe(telemetry(body, { at: 1_000 + index }));
  return log;
}

const bodies = (log: EventLog, from: number, max = 100): string[] => log.read(0, from, max).map(({ payload }) => payload.toString());

describe('the log of events', () => {
  test('numbers events without gaps and lets the oldest go when there are too many, or too many bytes', () => {
    const byCount = logOf(['a', 'b', 'c', 'd'], { events: 3 });
    expect([bodies(byCount, 0), bodies(byCount, 3), bodies(byCount, 1, 2), bodies(byCount, 9)]).toEqual([['b', 'c', 'd'], ['d'], ['b', 'c'], []]);
    expect(byCount.state(0)).toEqual({ beginSequenceNumber: 1, lastSequenceNumber: 3, lastOffset: 6, lastEnqueuedMs: 1_003, isEmpty: false });
    expect(bodies(logOf(['aaaa', 'bbb', 'c'], { bytes: 4 }), 0)).toEqual(['bbb', 'c']);
    expect(new EventLog().state(0)).toEqual({ beginSequenceNumber: 0, lastSequenceNumber: -1, lastOffset: -1, lastEnqueuedMs: 0, isEmpty: true });
  });

  test('keeps its own copy of a payload', () => {
    const log = new EventLog({ partitions: 1 });
    const event = telemetry('abc');
    log.observe(event);
    if (event.event === 'messageReceived') event.payload.fill(0);
    expect(bodies(log, 0)).toEqual(['abc']);
  });

  test('keeps a device in one partition, spreads a thousand over all, and tells of each append', () => {
    const log = new EventLog();
    const told: number[] = [];
    log.onAppend((partition) => void told.push(partition));
    for (let n = 0; n < 1_000; n++) log.observe(telemetry('x', { deviceId: `device-${n}` }));
    const sizes = [0, 1, 2, 3].map((partition) => log.read(partition, 0, 1_000).length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(1_000);
    for (const size of sizes) expect(size).toBeGreaterThan(200);
    expect(told.filter((partition) => partition === 0)).toHaveLength(sizes[0] ?? 0);
    told.length = 0;
    for (let n = 0; n < 5; n++) log.observe(telemetry('x', { deviceId: 'same' }));
    expect(new Set(told).size).toBe(1);
  });

  test('says how a device proved itself: by its own key, as a module, by a policy of the hub', () => {
    const log = new EventLog({ partitions: 1 });
    log.observe({ event: 'connected', at: 0, monotonicMs: 0, connection: 7, deviceId: 'dev1', token: '', expirySeconds: 1, key: 'primary', sessionPresent: false, policy: 'device' });
    log.observe(telemetry('x', { connection: 7 }));
    log.observe({ event: 'disconnected', at: 0, monotonicMs: 0, connection: 7, reason: 'client-disconnected' });
    log.observe(telemetry('x', { connection: 7 }));
    log.observe(telemetry('x', { moduleId: 'm' }));
    expect(log.read(0, 0, 3).map(({ authMethod }) => (JSON.parse(authMethod) as { scope: string }).scope)).toEqual(['hub', 'device', 'module']);
  });
});

test.each([
  [undefined, 0],
  ["amqp.annotation.x-opt-offset > '-1'", 0],
  ["amqp.annotation.x-opt-offset > '0'", 1],
  ["amqp.annotation.x-opt-offset >= '0'", 0],
  ["amqp.annotation.x-opt-offset > '@latest'", 4],
  ["amqp.annotation.x-opt-sequence-number > '1'", 2],
  ["amqp.annotation.x-opt-sequence-number >= '1'", 1],
  ["amqp.annotation.x-opt-sequence-number > '99'", 4],
  ["amqp.annotation.x-opt-enqueued-time > '1001'", 2],
  ['amqp.annotation.x-opt-enqueuedtimeutc > 1001', 2],
  ["amqp.annotation.x-opt-sequence-number > '@latest'", undefined],
  ["amqp.annotation.x-opt-offset < '1'", undefined],
  ["amqp.annotation.x-opt-offset > '1' AND 1=1", undefined],
  ['', undefined],
])('a reader that asks for %s starts at event %s', (selector, start) => {
  expect(findStart(logOf(['a', 'b', 'c', 'd']), 0, selector)).toBe(start);
});

test('readers of a partition: five may share, one with an epoch reads alone, a lower one is turned away', () => {
  const readers = new PartitionReaders();
  const ejected: string[] = [];
  const reader = (name: string, epoch?: number): PartitionReader => ({ epoch, eject: (error) => void ejected.push(`${name}: ${error.condition}`) });
  const sharing = ['a', 'b', 'c', 'd', 'e'].map((name) => reader(name));
  expect(sharing.map((each) => readers.add(0, each))).toEqual(Array(5).fill(undefined));
  expect(readers.add(0, reader('f'))?.condition).toBe('amqp:resource-limit-exceeded');
  expect(readers.add(1, reader('f'))).toBeUndefined();
  const owner = reader('owner', 3);
  expect(readers.add(0, owner)).toBeUndefined();
  expect(ejected).toEqual(['a', 'b', 'c', 'd', 'e'].map((name) => `${name}: amqp:link:stolen`));
  expect([readers.add(0, reader('g'))?.condition, readers.add(0, reader('h', 2))?.condition]).toEqual(['amqp:link:stolen', 'amqp:link:stolen']);
  const same = reader('same', 3);
  expect([readers.add(0, same), ejected.at(-1)]).toEqual([undefined, 'owner: amqp:link:stolen']);
  readers.remove(0, same);
  expect(readers.add(0, reader('i'))).toBeUndefined();
});
