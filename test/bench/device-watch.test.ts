import { expect, test } from '@jest/globals';

import type { HubEventBody } from '../../host-sim/hub/events.ts';
import { DeviceWatch } from './device-watch.ts';

const CONNECTION = { deviceId: 'd', expirySeconds: 1_900_000_000, key: 'primary', sessionPresent: false } as const;

function watchOf(events: readonly (readonly [number, HubEventBody])[]): DeviceWatch {
  const watch = new DeviceWatch('d');
  for (const [monotonicMs, body] of events) watch.observe({ ...body, at: 0, monotonicMs });
  return watch;
}

function message(connection: number, mid: string, deviceId = 'd'): HubEventBody {
  return { event: 'messageReceived', connection, deviceId, mid, qos: 1, dup: false, will: false, bytes: 0, properties: {}, systemProperties: {}, payload: new Uint8Array() };
}

function connect(connection: number, clientId = 'd'): HubEventBody {
  return { event: 'connectReceived', connection, clientId, cleanSession: false, keepAliveSeconds: 240 };
}

test('the gap of a renewal is the longest around it: a message sent twice does not end it, a stall far away is not its', () => {
  const watch = watchOf([
    [0, connect(1)],
    [0, { event: 'connected', connection: 1, token: 'a', ...CONNECTION }],
    [100, message(1, '1')],
    [5000, message(1, '2')],
    [9000, message(1, '2b')],
    [10_000, message(1, '3')],
    [10_150, connect(2)],
    [10_150, { event: 'connected', connection: 2, token: 'b', ...CONNECTION }],
    [10_160, message(2, '3')],
    [10_200, message(2, '4')],
    [10_450, message(2, '5')],
    [13_000, message(2, '6')],
  ]);
  expect(watch.renewalGapsMs()).toEqual([2550]);
  expect(watch.counts).toMatchObject({ received: 7, duplicated: 1, renewals: 1, maxGapMs: 4900 });
});

test('a first connection is no renewal, and what other devices do is not counted', () => {
  const watch = watchOf([
    [0, connect(1)],
    [0, { event: 'connected', connection: 1, token: 'a', ...CONNECTION }],
    [10, connect(2, 'other')],
    [20, message(2, '1', 'other')],
    [30, message(1, '1')],
  ]);
  expect(watch.renewalGapsMs()).toEqual([]);
  expect(watch.connectsAtMs).toEqual([0]);
  expect(watch.messagesAtMs).toEqual([30]);
});

test('every CONNECT counts, refused ones too', () => {
  const refusal = { event: 'refused', clientId: 'd', reason: 'signature-wrong', code: 401_003, detail: '' } as const;
  const watch = watchOf([
    [0, connect(1)],
    [1, { ...refusal, connection: 1 }],
    [500, connect(2)],
    [501, { ...refusal, connection: 2 }],
  ]);
  expect(watch.connectsAtMs).toEqual([0, 500]);
  expect(watch.refusedAtMs).toEqual([1, 501]);
  expect(watch.isConnected).toBe(false);
});
