import { describe, expect, test } from '@jest/globals';

import { AgentBench } from '../../fakes/agent-bench.ts';
import { seededRandom } from '../../../host-sim/time/seeded-random.ts';

/** Longest time between two PUBLISH of the log, in milliseconds. */
function longestGapMs(bench: AgentBench): number {
  const times = bench.hub.log.filter(({ what }) => what === 'publish').map(({ atMs }) => atMs);
  return Math.max(...times.slice(1).map((atMs, i) => atMs - (times[i] ?? atMs)));
}

describe('on a healthy link', () => {
  test.each([
    { lifeSeconds: 5, delayMs: 50, pipeline: false },
    { lifeSeconds: 5, delayMs: 150, pipeline: true },
    { lifeSeconds: 20, delayMs: 50, pipeline: true },
    { lifeSeconds: 60, delayMs: 150, pipeline: false },
  ])('50 renewals lose and duplicate nothing: %j', ({ lifeSeconds, delayMs, pipeline }) => {
    const bench = new AgentBench({ config: { tokenLifeSeconds: lifeSeconds, pipeline }, delayMs }).connect();
    const intervalMs = lifeSeconds * 4;
    const stop = bench.sendEvery(intervalMs);
    expect(bench.time.runUntil(() => bench.eventsOf('renewed').length === 50, 60 * lifeSeconds * 1000)).toBe(true);
    stop();
    expect(bench.drain()).toBe(true);
    expect(bench.account()).toEqual({ lost: [], duplicated: [] });
    expect(bench.refused).toBe(0);
    expect(bench.hub.connectTimesMs.length).toBe(51);
    expect(bench.eventsOf('disconnected')).toEqual([]);
    // Sending stops for one drained window and, without pipelining, one CONNECT.
    expect(longestGapMs(bench)).toBeLessThanOrEqual((pipeline ? 2 : 4) * delayMs + intervalMs + 20);
    expect([bench.network.openCount, bench.port.openTlsCount]).toEqual([1, 1]);
    bench.agent.stop();
    expect(bench.port.openTlsCount).toBe(0);
  });

  test('the hub sees the new CONNECT before the old connection is touched', () => {
    const bench = new AgentBench({ config: { tokenLifeSeconds: 5 } });
    // A hub that evicts nobody: what ends the old connection is the agent.
    bench.hub.onConnect = (session) => session.accept();
    bench.connect();
    bench.send();
    bench.time.runUntil(() => bench.eventsOf('renewed').length === 1, 10_000);
    bench.time.advance(100);
    expect(bench.hub.lines()).toEqual(['1 open', '1 connect', '1 publish 1', '2 open', '2 connect', '1 disconnect', '1 closed']);
    expect(bench.hub.sessions[0]?.tls.hasCloseNotify).toBe(true);
  });

  test('every token is asked for between 65 and 80 % of the life of the one before, never in the same place', () => {
    const parts: number[] = [];
    const bench = new AgentBench({ config: { tokenLifeSeconds: 100 } }).connect();
    bench.time.runUntil(() => bench.eventsOf('renewed').length === 40, 10_000_000);
    const times = bench.hub.connectTimesMs;
    // From the signing, which is one way earlier than the arrival, both times.
    for (let i = 1; i < times.length; i++) parts.push(((times[i] ?? 0) - (times[i - 1] ?? 0)) / 1000);
    expect(Math.min(...parts)).toBeGreaterThanOrEqual(65);
    // The life is counted from a rounded-up second.
    expect(Math.max(...parts)).toBeLessThanOrEqual(0.8 * 101);
    expect(Math.max(...parts) - Math.min(...parts)).toBeGreaterThan(10);
  });

  test('the time left when the new token took over is told', () => {
    const bench = new AgentBench({ config: { tokenLifeSeconds: 100 } }).connect();
    bench.time.runUntil(() => bench.eventsOf('renewed').length === 5, 1_000_000);
    for (const { leftMs, tokenSeconds } of bench.eventsOf('renewed')) {
      expect(leftMs).toBeGreaterThan(19_000);
      expect(leftMs).toBeLessThan(36_000);
      expect(tokenSeconds === 100 || tokenSeconds === 101).toBe(true);
    }
  });

  test('a renewal that the hub announces by closing the old connection first counts as one', () => {
    const bench = new AgentBench({ config: { tokenLifeSeconds: 5 } });
    bench.hub.onConnect = (session) => {
      bench.hub.sessions.find((other) => other !== session && !other.isClosed)?.drop();
      bench.time.after(5, () => session.accept());
    };
    bench.connect();
    bench.time.runUntil(() => bench.hub.connectTimesMs.length === 3, 20_000);
    bench.time.advance(1000);
    expect(bench.events.slice(3).map(({ type }) => type)).toEqual(['connected', 'renewed', 'renewed']);
  });

  test('a token of a year is renewed after 65 to 80 % of it, though no timer is that long', () => {
    const bench = new AgentBench({ config: { tokenLifeSeconds: 365 * 86_400, keepAliveSeconds: 1177 } }).connect();
    const monthMs = 30 * 86_400_000;
    expect(bench.time.runUntil(() => bench.eventsOf('renewed').length === 1, 13 * monthMs)).toBe(true);
    const days = bench.time.nowMs / 86_400_000;
    expect(days).toBeGreaterThan(0.65 * 365);
    expect(days).toBeLessThan(0.8 * 365 + 1);
    expect(bench.port.scheduled.every((delayMs) => delayMs <= 2 ** 31 - 1)).toBe(true);
  });
});

describe('where memory holds one session only', () => {
  test('the old connection ends before the new one opens, after its window has drained', () => {
    const bench = new AgentBench({ config: { tokenLifeSeconds: 5 } });
    bench.port.hasRoomForTwo = false;
    bench.connect();
    const stop = bench.sendEvery(50);
    expect(bench.time.runUntil(() => bench.eventsOf('renewed').length === 20, 200_000)).toBe(true);
    stop();
    expect(bench.drain()).toBe(true);
    expect(bench.account()).toEqual({ lost: [], duplicated: [] });
    expect(bench.hub.lines('connect', 'disconnect', 'closed', 'open').slice(0, 6)).toEqual(['1 open', '1 connect', '1 disconnect', '1 closed', '2 open', '2 connect']);
    expect(bench.eventsOf('disconnected')).toEqual([]);
  });
});

describe('a renewal that the hub does not answer', () => {
  test('in time leaves the old connection in use, and takes over when the answer comes', () => {
    const bench = new AgentBench({ config: { tokenLifeSeconds: 20 } });
    bench.hub.onConnect = (session) => bench.time.after(session.number === 1 ? 0 : 3500, () => bench.hub.admit(session));
    bench.connect();
    const stop = bench.sendEvery(50);
    bench.time.runUntil(() => bench.eventsOf('renewed').length === 1, 30_000);
    const connectMs = bench.hub.connectTimesMs[1] ?? 0;
    const publishes = bench.hub.log.filter(({ what, session, atMs }) => what === 'publish' && session === 1 && atMs > connectMs);
    const firstMs = publishes[0]?.atMs ?? Infinity;
    // A third of the life left, 1.3 to 2.3 s, or 2 s.
    expect(firstMs - connectMs).toBeGreaterThan(1000);
    expect(firstMs - connectMs).toBeLessThan(2100);
    stop();
    bench.drain();
    expect(bench.account().lost).toEqual([]);
  });

  test('at all is given up after 20 s and tried again; telemetry goes on', () => {
    const bench = new AgentBench({ config: { tokenLifeSeconds: 120 } });
    let silent = 1;
    bench.hub.onConnect = (session) => {
      if (session.number > 1 && silent-- > 0) return;
      bench.hub.admit(session);
    };
    bench.connect();
    const stop = bench.sendEvery(100);
    bench.time.runUntil(() => bench.eventsOf('renewed').length === 1, 200_000);
    stop();
    bench.drain();
    const failed = bench.eventsOf('open-failed');
    expect(failed.length).toBe(1);
    expect(failed[0]).toMatchObject({ code: 'ERR_TIMEOUT', online: true });
    expect(failed[0]?.retryMs).toBeGreaterThanOrEqual(500);
    expect(longestGapMs(bench)).toBeLessThan(2300);
    expect(bench.account().lost).toEqual([]);
    expect(bench.hub.openCount).toBe(1);
  });

  test('gives back what was pipelined behind the CONNECT, also when nothing else is sent', () => {
    const bench = new AgentBench({ config: { tokenLifeSeconds: 120, pipeline: true } });
    bench.hub.onConnect = (session) => {
      if (session.number === 1) bench.hub.admit(session);
    };
    bench.connect();
    bench.time.runUntil(() => bench.hub.connectTimesMs.length === 2, 200_000);
    bench.send();
    bench.time.advance(100);
    expect(bench.hub.lines('publish')).toEqual(['2 publish 1']);
    bench.time.advance(20_000);
    expect(bench.hub.lines('publish')).toEqual(['2 publish 1', '1 publish 1!']);
    expect(bench.account().lost).toEqual([]);
  });
});

describe('messages pipelined behind a CONNECT', () => {
  test('are acknowledged by the hub that accepts it', () => {
    const bench = new AgentBench({ config: { tokenLifeSeconds: 5, pipeline: true }, delayMs: 100 });
    // As a hub does: what came behind the CONNECT is processed after it.
    bench.connect();
    bench.sendEvery(10);
    bench.time.runUntil(() => bench.eventsOf('renewed').length === 3, 60_000);
    const connects = bench.hub.log.filter(({ what }) => what === 'connect').slice(1);
    for (const { session, atMs } of connects) {
      const first = bench.hub.log.find((entry) => entry.session === session && entry.what === 'publish');
      // Before CONNACK could have reached the agent.
      expect((first?.atMs ?? Infinity) - atMs).toBeLessThan(100);
    }
  });

  test('come again over the old connection when it is refused: same id, DUP, in order', () => {
    const bench = new AgentBench({ config: { tokenLifeSeconds: 100, pipeline: true } });
    bench.hub.onConnect = (session) => (session.number === 1 ? bench.hub.admit(session) : session.refuse(5));
    bench.connect();
    bench.time.runUntil(() => bench.hub.sessions.length === 2, 200_000);
    bench.send();
    bench.drain();
    bench.time.runUntil(() => bench.hub.connectTimesMs.length === 2, 200_000);
    const beforeMs = bench.time.nowMs;
    // In the time between CONNECT and its refusal.
    bench.send();
    bench.send();
    bench.drain();
    expect(bench.time.nowMs - beforeMs).toBeLessThan(200);
    expect(bench.hub.lines('publish').slice(-2)).toEqual(['1 publish 2!', '1 publish 3!']);
    expect(bench.account()).toEqual({ lost: [], duplicated: [] });
  });

  test('after a lost connection are the unacknowledged ones first', () => {
    const bench = new AgentBench({ config: { pipeline: true } });
    bench.hub.onPublish = () => {};
    bench.connect();
    for (let i = 0; i < 3; i++) bench.send();
    bench.time.advance(100);
    bench.network.cut();
    for (let i = 0; i < 3; i++) bench.send();
    bench.hub.onPublish = (session, packet) => bench.hub.process(session, packet);
    expect(bench.drain()).toBe(true);
    expect(bench.hub.lines('publish').slice(3)).toEqual(['2 publish 1!', '2 publish 2!', '2 publish 3!', '2 publish 4', '2 publish 5', '2 publish 6']);
    expect(bench.account()).toEqual({ lost: [], duplicated: [] });
  });

  test('never are QoS 0 ones', () => {
    const bench = new AgentBench({ config: { tokenLifeSeconds: 100, pipeline: true } });
    bench.hub.onConnect = (session) => (session.number === 1 ? bench.hub.admit(session) : session.refuse(5));
    bench.connect();
    bench.time.runUntil(() => bench.hub.connectTimesMs.length === 2, 200_000);
    bench.send(0);
    bench.send(1);
    bench.time.advance(1000);
    expect(bench.hub.lines('publish')).toEqual(['1 publish 0', '1 publish 1']);
  });
});

describe('links that are cut at random', () => {
  test.each([1, 2, 3, 4, 5, 6])('30 times lose nothing, with or without a renewal under way (seed %d)', (seed) => {
    const random = seededRandom(seed);
    const bench = new AgentBench({ config: { tokenLifeSeconds: 10, pipeline: seed % 2 === 0 }, seed, delayMs: 40 }).connect();
    bench.port.hasRoomForTwo = seed % 3 !== 0;
    const stop = bench.sendEvery(100);
    for (let i = 0; i < 30; i++) {
      bench.time.advance(random() * 8000);
      bench.network.cut();
    }
    stop();
    expect(bench.drain(300_000)).toBe(true);
    expect(bench.account().lost).toEqual([]);
    expect(bench.network.openCount).toBeLessThanOrEqual(2);
    bench.agent.stop();
    expect(bench.port.openTlsCount).toBe(0);
  });

  test('and come back within the bounds of the back-off', () => {
    const bench = new AgentBench().connect();
    bench.time.advance(20_000);
    bench.network.refuses = true;
    bench.network.cut();
    bench.time.advance(600_000);
    const waits = bench.eventsOf('open-failed').map(({ retryMs }) => retryMs);
    expect(waits.length).toBeGreaterThan(8);
    waits.forEach((waitMs, i) => {
      expect(waitMs).toBeGreaterThanOrEqual(500);
      expect(waitMs).toBeLessThanOrEqual(Math.min(120_000, 1000 * 2 ** (i + 1)));
    });
    bench.network.refuses = false;
    bench.time.runUntil(() => bench.agent.isConnected, 120_100);
    expect(bench.agent.isConnected).toBe(true);
  });
});
