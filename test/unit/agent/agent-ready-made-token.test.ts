import { describe, expect, test } from '@jest/globals';

import { AgentBench } from '../../fakes/agent-bench.ts';
import { WALL_AT_START_MS } from '../../fakes/fake-port.ts';

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
