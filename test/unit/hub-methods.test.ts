import { expect, test } from '@jest/globals';
import type { IPublishPacket } from 'mqtt-packet';
import type { MethodCall, MethodResult } from '../../host-sim/hub/methods/method-broker.ts';
import { ServiceError } from '../../host-sim/hub/service-error.ts';
import { HubBench, publish, settle, type Peer } from './hub-peer.ts';

const DEVICE = { deviceId: 'dev1' };
const SUBSCRIBE = { cmd: 'subscribe' as const, messageId: 1, subscriptions: [{ topic: '$iothub/methods/POST/#', qos: 0 as const }] };

async function listen(bench: HubBench): Promise<Peer> {
  const peer = await bench.connect();
  await peer.send(SUBSCRIBE);
  peer.received.length = 0;
  return peer;
}

/** A call whose end can be looked at without waiting for it. */
class Call {
  result: MethodResult | undefined;
  error: ServiceError | undefined;

  constructor(bench: HubBench, call: MethodCall, signal?: AbortSignal) {
    bench.hub.methods.invoke(DEVICE, call, signal).then(
      (result) => (this.result = result),
      (error: unknown) => {
        if (!(error instanceof ServiceError)) throw error;
        this.error = error;
      },
    );
  }
}

function requests(peer: Peer): [topic: string, body: string][] {
  return peer.received
    .filter((packet): packet is IPublishPacket => packet.cmd === 'publish')
    .map(({ topic, payload, qos }) => {
      expect(qos).toBe(0);
      return [topic, payload.toString()];
    });
}

test('a method goes to the topic of its name, and the answer with its request id comes back', async () => {
  const bench = new HubBench();
  const peer = await listen(bench);
  const call = new Call(bench, { methodName: 'reboot', payload: { delay: 5 } });
  await settle();
  expect(requests(peer)).toEqual([['$iothub/methods/POST/reboot/?$rid=1', '{"delay":5}']]);
  await peer.send(publish('$iothub/methods/res/-7/?$rid=1', '{"done":true}'));
  expect(call.result).toEqual({ status: -7, payload: { done: true } });
  expect(bench.events.map(({ event }) => event).filter((event) => event.startsWith('method'))).toEqual(['methodSent', 'methodAnswered']);
  expect(JSON.stringify(bench.events)).not.toContain('delay');
});

test.each<[string, MethodCall, string, string]>([
  ['no payload as null', { methodName: 'a' }, 'a', 'null'],
  ['null', { methodName: 'a', payload: null }, 'a', 'null'],
  ['text', { methodName: 'a', payload: 'x' }, 'a', '"x"'],
  ['the name of a command of a component', { methodName: 'thermostat1*getMaxMinReport', payload: 1 }, 'thermostat1*getMaxMinReport', '1'],
  ['a name with what is special in topics', { methodName: 'a/b+#?', payload: 1 }, 'a%2Fb%2B%23%3F', '1'],
])('sends %s', async (_what, call, name, body) => {
  const bench = new HubBench();
  const peer = await listen(bench);
  new Call(bench, call);
  await settle();
  expect(requests(peer)).toEqual([[`$iothub/methods/POST/${name}/?$rid=1`, body]]);
});

test('answers find their calls in any order; an empty one is null, a second one is ignored', async () => {
  const bench = new HubBench();
  const peer = await listen(bench);
  const calls = [new Call(bench, { methodName: 'a' }), new Call(bench, { methodName: 'b' })];
  await peer.send(publish('$iothub/methods/res/202/?$rid=2', ''), publish('$iothub/methods/res/200/?$rid=1', '"one"'), publish('$iothub/methods/res/500/?$rid=1', '"again"'));
  expect(calls.map(({ result }) => result)).toEqual([{ status: 200, payload: 'one' }, { status: 202, payload: null }]);
  expect(bench.eventsOf('methodAnswerIgnored')).toMatchObject([{ requestId: '1' }]);
});

test('a device that is not connected, or does not listen, is 404103 at once', async () => {
  const bench = new HubBench();
  const away = new Call(bench, { methodName: 'a' });
  await settle();
  expect(away.error).toMatchObject({ status: 404, code: 404_103, reason: 'DeviceNotOnline' });
  const peer = await bench.connect();
  const deaf = new Call(bench, { methodName: 'a' });
  await settle();
  expect(deaf.error).toMatchObject({ code: 404_103 });
  await peer.send(SUBSCRIBE, { cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['$iothub/methods/POST/#'] });
  const deafAgain = new Call(bench, { methodName: 'a' });
  await settle();
  expect(deafAgain.error).toMatchObject({ code: 404_103 });
  expect(bench.eventsOf('methodFailed')).toHaveLength(3);
});

test('with a connect time-out the call waits for the device, and its response time-out starts when it is sent', async () => {
  const bench = new HubBench();
  const call = new Call(bench, { methodName: 'late', connectTimeoutSeconds: 20, responseTimeoutSeconds: 10 });
  await bench.advance(19_000);
  const peer = await listen(bench);
  await bench.advance(9_000);
  expect(call.error).toBeUndefined();
  await peer.send(publish('$iothub/methods/res/200/?$rid=1', '1'));
  expect(call.result).toEqual({ status: 200, payload: 1 });
});

test('a device that does not come in time is 404103, one that does not answer in time is 504101, and its late answer is ignored', async () => {
  const bench = new HubBench();
  const never = new Call(bench, { methodName: 'a', connectTimeoutSeconds: 20 });
  await bench.advance(19_999);
  expect(never.error).toBeUndefined();
  await bench.advance(1);
  expect(never.error).toMatchObject({ status: 404, code: 404_103 });

  const peer = await listen(bench);
  const mute = new Call(bench, { methodName: 'a', responseTimeoutSeconds: 5 });
  await bench.advance(4_999);
  expect(mute.error).toBeUndefined();
  await bench.advance(1);
  expect(mute.error).toMatchObject({ status: 504, code: 504_101, message: 'Timed out waiting for the response from device.' });
  await peer.send(publish('$iothub/methods/res/200/?$rid=1', '1'));
  expect(bench.eventsOf('methodAnswerIgnored')).toHaveLength(1);
});

test('the time-out is 30 seconds when none is given', async () => {
  const bench = new HubBench();
  await listen(bench);
  const call = new Call(bench, { methodName: 'a' });
  await bench.advance(29_999);
  expect(call.error).toBeUndefined();
  await bench.advance(1);
  expect(call.error).toMatchObject({ code: 504_101 });
});

test('a device that renews its connection answers on the new one', async () => {
  const bench = new HubBench();
  await listen(bench);
  const call = new Call(bench, { methodName: 'a' });
  await settle();
  const renewed = await bench.connect();
  await renewed.send(publish('$iothub/methods/res/200/?$rid=1', '"new"'));
  expect(call.result).toEqual({ status: 200, payload: 'new' });
});

test("another device's answer is not taken", async () => {
  const bench = new HubBench();
  bench.registry.add({ deviceId: 'dev2' });
  await listen(bench);
  const call = new Call(bench, { methodName: 'a' });
  const other = await bench.connect({ deviceId: 'dev2' });
  await other.send(publish('$iothub/methods/res/200/?$rid=1', '"forged"'));
  expect(call.result).toBeUndefined();
  expect(bench.eventsOf('methodAnswerIgnored')).toMatchObject([{ deviceId: 'dev2', requestId: '1' }]);
});

test.each<[string, MethodCall, number]>([
  ['no name', { methodName: '' }, 400_004],
  ['a name of 1,025 bytes', { methodName: 'n'.repeat(1_025) }, 400_004],
  ['half of a surrogate pair in the name, which no topic can hold', { methodName: 'a\ud83d', connectTimeoutSeconds: 30 }, 400_004],
  ['a response time-out of 4 seconds', { methodName: 'a', responseTimeoutSeconds: 4 }, 400_004],
  ['a response time-out of 301 seconds', { methodName: 'a', responseTimeoutSeconds: 301 }, 400_004],
  ['a response time-out that is no number', { methodName: 'a', responseTimeoutSeconds: NaN }, 400_004],
  ['a connect time-out of 301 seconds', { methodName: 'a', connectTimeoutSeconds: 301 }, 400_004],
  ['a negative connect time-out', { methodName: 'a', connectTimeoutSeconds: -1 }, 400_004],
  ['a payload above 128 KB', { methodName: 'a', payload: 'x'.repeat(128 * 1024 - 1) }, 413_001],
])('refuses %s', async (_what, call, code) => {
  const bench = new HubBench();
  const peer = await listen(bench);
  const refused = new Call(bench, call);
  await settle();
  expect(refused.error).toMatchObject({ code });
  expect(peer.received).toEqual([]);
});

test('a payload of 128 KB goes, and one comes back', async () => {
  const bench = new HubBench();
  const peer = await listen(bench);
  const payload = 'x'.repeat(128 * 1024 - 2);
  const call = new Call(bench, { methodName: 'a', payload });
  await settle();
  expect(requests(peer)[0]?.[1]).toHaveLength(128 * 1024);
  await peer.send(publish('$iothub/methods/res/200/?$rid=1', JSON.stringify(payload)));
  expect(call.result?.payload).toBe(payload);
});

test.each<[string, string, number, number]>([
  ['no JSON', '{"a":', 502, 502_101],
  ['more than 128 KB', `"${'x'.repeat(128 * 1024)}"`, 413, 413_001],
])('an answer that is %s fails the call', async (_what, body, status, code) => {
  const bench = new HubBench();
  const peer = await listen(bench);
  const call = new Call(bench, { methodName: 'a' });
  await peer.send(publish('$iothub/methods/res/200/?$rid=1', body));
  expect(call.error).toMatchObject({ status, code });
});

test.each(['$iothub/methods/res/', '$iothub/methods/res/200', '$iothub/methods/res/ok/?$rid=1', '$iothub/methods/res/200/x?$rid=1', '$iothub/methods/res/12345678901/?$rid=1'])(
  'an answer to %s closes the connection', async (topic) => {
    const bench = new HubBench();
    const peer = await listen(bench);
    await peer.send(publish(topic, '1'));
    expect(peer.isEnded).toBe(true);
    expect(bench.eventsOf('disconnected')).toMatchObject([{ reason: 'topic-not-allowed' }]);
  },
);

test('calls end when their caller leaves, the device is removed, or the hub closes; 100 of one device wait, no more', async () => {
  const bench = new HubBench();
  const peer = await listen(bench);
  const leaving = new AbortController();
  const left = new Call(bench, { methodName: 'a' }, leaving.signal);
  leaving.abort();
  await settle();
  expect(left.error).toMatchObject({ status: 499 });
  await peer.send(publish('$iothub/methods/res/200/?$rid=1', '1'));
  expect(bench.eventsOf('methodAnswerIgnored')).toHaveLength(1);

  const waiting = Array.from({ length: 101 }, () => new Call(bench, { methodName: 'a' }));
  await settle();
  expect(waiting.filter(({ error }) => error?.code === 429_001)).toHaveLength(1);
  bench.registry.remove(DEVICE);
  await settle();
  expect(waiting.filter(({ error }) => error?.code === 404_103)).toHaveLength(100);

  bench.registry.add(DEVICE);
  const last = new Call(bench, { methodName: 'a', connectTimeoutSeconds: 60 });
  await bench.hub.close();
  await settle();
  expect(last.error).toMatchObject({ status: 503, code: 503_001 });
});
