import { backoffMs, probeMs } from '../backoff.ts';
import * as limits from '../limits.ts';

/**
 * How far the wall clock is to be trusted.
 * - `unset`: below the floor, or never set; no TLS at all.
 * - `network`: from NTP, which anybody on the path can forge, within the floor and ten years after it.
 * - `confirmed`: by the `Date` of a verified HTTPS answer. Only this moves the floor.
 */
export type ClockLevel = 'unset' | 'network' | 'confirmed';

export interface ClockState {
  readonly level: ClockLevel;
  /** Earlier than this it cannot be: the build time, or a confirmed time that was saved. Unix milliseconds. */
  readonly floorMs: number;
  readonly asking: 'nothing' | 'network' | 'date';
  /** Monotonic: when the servers are asked again. */
  readonly askAtMs: number;
  /** Checks in a row that failed. */
  readonly failures: number;
  /** Somebody waits for `settled`. */
  readonly wanted: boolean;
}

export type ClockEvent =
  | { readonly type: 'started'; readonly wallMs: number }
  | { readonly type: 'woke' }
  /** A refused token: is it the clock? */
  | { readonly type: 'wanted' }
  | { readonly type: 'networkAnswered'; readonly unixMs: number; readonly wallMs: number }
  | { readonly type: 'networkFailed'; readonly wallMs: number }
  | { readonly type: 'dateAnswered'; readonly unixMs: number; readonly wallMs: number }
  | { readonly type: 'dateFailed' };

export type ClockEffect =
  | { readonly type: 'askNetwork' }
  | { readonly type: 'askDate' }
  | { readonly type: 'setWall'; readonly unixMs: number; readonly offMs: number }
  | { readonly type: 'saveFloor'; readonly unixMs: number }
  | { readonly type: 'changed'; readonly level: ClockLevel }
  /** The check that was `wanted` has ended; the clock had been off by this much. */
  | { readonly type: 'settled' };

export interface ClockContext {
  readonly nowMs: number;
  readonly random: () => number;
  readonly hasTimeServers: boolean;
  /** There is one, and room for the session with it. */
  readonly hasDateServer: boolean;
}

type Step = readonly [ClockState, ...ClockEffect[]];

/** The chip's clock is set in steps of this size. */
const WALL_STEP_MS = 1000;
/** `Date` has whole seconds and has travelled. */
const DATE_PRECISION_MS = 2000;

export function initialClock(floorMs: number): ClockState {
  return { level: 'unset', floorMs, asking: 'nothing', askAtMs: Infinity, failures: 0, wanted: false };
}

/** One step; pure. */
export function stepClock(state: ClockState, event: ClockEvent, context: ClockContext): Step {
  switch (event.type) {
    case 'started':
      if (context.hasTimeServers) return ask(state);
      // Without servers the board's own clock is all there is: never more than `network`.
      return believed(state, event.wallMs, context);
    case 'woke':
      return context.nowMs >= state.askAtMs && state.asking === 'nothing' ? ask(state, context) : [state];
    case 'wanted':
      return state.asking === 'nothing' ? ask({ ...state, wanted: true }, context) : [{ ...state, wanted: true }];
    case 'networkAnswered':
      return networkAnswered(state, event.unixMs, event.wallMs, context);
    case 'networkFailed':
      return networkFailed(state, event.wallMs, context);
    case 'dateAnswered':
      return dateAnswered(state, event.unixMs, event.wallMs, context);
    case 'dateFailed':
      return dateFailed(state, context);
  }
}

/** Whether a time can be believed: within the floor and ten years after it. */
export function isPlausible(unixMs: number, floorMs: number): boolean {
  return unixMs >= floorMs && unixMs <= floorMs + limits.CLOCK_HORIZON_MS;
}

function ask(state: ClockState, context?: ClockContext): Step {
  const asking: ClockState = { ...state, asking: 'network', askAtMs: Infinity };
  if (context === undefined || context.hasTimeServers) return [asking, { type: 'askNetwork' }];
  if (state.level !== 'unset' && context.hasDateServer) return [{ ...asking, asking: 'date' }, { type: 'askDate' }];
  return settle({ ...state, askAtMs: Infinity });
}

/** The network's time, or failing that the board's, is in range: TLS may start; then HTTPS is asked, if there is a server. */
function believed(state: ClockState, wallMs: number, context: ClockContext): Step {
  const failures = context.hasDateServer ? state.failures : 0;
  const next: ClockState = { ...state, failures, asking: 'nothing', askAtMs: context.nowMs + limits.CLOCK_CHECK_MS };
  if (!isPlausible(wallMs, state.floorMs)) {
    const [lost, ...effects] = settle({ ...next, level: 'unset', askAtMs: Infinity });
    return state.level === 'unset' ? [lost, ...effects] : [lost, { type: 'changed', level: 'unset' }, ...effects];
  }
  const level = state.level === 'unset' ? 'network' : state.level;
  const changed: ClockEffect[] = level === state.level ? [] : [{ type: 'changed', level }];
  if (!context.hasDateServer) {
    const [settled, ...effects] = settle({ ...next, level });
    return [settled, ...changed, ...effects];
  }
  return [{ ...next, level, asking: 'date', askAtMs: Infinity }, ...changed, { type: 'askDate' }];
}

function networkAnswered(state: ClockState, unixMs: number, wallMs: number, context: ClockContext): Step {
  if (state.asking !== 'network') return [state];
  if (!isPlausible(unixMs, state.floorMs)) return networkFailed(state, wallMs, context);
  const offMs = unixMs - wallMs;
  // The wall clock is set in whole seconds: a smaller correction would make it worse.
  if (Math.abs(offMs) < WALL_STEP_MS) return believed(state, unixMs, context);
  const setWall: ClockEffect = { type: 'setWall', unixMs, offMs };
  if (state.level === 'confirmed' && Math.abs(offMs) > limits.CLOCK_OFF_MS) {
    // Drift is taken from NTP, a jump takes the confirmation away until HTTPS has answered.
    const [next, ...effects] = believed({ ...state, level: 'network' }, unixMs, context);
    return [next, setWall, { type: 'changed', level: 'network' }, ...effects];
  }
  const [next, ...effects] = believed(state, unixMs, context);
  return [next, setWall, ...effects];
}

function networkFailed(state: ClockState, wallMs: number, context: ClockContext): Step {
  if (state.asking !== 'network') return [state];
  const waitMs = backoffMs(state.failures, context.random(), limits.CLOCK_RETRY);
  const failures = state.failures + 1;
  if (state.level === 'unset' && !isPlausible(wallMs, state.floorMs)) {
    return settle({ ...state, asking: 'nothing', failures, askAtMs: context.nowMs + waitMs });
  }
  // The board's own clock is in range: go on with it, and ask again.
  const [next, ...effects] = believed(state, wallMs, context);
  return [{ ...next, failures, askAtMs: next.asking === 'nothing' ? context.nowMs + waitMs : next.askAtMs }, ...effects];
}

function dateAnswered(state: ClockState, unixMs: number, wallMs: number, context: ClockContext): Step {
  if (state.asking !== 'date') return [state];
  const next: ClockState = { ...state, failures: 0, asking: 'nothing', askAtMs: context.nowMs + limits.CLOCK_CHECK_MS };
  // A floor that was saved cannot be taken back: a date out of range never becomes one.
  if (!isPlausible(unixMs, state.floorMs)) return settle(next);
  const effects: ClockEffect[] = [];
  const offMs = unixMs - wallMs;
  // `Date` has whole seconds: a smaller difference is rounding, and NTP knows better.
  if (Math.abs(offMs) > DATE_PRECISION_MS) effects.push({ type: 'setWall', unixMs, offMs });
  let floorMs = state.floorMs;
  if (unixMs >= floorMs + limits.FLOOR_STEP_MS) {
    floorMs = unixMs;
    effects.push({ type: 'saveFloor', unixMs });
  }
  if (state.level !== 'confirmed') effects.push({ type: 'changed', level: 'confirmed' });
  const [settled, ...rest] = settle({ ...next, level: 'confirmed', floorMs });
  return [settled, ...effects, ...rest];
}

/** The time is the network's meanwhile; the servers are asked again after a wait that doubles to the usual one. */
function dateFailed(state: ClockState, context: ClockContext): Step {
  if (state.asking !== 'date') return [state];
  const waitMs = probeMs(state.failures, context.random(), limits.PROBE_FIRST_MS, limits.CLOCK_CHECK_MS);
  return settle({ ...state, asking: 'nothing', failures: state.failures + 1, askAtMs: context.nowMs + waitMs });
}

function settle(state: ClockState): Step {
  return state.wanted ? [{ ...state, wanted: false, asking: 'nothing' }, { type: 'settled' }] : [state];
}
