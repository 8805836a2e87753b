import { describe, expect, test } from '@jest/globals';

import { AgentBench, type BenchOptions } from '../../fakes/agent-bench.ts';
import type { Answer } from '../../fakes/fake-network.ts';
import { WALL_AT_START_MS } from '../../fakes/fake-port.ts';
import { FakeTlsServer } from '../../fakes/fake-tls.ts';
import { ntpAnswer } from '../../fakes/ntp-answer.ts';

/** Adds two time servers and an HTTPS server that tell the true time, or what is set. */
function withTime(options: BenchOptions & { date?: boolean } = {}): { bench: AgentBench; servers: { ntpOffMs: number; ntpUp: boolean; dateUp: boolean } } {
  const config = { timeServers: ['ntp0.test', 'ntp1.test'], ...(options.date === false ? {} : { dateServer: 'date.test' }), ...options.config };
  const bench = new AgentBench({ ...options, config });
  const servers = { ntpOffMs: 0, ntpUp: true, dateUp: true };
  const answer: Answer = (query, reply) => {
    if (servers.ntpUp) reply(ntpAnswer(query, bench.port.trueMs + servers.ntpOffMs));
  };
  bench.network.name('ntp0.test', '10.0.0.11');
  bench.network.name('ntp1.test', '10.0.0.12');
  bench.network.name('date.test', '10.0.0.20');
  bench.network.answerDatagrams('10.0.0.11', 123, answer);
  bench.network.answerDatagrams('10.0.0.12', 123, answer);
  bench.network.listen('10.0.0.20', 443, (socket) => {
    const server = new FakeTlsServer(socket);
    server.onPlaintext = () => {
      if (servers.dateUp) server.write(Buffer.from(`HTTP/1.1 200 OK\r\nDate: ${new Date(bench.port.trueMs).toUTCString()}\r\n\r\n`));
      else server.drop();
    };
  });
  return { bench, servers };
}

describe('the clock', () => {
  test('goes from unset over network to confirmed, and the hub is opened as soon as it is known', () => {
    const { bench } = withTime();
    bench.port.wallOffMs = -WALL_AT_START_MS;
    bench.connect();
    bench.time.advance(1000);
    const types = bench.events.map((event) => ('level' in event ? event.level : event.type)).filter((type) => type !== 'connected');
    expect(types).toEqual(['unset', 'network', 'connecting', 'confirmed']);
    expect(Math.abs(bench.port.wallOffMs)).toBeLessThanOrEqual(1000);
    expect(bench.port.savedFloors.length).toBe(1);
  });

  test('in 1970 without an answer opens nothing, says so, and asks on', () => {
    const { bench, servers } = withTime();
    servers.ntpUp = false;
    bench.port.wallOffMs = -WALL_AT_START_MS;
    bench.agent.start();
    bench.time.advance(600_000);
    expect(bench.hub.sessions.length).toBe(0);
    expect(bench.eventsOf('clock-trouble').length).toBeGreaterThan(10);
    expect(bench.eventsOf('clock-trouble')[0]).toEqual({ type: 'clock-trouble', code: 'ERR_NTP_SILENT', detail: 2 });
    expect(bench.agent.clockLevel).toBe('unset');
    servers.ntpUp = true;
    expect(bench.time.runUntil(() => bench.agent.isConnected, 70_000)).toBe(true);
  });

  test('told by NTP that it is 2090 is not believed, and that is reported', () => {
    const { bench, servers } = withTime();
    servers.ntpOffMs = 64 * 365 * 86_400_000;
    bench.port.wallOffMs = -WALL_AT_START_MS;
    bench.agent.start();
    bench.time.advance(10_000);
    expect(bench.eventsOf('clock-trouble')[0]).toEqual({ type: 'clock-trouble', code: 'ERR_NTP_RANGE', detail: 0 });
    expect(bench.hub.sessions.length).toBe(0);
  });

  test('that HTTPS does not confirm is asked again within a minute, not a day later', () => {
    const { bench, servers } = withTime();
    servers.dateUp = false;
    bench.connect();
    bench.time.advance(5000);
    expect(bench.eventsOf('clock-trouble')).toEqual([{ type: 'clock-trouble', code: 'ERR_LINK_LOST', detail: 0 }]);
    servers.dateUp = true;
    expect(bench.time.runUntil(() => bench.agent.clockLevel === 'confirmed', 61_000)).toBe(true);
  });

  test('is checked once a day, and the floor written once a day, for a month', () => {
    const { bench } = withTime({ config: { keepAliveSeconds: 1177, tokenLifeSeconds: 31_536_000 } });
    bench.connect();
    bench.time.advance(30 * 86_400_000);
    expect(bench.port.savedFloors.length).toBeGreaterThanOrEqual(15);
    expect(bench.port.savedFloors.length).toBeLessThanOrEqual(31);
    expect(bench.eventsOf('disconnected')).toEqual([]);
  });

  test('whose floor cannot be written is reported, and nothing else suffers', () => {
    const { bench } = withTime();
    bench.port.saveFloorMs = () => {
      throw new Error('worn out');
    };
    bench.connect();
    bench.time.advance(1000);
    expect(bench.agent.clockLevel).toBe('confirmed');
    expect(bench.eventsOf('clock-trouble')).toEqual([{ type: 'clock-trouble', code: 'ERR_FLOOR_NOT_SAVED', detail: 0 }]);
  });

  test('where memory holds one session only is confirmed before the hub is opened', () => {
    const { bench } = withTime();
    bench.port.hasRoomForTwo = false;
    bench.connect();
    const types = bench.events.map((event) => ('level' in event ? event.level : event.type));
    expect(types.slice(0, 4)).toEqual(['unset', 'network', 'confirmed', 'connecting']);
  });

  test('where memory holds one session only is never confirmed beside the hub, but checked with NTP', () => {
    const { bench } = withTime({ config: { keepAliveSeconds: 1177, tokenLifeSeconds: 31_536_000 } });
    bench.port.hasRoomForTwo = false;
    bench.connect();
    const before = bench.network.openedCount;
    bench.port.wallOffMs -= 30_000;
    for (let hour = 0; hour < 50; hour++) {
      bench.time.advance(3_600_000);
      expect(bench.network.openCount).toBe(1);
    }
    expect(bench.network.openedCount).toBe(before);
    expect(Math.abs(bench.port.wallOffMs)).toBeLessThanOrEqual(1000);
    expect(bench.agent.clockLevel).toBe('confirmed');
  });

  test('that moves while a CONNECT is judged moves the end of its token, too', () => {
    const { bench } = withTime();
    bench.hub.onConnect = (session) => {
      bench.agent.clockMoved(600_000);
      bench.hub.admit(session);
    };
    bench.connect();
    expect(bench.eventsOf('connected')[0]?.tokenSeconds).toBeLessThanOrEqual(3001);
  });

  test.each(['unset', 'network', 'confirmed'])('may be stopped in the event that says "%s": nothing is asked or opened after it', (level) => {
    const stopAt = (event: { type: string; level?: string }): void => {
      if (event.level === level) bench.agent.stop();
    };
    const { bench } = withTime({ onEvent: stopAt });
    bench.port.wallOffMs = -WALL_AT_START_MS;
    bench.agent.start();
    bench.time.runUntil(() => bench.eventsOf('clock').some((event) => event.level === level), 10_000);
    expect([bench.network.openCount, bench.port.openTlsCount, bench.port.wakesAtMs < Infinity && level === 'unset']).toEqual([0, 0, false]);
    const before = [bench.events.length, bench.network.openedCount];
    bench.time.advance(100_000);
    expect([bench.events.length, bench.network.openedCount]).toEqual(before);
    expect([bench.network.openCount, bench.network.openUdpCount, bench.hub.openCount]).toEqual([0, 0, 0]);
  });

  test.each(['unset', 'network', 'confirmed'])('may be stopped and started in the event that says "%s": it is asked once, and the hub is reached', (level) => {
    let restarts = 1;
    const { bench } = withTime({
      onEvent: (event) => {
        if (!('level' in event) || event.level !== level || restarts-- <= 0) return;
        bench.agent.stop();
        bench.agent.start();
      },
    });
    bench.port.wallOffMs = -WALL_AT_START_MS;
    bench.connect();
    bench.time.advance(10_000);
    expect([bench.agent.clockLevel, bench.network.openCount, bench.network.openUdpCount, bench.port.openTlsCount]).toEqual(['confirmed', 1, 0, 1]);
  });

  test('restarted while the servers are silent asks with one socket at a time', () => {
    let restarts = 3;
    const { bench, servers } = withTime({
      onEvent: ({ type }) => {
        if (type !== 'clock' || restarts-- <= 0) return;
        bench.agent.stop();
        bench.agent.start();
      },
    });
    servers.ntpUp = false;
    bench.port.wallOffMs = -WALL_AT_START_MS;
    bench.agent.start();
    for (let i = 0; i < 100; i++) {
      bench.time.advance(100);
      expect(bench.network.openUdpCount).toBeLessThanOrEqual(1);
    }
  });

  test('may be stopped while HTTPS is being asked: that ends at once', () => {
    const { bench } = withTime({ config: { gateway: 'nowhere.test' } });
    bench.agent.start();
    bench.time.runUntil(() => bench.port.openTlsCount === 1, 10_000);
    bench.agent.stop();
    expect([bench.network.openCount, bench.port.openTlsCount]).toEqual([0, 0]);
  });
});

describe('a token that the hub refuses', () => {
  test('because the clock was wrong: that is said, the clock is set, and the next CONNECT is accepted', () => {
    const { bench, servers } = withTime({ date: false });
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
    const { bench } = withTime();
    bench.hub.onConnect = (session) => session.refuse(5);
    bench.agent.start();
    bench.time.advance(5000);
    expect(bench.eventsOf('clock-wrong')).toEqual([]);
    expect(bench.eventsOf('credential-refused')[0]).toEqual({ type: 'credential-refused', keyIndex: 0, clockChecked: true });
  });

  test('with nobody to check the clock: said without claiming so', () => {
    const { bench, servers } = withTime();
    servers.ntpUp = servers.dateUp = false;
    bench.hub.onConnect = (session) => session.refuse(5);
    bench.agent.start();
    bench.time.advance(30_000);
    expect(bench.eventsOf('credential-refused')[0]).toEqual({ type: 'credential-refused', keyIndex: 0, clockChecked: false });
  });

  test.each([{ slots: [0] }, { slots: [0, 3] }])('at a renewal, with %j: telemetry goes on, at most 3 CONNECTs in 15 s, and it recovers', (config) => {
    const { bench } = withTime({ config: { ...config, tokenLifeSeconds: 300 } });
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
    const { bench } = withTime({ config: { tokenLifeSeconds: 20, queue: 4096 } });
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
    const { bench } = withTime({ config: { slots: [0, 3] } });
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

describe('a ready-made token', () => {
  const token = (name: string, atMs: number): string => `SharedAccessSignature sr=hub.test%2Fdevices%2Fdev1&sig=${name}&se=${Math.ceil(atMs / 1000)}`;
  const namesOf = (bench: AgentBench): (string | undefined)[] =>
    bench.hub.sessions.map(({ connect }) => /sig=(\w+)/.exec(connect?.password?.toString() ?? '')?.[1]);

  test('is asked for when 65 to 80 % of its life are over, and the next one taken without a gap', () => {
    const bench = new AgentBench({ config: { token: token('first', WALL_AT_START_MS + 100_000) } }).connect();
    const stop = bench.sendEvery(50);
    bench.time.runUntil(() => bench.eventsOf('token-needed').length === 1, 100_000);
    expect(bench.time.nowMs).toBeGreaterThan(60_000);
    bench.agent.useToken(token('second', WALL_AT_START_MS + 300_000));
    bench.time.advance(1000);
    stop();
    bench.drain();
    expect(bench.eventsOf('renewed').length).toBe(1);
    expect(namesOf(bench)).toEqual(['first', 'second']);
    expect(bench.account()).toEqual({ lost: [], duplicated: [] });
  });

  test('that is not followed by another ends the connection, and is asked for again', () => {
    const bench = new AgentBench({ config: { token: token('first', WALL_AT_START_MS + 100_000) } }).connect();
    bench.time.advance(1_000_000);
    expect(bench.eventsOf('disconnected')).toEqual([{ type: 'disconnected', code: 'ERR_TOKEN_ENDED' }]);
    expect(bench.eventsOf('token-needed').length).toBe(2);
    expect(bench.hub.connectTimesMs.length).toBe(1);
    bench.agent.useToken(token('second', bench.port.wallMs() + 100_000));
    expect(bench.time.runUntil(() => bench.agent.isConnected, 1000)).toBe(true);
  });

  test('that has ended before the start is not tried', () => {
    const bench = new AgentBench({ config: { token: token('old', WALL_AT_START_MS - 1000) } });
    bench.agent.start();
    bench.time.advance(100_000);
    expect(bench.hub.sessions.length).toBe(0);
    expect(bench.eventsOf('token-needed').length).toBe(1);
  });

  test('serves again after a lost connection', () => {
    const bench = new AgentBench({ config: { token: token('first', WALL_AT_START_MS + 100_000) } }).connect();
    bench.time.advance(20_000);
    bench.network.cut();
    expect(bench.time.runUntil(() => bench.agent.isConnected, 5000)).toBe(true);
    expect(namesOf(bench)).toEqual(['first', 'first']);
  });

  test('given while another is being judged is kept for the next renewal', () => {
    const bench = new AgentBench({ config: { token: token('first', WALL_AT_START_MS + 100_000) } });
    bench.hub.onConnect = (session) => {
      if (session.number === 1) bench.agent.useToken(token('second', WALL_AT_START_MS + 300_000));
      bench.hub.admit(session);
    };
    bench.connect();
    bench.time.runUntil(() => bench.eventsOf('renewed').length === 1, 100_000);
    expect(namesOf(bench)).toEqual(['first', 'second']);
    expect(bench.eventsOf('token-needed')).toEqual([]);
  });

  test('given in answer to every refusal does not hammer the hub', () => {
    const bench: AgentBench = new AgentBench({
      config: { token: token('bad', WALL_AT_START_MS + 100_000_000) },
      onEvent: ({ type }) => {
        if (type === 'refused' || type === 'credential-refused') bench.agent.useToken(token('bad', WALL_AT_START_MS + 100_000_000));
      },
    });
    bench.hub.onConnect = (session) => session.refuse(5);
    bench.agent.start();
    bench.time.advance(120_000);
    const times = bench.hub.connectTimesMs;
    for (const atMs of times) expect(times.filter((other) => other >= atMs && other <= atMs + 15_000).length).toBeLessThanOrEqual(3);
    expect(times.length).toBeGreaterThan(4);
  });

  test('is refused where the agent signs its own', () => {
    expect(() => new AgentBench().agent.useToken('x')).toThrow(new TypeError('useToken: this agent signs its own tokens'));
  });
});
