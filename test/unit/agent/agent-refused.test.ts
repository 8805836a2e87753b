import { describe, expect, test } from '@jest/globals';

import { AgentBench } from '../../fakes/agent-bench.ts';
import { benchWithTime } from '../../fakes/time-servers.ts';

describe('a token that the hub refuses', () => {
  test('because the clock was wrong: that is said, the clock is set, and the next CONNECT is accepted', () => {
    const { bench, servers } = benchWithTime({ date: false });
    servers.ntpUp = false;
    // In range, but slow: the token has ended when it is signed.
    bench.port.wallOffMs = -7_200_000;
    bench.hub.onConnect = (session, packet) => {
      const expirySeconds = Number(/se=(\d+)/.exec(packet.password?.toString() ?? '')?.[1]);
      if (expirySeconds * 1000 > bench.port.trueMs) bench.hub.admit(session);
      else session.refuse(5);
      servers.ntpUp = true;
    };
    bench.agent.start();
    expect(bench.time.runUntil(() => bench.agent.isConnected, 10_000)).toBe(true);
    expect(bench.eventsOf('refused')).toEqual([{ type: 'refused', returnCode: 5, online: false }]);
    const [wrong] = bench.eventsOf('clock-wrong');
    expect(Math.abs((wrong?.offMs ?? 0) - 7_200_000)).toBeLessThan(1000);
    expect(bench.eventsOf('credential-refused')).toEqual([]);
    expect(bench.port.droppedTlsSessions).toBe(1);
    expect(bench.hub.connectTimesMs.length).toBe(2);
  });

  test('because the key is wrong: that is said, with the clock checked', () => {
    const { bench } = benchWithTime();
    bench.hub.onConnect = (session) => session.refuse(5);
    bench.agent.start();
    bench.time.advance(5000);
    expect(bench.eventsOf('clock-wrong')).toEqual([]);
    expect(bench.eventsOf('credential-refused')[0]).toEqual({ type: 'credential-refused', keyIndex: 0, clockChecked: true });
  });

  test('with nobody to check the clock: said without claiming so', () => {
    const { bench, servers } = benchWithTime();
    servers.ntpUp = servers.dateUp = false;
    bench.hub.onConnect = (session) => session.refuse(5);
    bench.agent.start();
    bench.time.advance(30_000);
    expect(bench.eventsOf('credential-refused')[0]).toEqual({ type: 'credential-refused', keyIndex: 0, clockChecked: false });
  });

  test.each([{ slots: [0] }, { slots: [0, 3] }])('at a renewal, with %j: telemetry goes on, at most 3 CONNECTs in 15 s, and it recovers', (config) => {
    const { bench } = benchWithTime({ config: { ...config, tokenLifeSeconds: 300 } });
    let good = true;
    bench.hub.onConnect = (session) => (good ? bench.hub.admit(session) : session.refuse(5));
    bench.connect();
    const stop = bench.sendEvery(100);
    good = false;
    bench.time.runUntil(() => bench.eventsOf('refused').length === 1, 300_000);
    const firstMs = bench.hub.connectTimesMs[1] ?? 0;
    bench.time.advance(15_000);
    expect(bench.hub.connectTimesMs.filter((atMs) => atMs >= firstMs && atMs <= firstMs + 15_000).length).toBeLessThanOrEqual(3);
    expect(bench.eventsOf('refused').every(({ online }) => online)).toBe(true);
    expect(bench.agent.pending).toBeLessThan(5);
    expect(bench.eventsOf('disconnected')).toEqual([]);
    good = true;
    expect(bench.time.runUntil(() => bench.eventsOf('renewed').length === 1, 60_000)).toBe(true);
    stop();
    bench.drain();
    expect(bench.account()).toEqual({ lost: [], duplicated: [] });
  });

  test('until its old one ends: the connection is closed then, messages wait, and leave when the hub accepts again', () => {
    const { bench } = benchWithTime({ config: { tokenLifeSeconds: 20, queue: 4096 } });
    let good = true;
    bench.hub.onConnect = (session) => (good ? bench.hub.admit(session) : session.refuse(5));
    bench.connect();
    good = false;
    const stop = bench.sendEvery(100);
    bench.time.runUntil(() => bench.eventsOf('disconnected').length === 1, 60_000);
    expect(bench.eventsOf('disconnected')).toEqual([{ type: 'disconnected', code: 'ERR_TOKEN_ENDED' }]);
    bench.time.advance(60_000);
    stop();
    expect(bench.agent.pending).toBeGreaterThan(500);
    good = true;
    expect(bench.time.runUntil(() => bench.agent.isConnected, 900_000)).toBe(true);
    expect(bench.drain()).toBe(true);
    expect(bench.account()).toEqual({ lost: [], duplicated: [] });
  });

  test('is tried with the other key, which stays in use', () => {
    const { bench } = benchWithTime({ config: { slots: [0, 3] } });
    bench.port.sign = (slot) => `slot${slot}`;
    bench.hub.onConnect = (session, packet) => (packet.password?.toString().includes('sig=slot3') ? bench.hub.admit(session) : session.refuse(5));
    bench.connect();
    expect(bench.hub.connectTimesMs.length).toBe(3);
    expect(bench.eventsOf('connected')[0]?.keyIndex).toBe(1);
  });
});

describe('a signer that refuses', () => {
  test('is reported, and asked again no faster than a lost network', () => {
    const bench = new AgentBench();
    bench.port.sign = () => {
      throw Object.assign(new Error('empty'), { code: 'ERR_SIGNER_SLOT' });
    };
    bench.agent.start();
    bench.time.advance(600_000);
    const failed = bench.eventsOf('sign-failed');
    expect(failed[0]).toEqual({ type: 'sign-failed', code: 'ERR_SIGNER_SLOT' });
    expect(bench.eventsOf('open-failed')[0]).toMatchObject({ code: 'ERR_SIGNER_SLOT', online: false });
    expect(failed.length).toBeGreaterThan(5);
    expect(failed.length).toBeLessThan(40);
    expect(bench.hub.connectTimesMs).toEqual([]);
    expect([bench.network.openCount, bench.port.openTlsCount]).toEqual([0, 0]);
  });
});
