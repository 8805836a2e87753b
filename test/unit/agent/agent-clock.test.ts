import { describe, expect, test } from '@jest/globals';

import { WALL_AT_START_MS } from '../../fakes/fake-port.ts';
import { benchWithTime } from '../../fakes/time-servers.ts';

describe('the clock', () => {
  test('goes from unset over network to confirmed, and the hub is opened as soon as it is known', () => {
    const { bench } = benchWithTime();
    bench.port.wallOffMs = -WALL_AT_START_MS;
    bench.connect();
    bench.time.advance(1000);
    const types = bench.events.map((event) => ('level' in event ? event.level : event.type)).filter((type) => type !== 'connected');
    expect(types).toEqual(['unset', 'network', 'connecting', 'confirmed']);
    expect(Math.abs(bench.port.wallOffMs)).toBeLessThanOrEqual(1000);
    expect(bench.port.savedFloors.length).toBe(1);
  });

  test('in 1970 without an answer opens nothing, says so, and asks on', () => {
    const { bench, servers } = benchWithTime();
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
    const { bench, servers } = benchWithTime();
    servers.ntpOffMs = 64 * 365 * 86_400_000;
    bench.port.wallOffMs = -WALL_AT_START_MS;
    bench.agent.start();
    bench.time.advance(10_000);
    expect(bench.eventsOf('clock-trouble')[0]).toEqual({ type: 'clock-trouble', code: 'ERR_NTP_RANGE', detail: 0 });
    expect(bench.hub.sessions.length).toBe(0);
  });

  test('that HTTPS does not confirm is asked again within a minute, not a day later', () => {
    const { bench, servers } = benchWithTime();
    servers.dateUp = false;
    bench.connect();
    bench.time.advance(5000);
    expect(bench.eventsOf('clock-trouble')).toEqual([{ type: 'clock-trouble', code: 'ERR_LINK_LOST', detail: 0 }]);
    servers.dateUp = true;
    expect(bench.time.runUntil(() => bench.agent.clockLevel === 'confirmed', 61_000)).toBe(true);
  });

  test('is checked once a day, and the floor written once a day, for a month', () => {
    const { bench } = benchWithTime({ config: { keepAliveSeconds: 1177, tokenLifeSeconds: 31_536_000 } });
    bench.connect();
    bench.time.advance(30 * 86_400_000);
    expect(bench.port.savedFloors.length).toBeGreaterThanOrEqual(15);
    expect(bench.port.savedFloors.length).toBeLessThanOrEqual(31);
    expect(bench.eventsOf('disconnected')).toEqual([]);
  });

  test('whose floor cannot be written is reported, and nothing else suffers', () => {
    const { bench } = benchWithTime();
    bench.port.saveFloorMs = () => {
      throw new Error('worn out');
    };
    bench.connect();
    bench.time.advance(1000);
    expect(bench.agent.clockLevel).toBe('confirmed');
    expect(bench.eventsOf('clock-trouble')).toEqual([{ type: 'clock-trouble', code: 'ERR_FLOOR_NOT_SAVED', detail: 0 }]);
  });

  test('where memory holds one session only is confirmed before the hub is opened', () => {
    const { bench } = benchWithTime();
    bench.port.hasRoomForTwo = false;
    bench.connect();
    const types = bench.events.map((event) => ('level' in event ? event.level : event.type));
    expect(types.slice(0, 4)).toEqual(['unset', 'network', 'confirmed', 'connecting']);
  });

  test('where memory holds one session only is never confirmed beside the hub, but checked with NTP', () => {
    const { bench } = benchWithTime({ config: { keepAliveSeconds: 1177, tokenLifeSeconds: 31_536_000 } });
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
    const { bench, servers } = benchWithTime();
    servers.ntpOffMs = -600_000;
    // Meanwhile HTTPS says what time it is.
    bench.hub.onConnect = (session) => void bench.time.after(3000, () => bench.hub.admit(session));
    bench.connect();
    expect(bench.agent.clockLevel).toBe('confirmed');
    expect(bench.eventsOf('connected')[0]?.tokenSeconds).toBeLessThanOrEqual(3001);
  });

  test.each(['unset', 'network', 'confirmed'])('may be stopped in the event that says "%s": nothing is asked or opened after it', (level) => {
    const stopAt = (event: { type: string; level?: string }): void => {
      if (event.level === level) bench.agent.stop();
    };
    const { bench } = benchWithTime({ onEvent: stopAt });
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
    const { bench } = benchWithTime({
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
    const { bench, servers } = benchWithTime({
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
    const { bench } = benchWithTime({ config: { gateway: 'nowhere.test' } });
    bench.agent.start();
    bench.time.runUntil(() => bench.port.openTlsCount === 1, 10_000);
    bench.agent.stop();
    expect([bench.network.openCount, bench.port.openTlsCount]).toEqual([0, 0]);
  });
});
