import { expect, test } from '@jest/globals';
import type { FaultyConnection } from '../../host-sim/hub/faults/device-faults.ts';
import { parseFault } from '../../host-sim/hub/faults/fault.ts';
import { FaultControl } from '../../host-sim/hub/faults/fault-control.ts';
import type { FaultEvent } from '../../host-sim/hub/faults/fault-events.ts';
import { Lag } from '../../host-sim/hub/faults/lag.ts';
import { FakeTime } from '../fakes/fake-time.ts';

const dev1 = { deviceId: 'dev1' };
const module1 = { deviceId: 'dev1', moduleId: 'm' };
const dev2 = { deviceId: 'dev2' };

class FakeConnection implements FaultyConnection {
  readonly grant: FaultyConnection['grant'];
  readonly log: string[] = [];

  constructor(identity: { readonly deviceId: string; readonly moduleId?: string }) {
    this.grant = { identity };
  }

  stall(): void {
    this.log.push('stall');
  }

  close(): void {
    this.log.push('close');
  }
}

/** A control, what it tells, and what it does. */
function setUp(...connections: FakeConnection[]) {
  const time = new FakeTime();
  const clock = { now: () => time.nowMs, monotonicMs: () => time.nowMs, setTimer: (delayMs: number, run: () => void) => time.after(delayMs, run) };
  const events: FaultEvent[] = [];
  const offsets: number[] = [];
  const control = new FaultControl(clock, (event) => events.push(event), { connections: () => connections, setClockOffset: (offsetMs) => offsets.push(offsetMs) });
  const ends = (): string[] => events.flatMap((event) => (event.event === 'faultEnded' ? [`${event.fault} ${event.reason} ${event.hits}`] : []));
  const set = (fault: object) => control.set(parseFault(fault));
  return { time, clock, control, offsets, ends, set };
}

test('a fault with a count happens so often, then is over', async () => {
  const { control, ends, set } = setUp();
  await set({ kind: 'refuse', code: 3, count: 2 });
  expect([control.refusal(dev1), control.refusal(undefined), control.refusal(dev1)]).toEqual([3, 3, undefined]);
  expect([control.isQuiet, ends()]).toEqual([true, ['f1 used-up 2']]);
});

test('a fault with a duration ends with it, and not before', async () => {
  const { control, time, ends, set } = setUp();
  await set({ kind: 'delay', delayMs: 500, durationMs: 1_000 });
  time.advance(999);
  expect([control.delayMs(dev1), ends()]).toEqual([500, []]);
  time.advance(1);
  expect([control.delayMs(dev1), ends(), time.nextDueMs]).toEqual([0, ['f1 elapsed 0'], Infinity]);
});

test('a fault is for whom it names: a device, not its modules and not others; without a name for all', async () => {
  const { control, set } = setUp();
  await set({ kind: 'slow-accept', delayMs: 10, deviceId: 'dev1' });
  expect([dev1, module1, dev2, undefined].map((identity) => control.acceptDelayMs(identity))).toEqual([10, 0, 0, 0]);
  await set({ kind: 'slow-accept', delayMs: 20, deviceId: 'dev1', moduleId: 'm' });
  expect([dev1, module1, dev2].map((identity) => control.acceptDelayMs(identity))).toEqual([10, 20, 0]);
  await set({ kind: 'slow-accept', delayMs: 30 });
  expect([dev1, module1, dev2, undefined].map((identity) => control.acceptDelayMs(identity))).toEqual([10, 20, 30, 30]);
});

test('a drop breaks everybody who is there once, and the next one to come where nobody is', async () => {
  const [first, second] = [new FakeConnection(dev1), new FakeConnection(dev2)];
  const present = setUp(first, second);
  await present.set({ kind: 'drop' });
  expect([first.log, second.log, present.ends()]).toEqual([['close'], ['close'], ['f1 used-up 2']]);
  const empty = setUp();
  await empty.set({ kind: 'drop', deviceId: 'dev1' });
  const [other, later, last] = [new FakeConnection(dev2), new FakeConnection(dev1), new FakeConnection(dev1)];
  for (const connection of [other, later, last]) empty.control.accepted(connection);
  expect([other.log, later.log, last.log]).toEqual([[], ['close'], []]);
});

test('a drop at a message waits for the message, and each moment is its own', async () => {
  const connection = new FakeConnection(dev1);
  const { control, set } = setUp(connection);
  await set({ kind: 'drop', at: 'acknowledgement', count: 1 });
  expect([connection.log, control.dropsAt('message', dev1), control.dropsAt('acknowledgement', dev1), control.dropsAt('acknowledgement', dev1)]).toEqual([[], false, true, false]);
});

test('a half-open connection is silent until the fault ends, and breaks then; a newer one of the device is not touched', async () => {
  const [old, newer] = [new FakeConnection(dev1), new FakeConnection(dev1)];
  const { control, time, ends, set } = setUp(old);
  await set({ kind: 'half-open', count: 1, durationMs: 1_000 });
  control.accepted(newer);
  expect([old.log, newer.log]).toEqual([['stall'], []]);
  time.advance(1_000);
  expect([old.log, newer.log, ends()]).toEqual([['stall', 'close'], [], ['f1 elapsed 1']]);
});

test('a second clock offset takes the place of the first, and the end of it is the right time', async () => {
  const { control, offsets, ends, set } = setUp();
  await set({ kind: 'clock-offset', offsetMs: 1_000 });
  await set({ kind: 'clock-offset', offsetMs: -1_000 });
  expect([control.list().length, control.clearAll(), offsets]).toEqual([1, 1, [1_000, -1_000, 0]]);
  expect(ends()).toEqual(['f1 replaced 0', 'f2 cleared 0']);
});

test('a hub whose port nobody opened has no certificates to switch, and 100 faults are enough', async () => {
  const { set, control } = setUp();
  await expect(set({ kind: 'certificate', certificate: 'expired' })).rejects.toMatchObject({ code: 400_003 });
  for (let number = 0; number < 100; number++) await set({ kind: 'duplicate' });
  await expect(set({ kind: 'duplicate' })).rejects.toMatchObject({ code: 400_003 });
  control.close();
  expect(control.isQuiet).toBe(true);
});

test('a lag passes at once without delay, and nothing passes what waits', () => {
  const { clock, time } = setUp();
  const lag = new Lag(clock);
  const seen: string[] = [];
  lag.pass(0, 1, () => seen.push('a'));
  lag.pass(100, 5, () => seen.push('b'));
  lag.pass(0, 7, () => seen.push('c'));
  expect([seen.join(''), lag.pendingBytes, lag.isEmpty]).toEqual(['a', 12, false]);
  time.advance(100);
  lag.pass(0, 1, () => seen.push('d'));
  expect([seen.join(''), lag.pendingBytes, lag.isEmpty]).toEqual(['abcd', 0, true]);
  lag.pass(100, 1, () => seen.push('e'));
  lag.close();
  time.advance(1_000);
  expect([seen.join(''), time.nextDueMs]).toEqual(['abcd', Infinity]);
});
