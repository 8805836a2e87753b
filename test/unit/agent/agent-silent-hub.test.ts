import { describe, expect, test } from '@jest/globals';

import { AgentBench } from '../../fakes/agent-bench.ts';

describe('a hub that is silent', () => {
  test('on PUBACK for 10 s is taken for dead: the message goes over a new connection', () => {
    const bench = new AgentBench();
    bench.hub.onPublish = () => {};
    bench.connect();
    bench.send();
    const sentMs = bench.time.nowMs;
    bench.time.runUntil(() => bench.eventsOf('disconnected').length === 1, 60_000);
    expect(bench.time.nowMs - sentMs).toBe(10_000);
    expect(bench.eventsOf('disconnected')).toEqual([{ type: 'disconnected', code: 'ERR_HUB_SILENT' }]);
    bench.hub.onPublish = (session, packet) => bench.hub.process(session, packet);
    expect(bench.drain()).toBe(true);
    expect(bench.hub.lines('publish')).toEqual(['1 publish 1', '2 publish 1!']);
  });

  test('on the oldest PUBACK only, while it goes on with the others, is dead all the same', () => {
    const bench = new AgentBench();
    bench.hub.onPublish = (session, packet) => {
      if (packet.messageId !== 1) bench.hub.process(session, packet);
    };
    bench.connect();
    bench.sendEvery(100);
    bench.time.runUntil(() => bench.eventsOf('disconnected').length === 1, 60_000);
    expect(bench.eventsOf('disconnected').length).toBe(1);
    expect(bench.time.nowMs).toBeLessThan(10_200);
  });

  test('on PINGREQ for 10 s is taken for dead', () => {
    const bench = new AgentBench({ config: { keepAliveSeconds: 30 } });
    bench.hub.onPing = () => {};
    bench.connect();
    const connectMs = bench.hub.connectTimesMs[0] ?? 0;
    bench.time.runUntil(() => bench.eventsOf('disconnected').length === 1, 60_000);
    const pingMs = bench.hub.log.find(({ what }) => what === 'pingreq')?.atMs ?? 0;
    // From the moment that CONNECT left; the ping arrives one way later, too.
    expect(pingMs - connectMs).toBe(30_000);
    expect(bench.time.nowMs - pingMs).toBe(10_000 - bench.network.delayMs);
  });

  test('altogether, with messages under way, is noticed within the PUBACK time-out', () => {
    const bench = new AgentBench().connect();
    bench.sendEvery(1000);
    bench.time.advance(15_000);
    bench.network.isUp = false;
    const downMs = bench.time.nowMs;
    bench.time.runUntil(() => bench.eventsOf('disconnected').length === 1, 60_000);
    expect(bench.time.nowMs - downMs).toBeLessThanOrEqual(11_000);
    bench.time.advance(120_000);
    bench.network.isUp = true;
    expect(bench.time.runUntil(() => bench.agent.isConnected, 160_000)).toBe(true);
    bench.drain();
    expect(bench.account().lost).toEqual([]);
  });

  test('in the middle of a renewal, with the link dead, is noticed as well', () => {
    const bench = new AgentBench({ config: { tokenLifeSeconds: 100, pipeline: true } });
    bench.hub.onConnect = (session) => {
      if (session.number === 1) bench.hub.admit(session);
      else bench.network.isUp = false;
    };
    bench.connect();
    const stop = bench.sendEvery(100);
    bench.time.runUntil(() => !bench.network.isUp, 100_000);
    const downMs = bench.time.nowMs;
    bench.time.runUntil(() => !bench.agent.isConnected, 60_000);
    expect(bench.time.nowMs - downMs).toBeLessThanOrEqual(13_000);
    stop();
    bench.network.isUp = true;
    bench.hub.onConnect = (session) => bench.hub.admit(session);
    expect(bench.drain(120_000)).toBe(true);
    expect(bench.account().lost).toEqual([]);
  });

  test('in TLS is given up after 30 s', () => {
    const bench = new AgentBench();
    bench.hub.tlsAlert = null;
    bench.agent.start();
    bench.time.advance(30_100);
    expect(bench.eventsOf('open-failed')).toMatchObject([{ code: 'ERR_TIMEOUT', online: false }]);
    expect(bench.port.openTlsCount).toBe(0);
  });
});

describe('keep-alive', () => {
  test('pings after 240 s without a packet, for a day, and the hub sees one at least every 240 s', () => {
    const bench = new AgentBench({ config: { tokenLifeSeconds: 31_536_000 } }).connect();
    bench.time.advance(86_400_000);
    const times = bench.hub.log.filter(({ what }) => what === 'pingreq' || what === 'connect').map(({ atMs }) => atMs);
    expect(times.length).toBe(361);
    for (let i = 1; i < times.length; i++) expect((times[i] ?? 0) - (times[i - 1] ?? 0)).toBe(240_000);
    expect(bench.eventsOf('disconnected')).toEqual([]);
  });

  test('does not ping while messages leave', () => {
    const bench = new AgentBench({ config: { keepAliveSeconds: 10 } }).connect();
    bench.sendEvery(9000);
    bench.time.advance(100_000);
    expect(bench.hub.lines('pingreq')).toEqual([]);
  });
});

test.each([
  ['SUBACK', 1, (bench: AgentBench) => void (bench.hub.onSubscribe = () => {})],
  ['the PUBACK of an answer to a method', 2, (bench: AgentBench) => void (bench.hub.acknowledgesService = false)],
])('a hub that is silent on %s for 10 s is taken for dead, and the next connection is used', (_what, timesAnswered, silence) => {
  const answers: string[] = [];
  const bench = new AgentBench({ application: { methods: { m: (request) => void request.respond(200) } } });
  const { onSubscribe } = bench.hub;
  silence(bench);
  bench.hub.onService = (_session, { topic }) => void answers.push(topic);
  bench.connect();
  bench.hub.current?.send({ cmd: 'publish', topic: '$iothub/methods/POST/m/?$rid=1', payload: '', qos: 0, dup: false, retain: false });
  bench.time.runUntil(() => bench.eventsOf('disconnected').length === 1, 60_000);
  expect(bench.eventsOf('disconnected')).toEqual([{ type: 'disconnected', code: 'ERR_HUB_SILENT' }]);
  bench.hub.onSubscribe = onSubscribe;
  bench.hub.acknowledgesService = true;
  bench.time.runUntil(() => bench.agent.isConnected, 60_000);
  bench.time.advance(20_000);
  expect(bench.eventsOf('disconnected').length).toBe(1);
  expect(new Set(answers)).toEqual(new Set(['$iothub/methods/res/200/?$rid=1']));
  // What was not acknowledged left again.
  expect(answers.length).toBe(timesAnswered);
});
