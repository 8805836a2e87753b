import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import {
  initialClock, stepClock, type ClockContext, type ClockEffect, type ClockEvent, type ClockState,
} from '../../../../firmware/agent/clock/clock-state.ts';

const NOW = 5_000_000;
const FLOOR = Date.UTC(2026, 10, 1);
const DAY_MS = 86_400_000;
const TEN_YEARS_MS = 10 * 365.25 * DAY_MS;
const TIME = FLOOR + 20 * DAY_MS;
const CONTEXT: ClockContext = { nowMs: NOW, random: () => 0.5, hasTimeServers: true, hasDateServer: true };

const UNSET = initialClock(FLOOR);
const ASKING: ClockState = { ...UNSET, asking: 'network' };
const DATING: ClockState = { ...UNSET, level: 'network', asking: 'date' };
const NETWORK: ClockState = { ...UNSET, level: 'network', askAtMs: NOW + 1000 };
const CONFIRMED: ClockState = { ...UNSET, level: 'confirmed', askAtMs: NOW + 1000 };

const askNetwork: ClockEffect = { type: 'askNetwork' };
const askDate: ClockEffect = { type: 'askDate' };
const settled: ClockEffect = { type: 'settled' };
const changed = (level: ClockState['level']): ClockEffect => ({ type: 'changed', level });
const setWall = (unixMs: number, offMs: number): ClockEffect => ({ type: 'setWall', unixMs, offMs });

interface Row {
  readonly name: string;
  readonly state: ClockState;
  readonly event: ClockEvent;
  readonly context?: Partial<ClockContext>;
  readonly changes: Partial<ClockState>;
  readonly effects: readonly ClockEffect[];
}

const NO_DATE = { hasDateServer: false };
const NO_SERVERS = { hasTimeServers: false, hasDateServer: false };
const DATE_ONLY = { hasTimeServers: false };
const NEXT_DAY = { asking: 'nothing', askAtMs: NOW + DAY_MS } as const;

const ROWS: readonly Row[] = [
  // The start.
  { name: 'start: asks NTP', state: UNSET, event: { type: 'started', wallMs: 0 }, changes: { asking: 'network' }, effects: [askNetwork] },
  { name: 'start without servers, the board has the time: as good as the network', state: UNSET, event: { type: 'started', wallMs: TIME }, context: NO_SERVERS, changes: { level: 'network', ...NEXT_DAY }, effects: [changed('network')] },
  { name: 'start without servers, the board is in 1970: unset for good', state: UNSET, event: { type: 'started', wallMs: 0 }, context: NO_SERVERS, changes: { asking: 'nothing' }, effects: [] },
  { name: 'start with an HTTPS server only: asked if the board has a time', state: UNSET, event: { type: 'started', wallMs: TIME }, context: DATE_ONLY, changes: { level: 'network', asking: 'date' }, effects: [changed('network'), askDate] },

  // NTP answered.
  { name: 'NTP: the clock is set and TLS may start', state: ASKING, event: { type: 'networkAnswered', unixMs: TIME, wallMs: 0 }, changes: { level: 'network', asking: 'date' }, effects: [setWall(TIME, TIME), changed('network'), askDate] },
  { name: 'NTP, no HTTPS server: never confirmed', state: ASKING, event: { type: 'networkAnswered', unixMs: TIME, wallMs: 0 }, context: NO_DATE, changes: { level: 'network', ...NEXT_DAY }, effects: [setWall(TIME, TIME), changed('network')] },
  { name: 'NTP within a second of the board: not set', state: ASKING, event: { type: 'networkAnswered', unixMs: TIME, wallMs: TIME + 999 }, context: NO_DATE, changes: { level: 'network', ...NEXT_DAY }, effects: [changed('network')] },
  { name: 'NTP at the floor, the board half a second before it: believed', state: ASKING, event: { type: 'networkAnswered', unixMs: FLOOR, wallMs: FLOOR - 500 }, context: NO_DATE, changes: { level: 'network', ...NEXT_DAY }, effects: [changed('network')] },
  { name: 'NTP a second off: set', state: ASKING, event: { type: 'networkAnswered', unixMs: TIME, wallMs: TIME + 1000 }, context: NO_DATE, changes: { level: 'network', ...NEXT_DAY }, effects: [setWall(TIME, -1000), changed('network')] },
  { name: 'NTP at the floor: believed', state: ASKING, event: { type: 'networkAnswered', unixMs: FLOOR, wallMs: 0 }, context: NO_DATE, changes: { level: 'network', ...NEXT_DAY }, effects: [setWall(FLOOR, FLOOR), changed('network')] },
  { name: 'NTP a millisecond before the floor: as if silent', state: ASKING, event: { type: 'networkAnswered', unixMs: FLOOR - 1, wallMs: 0 }, changes: { asking: 'nothing', failures: 1, askAtMs: NOW + 1250 }, effects: [] },
  { name: 'NTP ten years after the floor: believed', state: ASKING, event: { type: 'networkAnswered', unixMs: FLOOR + TEN_YEARS_MS, wallMs: 0 }, context: NO_DATE, changes: { level: 'network', ...NEXT_DAY }, effects: [setWall(FLOOR + TEN_YEARS_MS, FLOOR + TEN_YEARS_MS), changed('network')] },
  { name: 'NTP more than ten years after it: as if silent', state: ASKING, event: { type: 'networkAnswered', unixMs: FLOOR + TEN_YEARS_MS + 1, wallMs: 0 }, changes: { asking: 'nothing', failures: 1, askAtMs: NOW + 1250 }, effects: [] },
  { name: 'NTP out of range, the board in range: the board counts', state: ASKING, event: { type: 'networkAnswered', unixMs: 0, wallMs: TIME }, changes: { level: 'network', asking: 'date', failures: 1 }, effects: [changed('network'), askDate] },
  { name: 'NTP drifts from a confirmed clock: followed', state: { ...CONFIRMED, asking: 'network' }, event: { type: 'networkAnswered', unixMs: TIME, wallMs: TIME - 60_000 }, changes: { asking: 'date', askAtMs: Infinity }, effects: [setWall(TIME, 60_000), askDate] },
  { name: 'NTP jumps from a confirmed clock: no longer confirmed', state: { ...CONFIRMED, asking: 'network' }, event: { type: 'networkAnswered', unixMs: TIME, wallMs: TIME - 60_001 }, changes: { level: 'network', asking: 'date', askAtMs: Infinity }, effects: [setWall(TIME, 60_001), changed('network'), askDate] },
  { name: 'NTP jumps from a network clock: followed', state: { ...NETWORK, asking: 'network' }, event: { type: 'networkAnswered', unixMs: TIME, wallMs: TIME + DAY_MS }, changes: { asking: 'date', askAtMs: Infinity }, effects: [setWall(TIME, -DAY_MS), askDate] },
  { name: 'NTP that was not asked: nothing', state: NETWORK, event: { type: 'networkAnswered', unixMs: TIME + DAY_MS, wallMs: TIME }, changes: {}, effects: [] },

  // NTP failed.
  { name: 'NTP silent, the board in 1970: asked again', state: ASKING, event: { type: 'networkFailed', wallMs: 0 }, changes: { asking: 'nothing', failures: 1, askAtMs: NOW + 1250 }, effects: [] },
  { name: 'NTP silent again: later', state: { ...ASKING, failures: 3 }, event: { type: 'networkFailed', wallMs: 0 }, changes: { asking: 'nothing', failures: 4, askAtMs: NOW + 8250 }, effects: [] },
  { name: 'NTP silent for ever: within a minute', state: { ...ASKING, failures: 10_000 }, event: { type: 'networkFailed', wallMs: 0 }, changes: { asking: 'nothing', failures: 10_001, askAtMs: NOW + 30_250 }, effects: [] },
  { name: 'NTP silent, the board in range: goes on with it', state: ASKING, event: { type: 'networkFailed', wallMs: TIME }, context: NO_DATE, changes: { level: 'network', asking: 'nothing', failures: 1, askAtMs: NOW + 1250 }, effects: [changed('network')] },
  { name: 'NTP silent, confirmed before: stays so', state: { ...CONFIRMED, asking: 'network' }, event: { type: 'networkFailed', wallMs: TIME }, context: NO_DATE, changes: { asking: 'nothing', failures: 1, askAtMs: NOW + 1250 }, effects: [] },
  { name: 'NTP silent, the board has lost its time: unset again', state: { ...NETWORK, asking: 'network' }, event: { type: 'networkFailed', wallMs: 0 }, changes: { level: 'unset', asking: 'nothing', failures: 1, askAtMs: NOW + 1250 }, effects: [changed('unset')] },
  { name: 'NTP that was not asked fails: nothing', state: NETWORK, event: { type: 'networkFailed', wallMs: TIME }, changes: {}, effects: [] },

  // HTTPS.
  { name: 'Date: confirmed, and the floor moves', state: DATING, event: { type: 'dateAnswered', unixMs: TIME, wallMs: TIME }, changes: { level: 'confirmed', floorMs: TIME, ...NEXT_DAY }, effects: [{ type: 'saveFloor', unixMs: TIME }, changed('confirmed')] },
  { name: 'Date less than a day after the floor: confirmed, nothing is written', state: DATING, event: { type: 'dateAnswered', unixMs: FLOOR + DAY_MS - 1, wallMs: FLOOR + DAY_MS }, changes: { level: 'confirmed', ...NEXT_DAY }, effects: [changed('confirmed')] },
  { name: 'Date two seconds off: rounding', state: DATING, event: { type: 'dateAnswered', unixMs: FLOOR, wallMs: FLOOR + 2000 }, changes: { level: 'confirmed', ...NEXT_DAY }, effects: [changed('confirmed')] },
  { name: 'Date further off than rounding: the clock is set', state: DATING, event: { type: 'dateAnswered', unixMs: FLOOR, wallMs: FLOOR + 2001 }, changes: { level: 'confirmed', ...NEXT_DAY }, effects: [setWall(FLOOR, -2001), changed('confirmed')] },
  { name: 'Date again: still confirmed', state: { ...CONFIRMED, asking: 'date', failures: 2 }, event: { type: 'dateAnswered', unixMs: FLOOR, wallMs: FLOOR }, changes: { failures: 0, ...NEXT_DAY }, effects: [] },
  { name: 'Date before the floor: not believed', state: DATING, event: { type: 'dateAnswered', unixMs: FLOOR - 1, wallMs: TIME }, changes: { ...NEXT_DAY }, effects: [] },
  { name: 'Date more than ten years after the floor: not believed, for the floor cannot be taken back', state: DATING, event: { type: 'dateAnswered', unixMs: FLOOR + TEN_YEARS_MS + 1, wallMs: TIME }, changes: { ...NEXT_DAY }, effects: [] },
  { name: 'Date failed: the network counts, asked again soon', state: DATING, event: { type: 'dateFailed' }, changes: { asking: 'nothing', failures: 1, askAtMs: NOW + 22_500 }, effects: [] },
  { name: 'Date failed for the sixth time: later', state: { ...DATING, failures: 5 }, event: { type: 'dateFailed' }, changes: { asking: 'nothing', failures: 6, askAtMs: NOW + 720_000 }, effects: [] },
  { name: 'Date failed for ever: twice a day or less', state: { ...DATING, failures: 50 }, event: { type: 'dateFailed' }, changes: { asking: 'nothing', failures: 51, askAtMs: NOW + 0.75 * DAY_MS }, effects: [] },
  { name: 'Date that was not asked: nothing', state: NETWORK, event: { type: 'dateAnswered', unixMs: TIME, wallMs: TIME }, changes: {}, effects: [] },
  { name: 'Date that was not asked fails: nothing', state: NETWORK, event: { type: 'dateFailed' }, changes: {}, effects: [] },

  // Time passes.
  { name: 'time to check: asks', state: { ...CONFIRMED, askAtMs: NOW }, event: { type: 'woke' }, changes: { asking: 'network', askAtMs: Infinity }, effects: [askNetwork] },
  { name: 'time to check, HTTPS only', state: { ...CONFIRMED, askAtMs: NOW }, event: { type: 'woke' }, context: DATE_ONLY, changes: { asking: 'date', askAtMs: Infinity }, effects: [askDate] },
  { name: 'not yet time: nothing', state: CONFIRMED, event: { type: 'woke' }, changes: {}, effects: [] },
  { name: 'time, but it is being asked: nothing', state: { ...CONFIRMED, askAtMs: NOW, asking: 'network' }, event: { type: 'woke' }, changes: {}, effects: [] },

  // A refused token.
  { name: 'wanted: asks at once', state: CONFIRMED, event: { type: 'wanted' }, changes: { asking: 'network', askAtMs: Infinity, wanted: true }, effects: [askNetwork] },
  { name: 'wanted while it is being asked: that one counts', state: DATING, event: { type: 'wanted' }, changes: { wanted: true }, effects: [] },
  { name: 'wanted without servers: nobody can say', state: CONFIRMED, event: { type: 'wanted' }, context: NO_SERVERS, changes: { askAtMs: Infinity }, effects: [settled] },
  { name: 'wanted, NTP answered, no HTTPS: settled', state: { ...NETWORK, asking: 'network', wanted: true }, event: { type: 'networkAnswered', unixMs: TIME, wallMs: TIME - 5000 }, context: NO_DATE, changes: { wanted: false, ...NEXT_DAY }, effects: [setWall(TIME, 5000), settled] },
  { name: 'wanted, NTP answered: HTTPS is asked, too', state: { ...NETWORK, asking: 'network', wanted: true }, event: { type: 'networkAnswered', unixMs: TIME, wallMs: TIME }, changes: { asking: 'date', askAtMs: Infinity }, effects: [askDate] },
  { name: 'wanted, HTTPS answered: settled', state: { ...CONFIRMED, asking: 'date', wanted: true }, event: { type: 'dateAnswered', unixMs: FLOOR, wallMs: FLOOR }, changes: { wanted: false, ...NEXT_DAY }, effects: [settled] },
  { name: 'wanted, HTTPS failed: settled', state: { ...CONFIRMED, asking: 'date', wanted: true }, event: { type: 'dateFailed' }, changes: { wanted: false, failures: 1, asking: 'nothing', askAtMs: NOW + 22_500 }, effects: [settled] },
  { name: 'wanted, NTP silent and the board in 1970: settled', state: { ...ASKING, wanted: true }, event: { type: 'networkFailed', wallMs: 0 }, changes: { wanted: false, asking: 'nothing', failures: 1, askAtMs: NOW + 1250 }, effects: [settled] },
  { name: 'wanted, Date before the floor: settled', state: { ...DATING, wanted: true }, event: { type: 'dateAnswered', unixMs: 0, wallMs: TIME }, changes: { wanted: false, ...NEXT_DAY }, effects: [settled] },
];

describe('one step of the clock', () => {
  test.each(ROWS)('$name', ({ state, event, context, changes, effects }) => {
    const [next, ...made] = stepClock(state, event, { ...CONTEXT, ...context });
    expect(made).toEqual(effects);
    expect(next).toEqual({ ...state, ...changes });
  });
});

describe('whatever happens to the clock', () => {
  const wall = fc.constantFrom(0, FLOOR - 1, FLOOR, TIME, FLOOR + TEN_YEARS_MS, FLOOR + TEN_YEARS_MS + 1, 8.64e15);
  const event: fc.Arbitrary<ClockEvent> = fc.oneof(
    fc.record({ type: fc.constant('started' as const), wallMs: wall }),
    fc.record({ type: fc.constantFrom('woke' as const, 'wanted' as const, 'dateFailed' as const) }),
    fc.record({ type: fc.constantFrom('networkAnswered' as const, 'dateAnswered' as const), unixMs: wall, wallMs: wall }),
    fc.record({ type: fc.constant('networkFailed' as const), wallMs: wall }),
  );

  test('only a date that was asked for confirms it and moves the floor, forward; it always goes on; who waits is told', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40, size: 'max' }), fc.boolean(), fc.boolean(), (events, hasTimeServers, hasDateServer) => {
        let state = initialClock(FLOOR);
        let waiting = 0;
        let nowMs = 0;
        for (const one of events) {
          nowMs += 1000;
          const before = state;
          const [next, ...effects] = stepClock(before, one, { nowMs, random: () => 0.5, hasTimeServers, hasDateServer });
          state = next;
          const names = effects.map(({ type }) => type);
          if (before.level !== 'confirmed' && next.level === 'confirmed') expect(one.type).toBe('dateAnswered');
          expect(next.floorMs).toBeGreaterThanOrEqual(before.floorMs);
          if (next.floorMs !== before.floorMs) expect([one.type, before.asking, names.includes('saveFloor')]).toEqual(['dateAnswered', 'date', true]);
          if (next.level !== before.level) expect(effects).toContainEqual({ type: 'changed', level: next.level });
          if (names.includes('askDate')) expect([next.asking, next.level === 'unset']).toEqual(['date', false]);
          if (one.type === 'wanted') waiting += 1;
          if (names.includes('settled')) waiting = 0;
          if (one.type === 'started') waiting = next.wanted ? waiting : 0;
          // Somebody waits: then somebody is asked.
          if (waiting > 0) expect(next.asking).not.toBe('nothing');
          expect(next.wanted).toBe(waiting > 0);
          for (const effect of effects) {
            if (effect.type === 'setWall') expect(effect.unixMs >= FLOOR && effect.unixMs <= next.floorMs + TEN_YEARS_MS).toBe(true);
          }
          // With servers there is always a next time.
          if (hasTimeServers && next.asking === 'nothing' && one.type !== 'wanted' && before !== next) expect(next.askAtMs).toBeLessThan(Infinity);
        }
      }),
      { seed: 20_261_101, numRuns: 800 },
    );
  });
});
