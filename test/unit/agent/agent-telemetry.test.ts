import { describe, expect, test } from '@jest/globals';

import { LatchkeyError } from '../../../firmware/agent/errors.ts';
import { AgentBench } from '../../fakes/agent-bench.ts';

describe('the agent', () => {
  test('connects with the CONNECT that IoT Hub documents, token in the password', () => {
    const bench = new AgentBench({ config: { moduleId: 'm1', modelId: 'dtmi:a:b;1', policyName: 'device' } }).connect();
    const connect = bench.hub.sessions[0]?.connect;
    expect(connect).toMatchObject({
      protocolId: 'MQTT', protocolVersion: 4, clientId: 'dev1/m1', clean: false, keepalive: 240,
      username: 'hub.test/dev1/m1/?api-version=2021-04-12&model-id=dtmi%3Aa%3Ab%3B1&DeviceClientType=latchkey%2F0.1.0',
    });
    const expirySeconds = Math.ceil(bench.port.wallMs() / 1000) + 3600;
    const resource = 'hub.test%2Fdevices%2Fdev1%2Fmodules%2Fm1';
    expect(connect?.password?.toString()).toBe(
      `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(`0/${resource}/${expirySeconds}`)}&skn=device&se=${expirySeconds}`,
    );
    expect(bench.events).toEqual([
      { type: 'clock', level: 'unset' },
      { type: 'clock', level: 'network' },
      { type: 'connecting', host: 'hub.test', port: 8883 },
      { type: 'connected', sessionPresent: false, keyIndex: 0, tokenSeconds: 3601 },
    ]);
  });

  test('sends what was queued before it was connected, in order, and says what was acknowledged', () => {
    const bench = new AgentBench();
    for (let i = 0; i < 100; i++) bench.send();
    bench.connect();
    expect(bench.drain()).toBe(true);
    expect(bench.hub.received).toEqual(Array.from({ length: 100 }, (_, i) => String(i + 1)));
    expect(bench.acknowledged).toBe(100);
  });

  test('sends a QoS 0 message once, without an id', () => {
    const bench = new AgentBench().connect();
    bench.send(0);
    bench.time.advance(100);
    expect(bench.hub.lines('publish')).toEqual(['1 publish 0']);
    expect([bench.acknowledged, bench.agent.pending]).toEqual([1, 0]);
  });

  test('sends properties in the topic, and an empty payload as it is', () => {
    const topics: [string, number][] = [];
    const bench = new AgentBench();
    bench.hub.onPublish = (session, packet) => {
      topics.push([packet.topic, packet.payload.length]);
      bench.hub.process(session, packet);
    };
    bench.connect();
    bench.agent.send(new Uint8Array(0), { messageId: 'm/1', application: { 'a b': 'ü' } });
    expect(bench.drain()).toBe(true);
    expect(topics).toEqual([['devices/dev1/messages/events/%24.mid=m%2F1&a%20b=%C3%BC', 0]]);
  });

  test('fills the window and no more while the hub acknowledges nothing', () => {
    const bench = new AgentBench({ config: { window: 5, queue: 20, pubackTimeoutMs: 60_000 } });
    bench.hub.onPublish = () => {};
    bench.connect();
    for (let i = 0; i < 20; i++) bench.send();
    bench.time.advance(1000);
    expect(bench.hub.lines('publish')).toEqual([1, 2, 3, 4, 5].map((id) => `1 publish ${id}`));
  });

  test('refuses a message when the queue is full, and says once when there is room again', () => {
    let writable = 0;
    const bench = new AgentBench({ config: { queue: 3, window: 3 }, onWritable: () => (writable += 1) }).connect();
    bench.hub.onPublish = () => {};
    expect([1, 2, 3, 4, 5].map(() => bench.send())).toEqual([true, true, true, false, false]);
    bench.time.advance(1000);
    expect(writable).toBe(0);
    bench.hub.onPublish = (session, packet) => bench.hub.process(session, packet);
    for (let messageId = 1; messageId <= 3; messageId++) bench.hub.current?.send({ cmd: 'puback', messageId });
    bench.drain();
    expect(writable).toBe(1);
    bench.send();
    bench.drain();
    expect(writable).toBe(1);
  });

  test('refuses a message that no connection could carry, and keeps the queue as it was', () => {
    const bench = new AgentBench().connect();
    const codeOf = (call: () => void): string => {
      try {
        call();
      } catch (error) {
        return error instanceof LatchkeyError ? `${error.code}: ${error.message}` : String(error);
      }
      return 'accepted';
    };
    const topicBytes = 'devices/dev1/messages/events/'.length;
    expect(codeOf(() => bench.agent.send(new Uint8Array(256 * 1024 - topicBytes + 1)))).toBe(
      'ERR_MESSAGE_SIZE: message: expected at most 262144 bytes with its properties, got 262145',
    );
    expect(codeOf(() => bench.agent.send('', { application: { a: 'x'.repeat(65_535) } }))).toBe(
      `ERR_MESSAGE_SIZE: properties: expected at most 65535 bytes with the topic, got ${65_535 + topicBytes + 2}`,
    );
    expect(codeOf(() => bench.agent.send(new ArrayBuffer(3) as unknown as Uint8Array))).toBe('TypeError: send: expected a Uint8Array or text');
    expect(codeOf(() => bench.agent.send('\ud800'))).toMatch(/^RangeError/);
    expect(bench.agent.pending).toBe(0);
    expect(codeOf(() => bench.agent.send(new Uint8Array(256 * 1024 - topicBytes)))).toBe('accepted');
    expect(bench.drain()).toBe(true);
  });
});

describe('back-pressure', () => {
  test.each([40, 100, 1000])('with room for %d bytes at a time everything arrives, whole and in order', (roomBytes) => {
    const bench = new AgentBench({ config: { pubackTimeoutMs: 600_000 }, delayMs: 1 });
    bench.network.roomBytes = roomBytes;
    const texts: string[] = [];
    bench.hub.onPublish = (session, packet) => {
      texts.push(packet.payload.toString());
      session.send({ cmd: 'puback', messageId: packet.messageId ?? 0 });
    };
    bench.connect();
    const messages = [10, 4000, 1, 0, 9000, 4096, 20_000].map((length, i) => String.fromCharCode(97 + i).repeat(length));
    for (const message of messages) bench.agent.send(message);
    expect(bench.drain(600_000)).toBe(true);
    expect(texts).toEqual(messages);
  });

  test('a message larger than a TLS record leaves at once when TCP has room for it', () => {
    const bench = new AgentBench({ delayMs: 50 });
    bench.network.roomBytes = 64 * 1024;
    bench.connect();
    const startMs = bench.time.nowMs;
    bench.agent.send('x'.repeat(30_000));
    bench.drain();
    expect(bench.time.nowMs - startMs).toBe(100);
  });
});

describe('a callback of the application', () => {
  test('may send in onAcknowledged without end, and the stack does not grow', () => {
    let left = 5000;
    const bench: AgentBench = new AgentBench({ onAcknowledged: () => void (left-- > 0 && bench.agent.send('', undefined, 0)) });
    bench.network.roomBytes = 400_000;
    bench.connect();
    bench.agent.send('', undefined, 0);
    bench.time.advance(1000);
    expect(left).toBe(-1);
    expect(bench.agent.pending).toBe(0);
  });

  test('may send in onWritable until the queue is full', () => {
    let left = 500;
    const bench: AgentBench = new AgentBench({
      config: { queue: 4, window: 2 },
      onWritable: () => {
        while (left > 0 && bench.send()) left -= 1;
      },
    }).connect();
    while (bench.send());
    bench.time.advance(60_000);
    expect([left, bench.agent.pending]).toEqual([0, 0]);
    expect(bench.account()).toEqual({ lost: [], duplicated: [] });
  });

  test.each(['onAcknowledged', 'onWritable', 'onEvent'] as const)('that throws (%s) is reported, and the agent goes on', (name) => {
    const fails = (): never => {
      throw new Error('the application is at fault');
    };
    const bench = new AgentBench({ config: { queue: 2 }, [name]: fails });
    bench.agent.start();
    bench.time.advance(1000);
    bench.send();
    bench.send();
    bench.send();
    expect(bench.drain()).toBe(true);
    expect(bench.account()).toEqual({ lost: [], duplicated: [] });
    const failures = bench.eventsOf('handler-failed');
    expect(failures.length).toBeGreaterThan(0);
    expect(failures[0]).toEqual({ type: 'handler-failed', message: 'the application is at fault' });
  });

  test('may stop the agent in any event: every connection is closed and nothing is armed', () => {
    const types = new Set<string>();
    for (let stopAt = 1; stopAt <= 6; stopAt++) {
      let count = 0;
      const bench: AgentBench = new AgentBench({
        config: { tokenLifeSeconds: 5 },
        onEvent: ({ type }) => {
          if (++count !== stopAt) return;
          types.add(type);
          bench.agent.stop();
        },
      });
      bench.agent.start();
      bench.sendEvery(100);
      bench.time.advance(20_000);
      expect([stopAt, bench.network.openCount, bench.hub.openCount, bench.agent.isConnected]).toEqual([stopAt, 0, 0, false]);
    }
    expect([...types]).toEqual(['clock', 'connecting', 'connected', 'renewed']);
  });

  test('may stop and start the agent in any event: it connects again and nothing is lost', () => {
    for (let restartAt = 1; restartAt <= 6; restartAt++) {
      let count = 0;
      const bench: AgentBench = new AgentBench({
        config: { tokenLifeSeconds: 5 },
        onEvent: () => {
          if (++count !== restartAt) return;
          bench.agent.stop();
          bench.agent.start();
        },
      });
      bench.agent.start();
      const stop = bench.sendEvery(100);
      bench.time.advance(20_000);
      stop();
      expect([restartAt, bench.drain(), bench.account().lost, bench.network.openCount]).toEqual([restartAt, true, [], 1]);
    }
  });
});

test('start and stop twice are start and stop once', () => {
  const bench = new AgentBench().connect();
  bench.agent.start();
  bench.time.advance(5000);
  expect(bench.hub.sessions.length).toBe(1);
  bench.agent.stop();
  bench.agent.stop();
  bench.time.advance(5000);
  expect(bench.eventsOf('disconnected')).toEqual([{ type: 'disconnected', code: 'STOPPED' }]);
  expect(bench.hub.sessions[0]?.hasDisconnect).toBe(true);
  expect(bench.hub.openCount).toBe(0);
});

test('a QoS 0 message is pending until the link has taken the whole of it, and leaves again on the next link if that one was cut before', () => {
  const bench = new AgentBench({ config: { pubackTimeoutMs: 600_000 } });
  bench.network.roomBytes = 2000;
  bench.connect();
  bench.agent.send('1'.repeat(5000), undefined, 0);
  expect([bench.agent.pending, bench.acknowledged]).toEqual([1, 0]);
  expect(bench.time.runUntil(() => bench.agent.pending === 0, 10_000)).toBe(true);
  expect(bench.acknowledged).toBe(1);
  bench.time.advance(1000);
  bench.agent.send('2'.repeat(5000), undefined, 0);
  bench.network.cut();
  expect([bench.agent.pending, bench.acknowledged]).toEqual([1, 1]);
  expect(bench.time.runUntil(() => bench.agent.pending === 0, 60_000)).toBe(true);
  bench.time.advance(1000);
  expect(bench.hub.received.map((text) => text.slice(0, 2))).toEqual(['11', '22']);
});
