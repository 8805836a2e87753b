import { describe, expect, test } from '@jest/globals';

import type { InboundMessage } from '../../../firmware/agent/application.ts';
import { AgentBench } from '../../fakes/agent-bench.ts';
import type { HubSession } from '../../fakes/scripted-hub.ts';

const TOPIC = 'devices/dev1/messages/devicebound/%24.to=%2Fdevices%2Fdev1';

function sendTo(session: HubSession | undefined, text: string, options: { qos?: 0 | 1; messageId?: number; dup?: boolean } = {}): void {
  const { qos = 1, messageId = 1, dup = false } = options;
  session?.send({ cmd: 'publish', topic: TOPIC, payload: text, qos, dup, retain: false, ...(qos === 0 ? {} : { messageId }) });
}

describe('a message from the cloud', () => {
  test('is subscribed to only when there is a handler', () => {
    const deaf = new AgentBench().connect();
    deaf.time.advance(100);
    expect(deaf.hub.lines('subscribe')).toEqual([]);
    const subscriptions: unknown[] = [];
    const bench = new AgentBench({ onMessage: () => {} });
    bench.hub.onSubscribe = (_session, packet) => subscriptions.push(...packet.subscriptions);
    bench.connect();
    bench.time.advance(100);
    expect(subscriptions).toEqual([{ topic: 'devices/dev1/messages/devicebound/#', qos: 1 }]);
  });

  test('is acknowledged once, and only after the application said so', () => {
    const messages: InboundMessage[] = [];
    const bench = new AgentBench({ onMessage: (message) => messages.push(message) }).connect();
    sendTo(bench.hub.current, 'hello', { messageId: 7 });
    bench.time.advance(5000);
    expect(messages.map(({ topic, payload }) => [topic, Buffer.from(payload).toString()])).toEqual([[TOPIC, 'hello']]);
    expect(bench.hub.lines('puback')).toEqual([]);
    messages[0]?.acknowledge();
    messages[0]?.acknowledge();
    bench.time.advance(100);
    expect(bench.hub.lines('puback')).toEqual(['1 puback 7']);
  });

  test('with QoS 0, or with an empty payload, is handed over, too', () => {
    const seen: string[] = [];
    const bench = new AgentBench({
      onMessage: ({ payload, acknowledge }) => {
        seen.push(Buffer.from(payload).toString());
        if (payload.length === 0) acknowledge();
      },
    }).connect();
    for (let i = 0; i < 10; i++) sendTo(bench.hub.current, 'zero', { qos: 0 });
    sendTo(bench.hub.current, '', { messageId: 2 });
    bench.time.advance(100);
    // QoS 0 is nothing to wait for: it does not count against the limit.
    expect(seen).toEqual([...new Array<string>(10).fill('zero'), '']);
    expect(bench.hub.lines('puback')).toEqual(['1 puback 2']);
  });

  test('whose handler throws is not acknowledged, and the agent goes on', () => {
    const bench = new AgentBench({
      onMessage: () => {
        throw new Error('no room');
      },
    }).connect();
    sendTo(bench.hub.current, 'x');
    bench.send();
    expect(bench.drain()).toBe(true);
    expect(bench.eventsOf('handler-failed')).toEqual([{ type: 'handler-failed', message: 'no room' }]);
    expect(bench.eventsOf('message-failed')).toEqual([{ type: 'message-failed', topic: TOPIC, tries: 1, dropped: false }]);
    expect(bench.hub.lines('puback')).toEqual([]);
    expect(bench.agent.isConnected).toBe(true);
  });

  test('whose handler throws after it has acknowledged stays acknowledged; one that acknowledges later does it then', () => {
    const messages: InboundMessage[] = [];
    const bench = new AgentBench({
      onMessage: (message) => {
        messages.push(message);
        if (messages.length === 1) message.acknowledge();
        throw new Error('no room');
      },
    }).connect();
    sendTo(bench.hub.current, 'at once', { messageId: 1 });
    sendTo(bench.hub.current, 'later', { messageId: 2 });
    bench.time.advance(100);
    expect([bench.hub.lines('puback'), bench.eventsOf('message-failed').length]).toEqual([['1 puback 1'], 1]);
    messages[1]?.acknowledge();
    bench.time.advance(100);
    expect(bench.hub.lines('puback')).toEqual(['1 puback 1', '1 puback 2']);
  });

  test('is acknowledged by nobody when its connection has been replaced: the hub sends it again', () => {
    const messages: InboundMessage[] = [];
    const bench = new AgentBench({ config: { tokenLifeSeconds: 5 }, onMessage: (message) => messages.push(message) }).connect();
    sendTo(bench.hub.current, 'x', { messageId: 3 });
    bench.time.runUntil(() => bench.eventsOf('renewed').length === 1, 10_000);
    messages[0]?.acknowledge();
    sendTo(bench.hub.current, 'x', { messageId: 3, dup: true });
    bench.time.advance(100);
    expect(bench.hub.lines('puback')).toEqual([]);
    messages[1]?.acknowledge();
    bench.time.advance(100);
    expect(bench.hub.lines('puback')).toEqual(['2 puback 3']);
  });

  test('that is not acknowledged delays a renewal by a round trip and 200 ms at most', () => {
    const messages: InboundMessage[] = [];
    const bench = new AgentBench({ config: { tokenLifeSeconds: 100 }, onMessage: (message) => messages.push(message) }).connect();
    // Enough for the measured round trip to settle at 20 ms.
    for (let i = 0; i < 100; i++) {
      bench.send();
      bench.drain();
    }
    sendTo(bench.hub.current, 'x');
    // The candidate is being prepared: the pause is a second away.
    bench.time.runUntil(() => bench.hub.sessions.length === 2, 100_000);
    const stop = bench.sendEvery(5);
    bench.time.runUntil(() => bench.hub.connectTimesMs.length === 2, 100_000);
    stop();
    const connectMs = bench.hub.connectTimesMs[1] ?? 0;
    const lastMs = bench.hub.log.filter(({ what, session }) => what === 'publish' && session === 1).at(-1)?.atMs ?? 0;
    expect(connectMs - lastMs).toBeGreaterThanOrEqual(200);
    expect(connectMs - lastMs).toBeLessThanOrEqual(240);
    expect(messages.length).toBe(1);
  });

  test('acknowledged while the window drains lets the renewal go on at once', () => {
    const messages: InboundMessage[] = [];
    const bench = new AgentBench({ config: { tokenLifeSeconds: 100 }, onMessage: (message) => messages.push(message) }).connect();
    sendTo(bench.hub.current, 'x');
    bench.time.runUntil(() => bench.hub.sessions.length === 2, 100_000);
    const cancel = bench.sendEvery(5);
    // The last message before the pause is at most 5 ms old when the window has drained.
    const lastMs = (): number => bench.hub.log.filter(({ what }) => what === 'publish').at(-1)?.atMs ?? bench.time.nowMs;
    bench.time.runUntil(() => bench.time.nowMs - lastMs() > 60, 100_000);
    const acknowledgedMs = bench.time.nowMs;
    messages[0]?.acknowledge();
    bench.time.runUntil(() => bench.hub.connectTimesMs.length === 2, 1000);
    expect((bench.hub.connectTimesMs[1] ?? 0) - acknowledgedMs).toBeLessThanOrEqual(10);
    cancel();
  });
});

test('messages that a renewal overtook neither delay the next one nor count against the limit', () => {
  const messages: InboundMessage[] = [];
  const bench = new AgentBench({ config: { tokenLifeSeconds: 20 }, onMessage: (message) => messages.push(message) }).connect();
  for (let messageId = 1; messageId <= 8; messageId++) sendTo(bench.hub.current, 'old', { messageId });
  bench.time.runUntil(() => bench.eventsOf('renewed').length === 1, 20_000);
  messages[0]?.acknowledge();
  for (let messageId = 1; messageId <= 8; messageId++) sendTo(bench.hub.current, 'new', { messageId });
  bench.time.advance(100);
  expect(messages.slice(8).map(({ payload }) => Buffer.from(payload).toString())).toEqual(new Array(8).fill('new'));
  for (const message of messages) message.acknowledge();
  bench.time.runUntil(() => bench.hub.sessions.length === 3, 20_000);
  const stop = bench.sendEvery(5);
  bench.time.runUntil(() => bench.hub.connectTimesMs.length === 3, 20_000);
  stop();
  const lastMs = bench.hub.log.filter(({ what, session }) => what === 'publish' && session === 2).at(-1)?.atMs ?? 0;
  // A round trip for the window to drain, no more.
  expect((bench.hub.connectTimesMs[2] ?? 0) - lastMs).toBeLessThanOrEqual(30);
});

describe('more messages than the application handles', () => {
  /** A hub that keeps what was not acknowledged and sends it again on the next connection, as IoT Hub does. */
  function queueing(bench: AgentBench, count: number): Set<number> {
    const kept = new Set(Array.from({ length: count }, (_, i) => i + 1));
    bench.hub.onSubscribe = (session, packet) => {
      session.send({ cmd: 'suback', messageId: packet.messageId ?? 0, granted: [1] });
      for (const messageId of kept) sendTo(session, String(messageId), { messageId });
    };
    bench.hub.onPuback = (_session, packetId) => kept.delete(packetId);
    return kept;
  }

  test('50 at once, handled at once, are all acknowledged on one connection', () => {
    const bench = new AgentBench({ onMessage: ({ acknowledge }) => acknowledge() });
    const kept = queueing(bench, 50);
    bench.connect();
    bench.time.advance(1000);
    expect([kept.size, bench.hub.sessions.length]).toEqual([0, 1]);
  });

  test('50 at once over a link that is full are all acknowledged', () => {
    const bench = new AgentBench({ onMessage: ({ acknowledge }) => acknowledge(), config: { pubackTimeoutMs: 600_000 } });
    bench.network.roomBytes = 100;
    const kept = queueing(bench, 50);
    for (let i = 0; i < 64; i++) bench.agent.send('x'.repeat(1000));
    bench.connect();
    expect(bench.time.runUntil(() => kept.size === 0, 60_000)).toBe(true);
    expect(bench.eventsOf('disconnected')).toEqual([]);
    expect(bench.drain()).toBe(true);
  });

  test('above all that a hub keeps, over a link that takes nothing, end the connection instead of filling the memory', () => {
    const bench = new AgentBench({ onMessage: ({ acknowledge }) => acknowledge(), config: { pubackTimeoutMs: 600_000 } });
    bench.network.roomBytes = 100;
    bench.connect();
    bench.agent.send('x'.repeat(100_000));
    for (let messageId = 1; messageId <= 70; messageId++) sendTo(bench.hub.current, '', { messageId });
    bench.time.advance(100);
    expect(bench.eventsOf('disconnected').at(-1)).toEqual({ type: 'disconnected', code: 'ERR_LINK_STALLED' });
  });

  test('50 at once, handled 100 ms later each, all come to be handled, 8 at a time', () => {
    let most = 0;
    let open = 0;
    const bench: AgentBench = new AgentBench({
      onMessage: ({ acknowledge }) => {
        most = Math.max(most, ++open);
        bench.time.after(100, () => {
          open -= 1;
          acknowledge();
        });
      },
    });
    const kept = queueing(bench, 50);
    bench.connect();
    expect(bench.time.runUntil(() => kept.size === 0, 300_000)).toBe(true);
    expect(most).toBe(8);
  });

  test('20 whose handler throws do not keep others from being handled: eight wait at the hub, the rest is given up', () => {
    const handled: string[] = [];
    const bench = new AgentBench({
      onMessage: ({ payload, acknowledge }) => {
        const text = Buffer.from(payload).toString();
        if (Number(text) <= 20) throw new Error('poison');
        handled.push(text);
        acknowledge();
      },
    });
    const kept = queueing(bench, 30);
    bench.connect();
    bench.time.advance(1000);
    expect([handled.length, [...kept], bench.hub.sessions.length]).toEqual([10, [1, 2, 3, 4, 5, 6, 7, 8], 1]);
    for (let connection = 2; connection <= 3; connection++) {
      bench.network.cut();
      bench.time.runUntil(() => bench.hub.sessions.length === connection && bench.agent.isConnected, 60_000);
      bench.time.advance(1000);
      expect([...kept]).toEqual(connection === 2 ? [1, 2, 3, 4, 5, 6, 7, 8] : []);
    }
    expect(bench.eventsOf('message-failed').filter(({ dropped }) => dropped).map(({ tries }) => tries)).toEqual([...new Array<number>(12).fill(1), ...new Array<number>(8).fill(3)]);
  });

  test('of which one fails twice and then does not, are counted anew when the same comes again', () => {
    let failures = 2;
    const bench = new AgentBench({
      onMessage: ({ acknowledge }) => {
        if (failures-- > 0) throw new Error('not yet');
        acknowledge();
      },
    });
    const kept = queueing(bench, 1);
    bench.connect();
    for (let connection = 2; connection <= 3; connection++) {
      bench.time.advance(100);
      bench.network.cut();
      bench.time.runUntil(() => bench.hub.sessions.length === connection && bench.agent.isConnected, 60_000);
    }
    bench.time.advance(100);
    expect([...kept]).toEqual([]);
    failures = 1;
    sendTo(bench.hub.current, '1', { messageId: 9 });
    bench.time.advance(100);
    expect(bench.eventsOf('message-failed').map(({ tries }) => tries)).toEqual([1, 2, 1]);
  });

  test('50 at once, handled by nobody, leave the connection and its telemetry alone', () => {
    const bench = new AgentBench({ onMessage: () => {} });
    queueing(bench, 50);
    bench.connect();
    const stop = bench.sendEvery(100);
    bench.time.advance(60_000);
    stop();
    expect(bench.drain()).toBe(true);
    expect([bench.hub.sessions.length, bench.account().lost]).toEqual([1, []]);
  });
});

describe('a message above MAX_INBOUND', () => {
  test.each([8193, 262_144])('of %d bytes is passed by, acknowledged and reported; what follows is handled', (byteCount) => {
    const seen: number[] = [];
    const bench = new AgentBench({
      onMessage: ({ payload, acknowledge }) => {
        seen.push(payload.length);
        acknowledge();
      },
    }).connect();
    const headerBytes = 1 + (byteCount > 16_384 ? 3 : 2) + 2 + TOPIC.length + 2;
    sendTo(bench.hub.current, 'x'.repeat(byteCount - headerBytes), { messageId: 9 });
    sendTo(bench.hub.current, 'after', { messageId: 10 });
    bench.time.advance(1000);
    expect(bench.hub.lines('puback')).toEqual(['1 puback 9', '1 puback 10']);
    expect(bench.eventsOf('oversize')).toEqual([{ type: 'oversize', topic: TOPIC, byteCount }]);
    expect(seen).toEqual([5]);
  });

  test('less one byte is handled', () => {
    const seen: number[] = [];
    const bench = new AgentBench({ onMessage: ({ payload }) => seen.push(payload.length) }).connect();
    const length = 8192 - (1 + 2 + 2 + TOPIC.length + 2);
    sendTo(bench.hub.current, 'x'.repeat(length));
    bench.time.advance(1000);
    expect(seen).toEqual([length]);
  });
});

test('a subscription that is refused is reported, and telemetry goes on', () => {
  const bench = new AgentBench({ onMessage: () => {} });
  bench.hub.onSubscribe = (session, packet) => session.send({ cmd: 'suback', messageId: packet.messageId ?? 0, granted: [0x80] });
  bench.connect();
  bench.send();
  bench.time.advance(1000);
  expect(bench.eventsOf('subscription-refused')).toEqual([{ type: 'subscription-refused', topic: 'devices/dev1/messages/devicebound/#' }]);
  expect(bench.agent.pending).toBe(0);
});

test('a SUBACK that nobody asked for says nothing', () => {
  const bench = new AgentBench({ onMessage: () => {} }).connect();
  bench.hub.current?.send({ cmd: 'suback', messageId: 4711, granted: [0x80] });
  bench.time.advance(100);
  expect(bench.eventsOf('subscription-refused')).toEqual([]);
  expect(bench.agent.isConnected).toBe(true);
});
