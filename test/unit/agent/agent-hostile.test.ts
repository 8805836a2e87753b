import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { AgentBench } from '../../fakes/agent-bench.ts';
import type { HubSession } from '../../fakes/scripted-hub.ts';
import { seededRandom } from '../../../host-sim/time/seeded-random.ts';

/** One deed of a bad hub to an accepted connection, and what the agent makes of it. */
interface Deed {
  readonly name: string;
  readonly act: (session: HubSession) => void;
  /** The code of `disconnected`; `undefined`: nothing happens. */
  readonly code: string | undefined;
}

const raw = (...bytes: number[]) => (session: HubSession): void => session.tls.write(Uint8Array.from(bytes));

const DEEDS: readonly Deed[] = [
  { name: 'a PUBACK for an id that is not in flight', act: (session) => session.send({ cmd: 'puback', messageId: 4711 }), code: undefined },
  { name: 'a PINGRESP that nobody asked for', act: (session) => session.send({ cmd: 'pingresp' }), code: undefined },
  { name: 'an UNSUBACK that nobody asked for', act: (session) => raw(0xb0, 2, 0, 5)(session), code: undefined },
  { name: 'a PUBLISH on a topic of nobody', act: (session) => session.send({ cmd: 'publish', topic: 'x/y', payload: 'z', qos: 0, dup: false, retain: false }), code: undefined },
  { name: 'a PUBACK for id 0', act: raw(0x40, 2, 0, 0), code: 'ERR_PROTOCOL' },
  { name: 'a PUBLISH with id 0 [MQTT-2.3.1-1]', act: raw(0x32, 5, 0, 1, 0x61, 0, 0), code: 'ERR_PROTOCOL' },
  { name: 'a PUBLISH with QoS 2', act: raw(0x34, 5, 0, 1, 0x61, 0, 1), code: 'ERR_PROTOCOL' },
  { name: 'a PUBLISH with QoS 3 [MQTT-3.3.1-4]', act: raw(0x36, 5, 0, 1, 0x61, 0, 1), code: 'ERR_PROTOCOL' },
  { name: 'a PUBLISH with a wildcard [MQTT-3.3.2-2]', act: raw(0x30, 3, 0, 1, 0x23), code: 'ERR_PROTOCOL' },
  { name: 'a PUBLISH with a topic longer than the packet', act: raw(0x30, 3, 0, 9, 0x61), code: 'ERR_PROTOCOL' },
  { name: 'a PUBLISH with a topic that is not UTF-8', act: raw(0x30, 4, 0, 2, 0xc3, 0x28), code: 'ERR_PROTOCOL' },
  { name: 'a second CONNACK', act: (session) => session.accept(), code: 'ERR_PROTOCOL' },
  { name: 'a second CONNACK that refuses', act: raw(0x20, 2, 0, 5), code: 'ERR_PROTOCOL' },
  { name: 'a CONNECT', act: raw(0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 0), code: 'ERR_PROTOCOL' },
  { name: 'a SUBSCRIBE', act: raw(0x82, 6, 0, 1, 0, 1, 0x61, 0), code: 'ERR_PROTOCOL' },
  { name: 'a PINGREQ', act: raw(0xc0, 0), code: 'ERR_PROTOCOL' },
  { name: 'a DISCONNECT', act: raw(0xe0, 0), code: 'ERR_PROTOCOL' },
  { name: 'packet type 0', act: raw(0x00, 0), code: 'ERR_PROTOCOL' },
  { name: 'packet type 15', act: raw(0xf0, 0), code: 'ERR_PROTOCOL' },
  { name: 'a remaining length of five bytes', act: raw(0x30, 0xff, 0xff, 0xff, 0xff, 0x7f), code: 'ERR_PROTOCOL' },
  { name: 'a SUBACK above the limit', act: raw(0x90, 0x80, 0x7d), code: 'ERR_PROTOCOL' },
  { name: 'bytes that are no TLS', act: (session) => session.tls.writeGarbage(), code: 'ERR_TLS_PROTOCOL' },
  { name: 'close_notify', act: (session) => session.tls.close(), code: 'ERR_LINK_ENDED' },
  { name: 'the end of TCP', act: (session) => session.drop(), code: 'ERR_LINK_LOST' },
];

describe('a hub that sends', () => {
  test.each(DEEDS)('$name: $code', ({ act, code }) => {
    const bench = new AgentBench({ onMessage: ({ acknowledge }) => acknowledge() }).connect();
    bench.send();
    bench.drain();
    // Stable, so that the way back is short.
    bench.time.advance(11_000);
    const session = bench.hub.current;
    if (session === undefined) throw new Error('not connected');
    bench.send();
    act(session);
    bench.time.advance(100);
    expect(bench.eventsOf('disconnected')).toEqual(code === undefined ? [] : [{ type: 'disconnected', code }]);
    // Good or bad: the agent is there, what it had accepted arrives, nothing is left open.
    bench.time.runUntil(() => bench.agent.isConnected, 5000);
    bench.send();
    expect(bench.drain()).toBe(true);
    expect(bench.account().lost).toEqual([]);
    expect([bench.network.openCount, bench.port.openTlsCount]).toEqual([1, 1]);
    expect(bench.eventsOf('handler-failed')).toEqual([]);
  });

  test('CONNACK before CONNECT is given up: the old connection is not replaced by one that nobody let in', () => {
    const bench = new AgentBench({ config: { tokenLifeSeconds: 60 } });
    bench.hub.onOpen = (session) => {
      if (session.number === 2) session.send({ cmd: 'connack', returnCode: 0, sessionPresent: false });
    };
    bench.connect();
    bench.time.runUntil(() => bench.eventsOf('renewed').length === 1, 60_000);
    expect(bench.eventsOf('open-failed')).toMatchObject([{ code: 'ERR_PROTOCOL', online: true }]);
    expect(bench.hub.lines('connect')).toEqual(['1 connect', '3 connect']);
  });

  test.each([
    ['PUBLISH before CONNACK', [0x30, 3, 0, 1, 0x61]],
    ['PUBACK before CONNACK', [0x40, 2, 0, 1]],
    ['PINGRESP before CONNACK', [0xd0, 0]],
    ['a reserved bit in CONNACK', [0x20, 2, 2, 0]],
  ])('%s is given up, and tried again with back-off', (_name, bytes) => {
    const bench = new AgentBench();
    bench.hub.onOpen = (session) => session.tls.write(Uint8Array.from(bytes));
    bench.hub.onConnect = () => {};
    bench.agent.start();
    bench.time.advance(60_000);
    const failed = bench.eventsOf('open-failed');
    expect(failed.length).toBeGreaterThan(2);
    expect(new Set(failed.map(({ code }) => code))).toEqual(new Set(['ERR_PROTOCOL']));
    expect(bench.eventsOf('connected')).toEqual([]);
    expect(bench.hub.openCount).toBeLessThanOrEqual(1);
  });

  test('session present, which is a lie, loses nothing: what was not acknowledged is sent again', () => {
    const bench = new AgentBench();
    bench.hub.onPublish = () => {};
    bench.connect();
    bench.send();
    bench.time.advance(100);
    bench.hub.onPublish = (session, packet) => bench.hub.process(session, packet);
    bench.hub.onConnect = (session) => session.accept(true);
    bench.network.cut();
    expect(bench.drain()).toBe(true);
    expect(bench.hub.lines('publish')).toEqual(['1 publish 1', '2 publish 1!']);
    expect(bench.eventsOf('connected').at(-1)).toMatchObject({ sessionPresent: true });
  });

  test('small packets without end is served: the agent does what is due meanwhile', () => {
    const bench = new AgentBench({ config: { tokenLifeSeconds: 5 } }).connect();
    const flood = (): void => {
      for (let i = 0; i < 20; i++) bench.hub.current?.send({ cmd: 'pingresp' });
      bench.time.after(20, flood);
    };
    flood();
    bench.sendEvery(100);
    bench.time.advance(20_000);
    expect(bench.eventsOf('renewed').length).toBeGreaterThanOrEqual(4);
    expect(bench.eventsOf('disconnected')).toEqual([]);
    expect(bench.agent.pending).toBeLessThan(5);
  });

  test('a packet byte by byte is understood', () => {
    const bench = new AgentBench();
    bench.hub.onConnect = (session) => {
      for (const byte of [0x20, 2, 0, 0]) session.tls.write(Uint8Array.of(byte));
      session.isAccepted = true;
    };
    bench.connect();
    bench.send();
    expect(bench.drain()).toBe(true);
  });

  test('any bytes, in any pieces, never gets an exception out of the agent, nor keeps it from coming back', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 6 }), fc.boolean(), (pieces, beforeConnack) => {
        const bench = new AgentBench({ onMessage: ({ acknowledge }) => acknowledge() });
        let bad = true;
        if (beforeConnack) {
          bench.hub.onConnect = (session) => {
            if (!bad) return bench.hub.admit(session);
            bad = false;
            for (const piece of pieces) session.tls.write(piece);
            session.drop();
          };
          bench.agent.start();
        } else {
          bench.connect();
          for (const piece of pieces) bench.hub.current?.tls.write(piece);
          bench.time.advance(1000);
          bench.hub.current?.drop();
        }
        bench.send();
        expect(bench.drain(120_000)).toBe(true);
        expect(bench.account().lost).toEqual([]);
        expect([bench.network.openCount, bench.port.openTlsCount]).toEqual([1, 1]);
      }),
      { seed: 20_261_101, numRuns: 300 },
    );
  });
});

describe.each(['ERR_TLS_UNTRUSTED_ISSUER', 'ERR_TLS_HOSTNAME', 'ERR_TLS_EXPIRED'])('a hub that TLS refuses with %s', (code) => {
  test('is reported with that code, tried again with back-off, and leaves no memory behind', () => {
    const bench = new AgentBench();
    bench.hub.tlsAlert = code;
    bench.agent.start();
    bench.time.advance(600_000);
    const failed = bench.eventsOf('open-failed');
    expect(new Set(failed.map((event) => event.code))).toEqual(new Set([code]));
    expect(failed.every(({ retryMs, online }) => Number.isFinite(retryMs) && retryMs >= 500 && !online)).toBe(true);
    expect([bench.network.openCount, bench.port.openTlsCount]).toEqual([0, 0]);
    bench.hub.tlsAlert = undefined;
    expect(bench.time.runUntil(() => bench.agent.isConnected, 121_000)).toBe(true);
  });
});

test('a host without an address, or a resolver that throws, is reported with the wait until the next try', () => {
  for (const fails of [false, true]) {
    const bench = new AgentBench({ config: { gateway: 'nowhere.test' } });
    if (fails) {
      bench.port.resolve = () => {
        throw Object.assign(new Error('no more requests'), { code: 'ERR_RESOLVER' });
      };
    }
    bench.agent.start();
    bench.time.advance(60_000);
    const failed = bench.eventsOf('open-failed');
    expect(failed.length).toBeGreaterThan(3);
    for (const event of failed) {
      expect(event.code).toBe(fails ? 'ERR_RESOLVER' : 'ERR_DNS');
      expect(event.retryMs).toBeGreaterThanOrEqual(500);
      expect(event.retryMs).toBeLessThanOrEqual(120_000);
    }
  }
});

describe('a bad day', () => {
  test.each([11, 12, 13, 14])('of cuts, outages, refusals, silence and slow answers loses nothing and leaves nothing open (seed %d)', (seed) => {
    const random = seededRandom(seed);
    const bench = new AgentBench({ config: { tokenLifeSeconds: 60, pipeline: seed % 2 === 0, queue: 4096, keepAliveSeconds: 20 }, seed, delayMs: 30, onMessage: ({ acknowledge }) => acknowledge() });
    bench.network.roomBytes = 600;
    let mood = 'good';
    bench.hub.onConnect = (session) => {
      if (mood === 'refusing') session.refuse(5);
      else if (mood === 'slow') bench.time.after(4000, () => !session.isClosed && bench.hub.admit(session));
      else if (mood !== 'mute') bench.hub.admit(session);
    };
    bench.hub.onPublish = (session, packet) => {
      if (mood !== 'mute') bench.hub.process(session, packet);
    };
    bench.agent.start();
    const stop = bench.sendEvery(500);
    for (let i = 0; i < 120; i++) {
      bench.time.advance(random() * 20_000);
      const draw = random();
      if (draw < 0.3) bench.network.cut();
      else if (draw < 0.4) bench.network.isUp = false;
      else bench.network.isUp = true;
      mood = ['good', 'good', 'good', 'refusing', 'slow', 'mute'][Math.floor(random() * 6)] ?? 'good';
      // Never forgotten: while the agent lives, its port is going to wake it.
      if (bench.agent.isConnected) expect(bench.port.wakesAtMs).toBeLessThan(bench.time.nowMs + 20_001);
    }
    stop();
    mood = 'good';
    bench.network.isUp = true;
    bench.network.cut();
    expect(bench.drain(3_600_000)).toBe(true);
    expect(bench.account().lost).toEqual([]);
    bench.agent.stop();
    bench.time.advance(60_000);
    expect([bench.network.openCount, bench.port.openTlsCount]).toEqual([0, 0]);
  });
});
