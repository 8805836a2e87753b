import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import {
  initialConnectivity, step, wakeAtOf, type Connectivity, type ConnectivityContext, type ConnectivityEvent,
} from '../../../firmware/agent/connectivity.ts';
import { MAX_REFUSED_CONNECTS } from '../../../firmware/agent/limits.ts';
import { seededRandom } from '../../../host-sim/time/seeded-random.ts';

/** Something happens: an event, or an answer of the world to what the machine waits for. */
type Move =
  | { readonly type: 'event'; readonly event: ConnectivityEvent['type'] }
  /** The world answers as it should. */
  | { readonly type: 'answer'; readonly good: boolean }
  | { readonly type: 'wait'; readonly delayMs: number }
  /** Until the machine wants to be woken. */
  | { readonly type: 'waitForWake' }
  | { readonly type: 'set'; readonly what: 'idle' | 'tokenReady' | 'roomForTwo'; readonly value: boolean };

const EVENT_TYPES: readonly ConnectivityEvent['type'][] = [
  'woke', 'opened', 'drained', 'accepted', 'refused', 'candidateLost', 'currentLost', 'resynchronised', 'clockMoved', 'tokenSupplied', 'trustRenewed',
];

const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant('event' as const), event: fc.constantFrom(...EVENT_TYPES) }) },
  { weight: 1, arbitrary: fc.constant<Move>({ type: 'event', event: 'clockUnknown' }) },
  { weight: 1, arbitrary: fc.constant<Move>({ type: 'event', event: 'stopped' }) },
  // What came to a stand is soon set going again, so that runs get somewhere.
  { weight: 8, arbitrary: fc.constantFrom<Move>({ type: 'event', event: 'started' }, { type: 'event', event: 'clockKnown' }) },
  { weight: 12, arbitrary: fc.record({ type: fc.constant('answer' as const), good: fc.constantFrom(true, true, false) }) },
  { weight: 12, arbitrary: fc.constant<Move>({ type: 'waitForWake' }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('wait' as const), delayMs: fc.oneof(fc.nat(100), fc.nat(5000), fc.nat(40_000), fc.nat(4_000_000)) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('set' as const), what: fc.constantFrom('idle' as const, 'tokenReady' as const, 'roomForTwo' as const), value: fc.constantFrom(true, true, false) }) },
);

interface World {
  state: Connectivity;
  nowMs: number;
  idle: boolean;
  tokenReady: boolean;
  roomForTwo: boolean;
  /** A candidate that can answer. */
  link: 'none' | 'opening' | 'open' | 'connecting';
  hasCurrent: boolean;
  paused: boolean;
  resynchronising: boolean;
  askedForToken: boolean;
  refusedAtMs: number;
  connects: number;
  /** Promoted beside a connection that worked. */
  renewals: number;
  /** Refusals in a row as the world counts them. */
  refusals: number;
}

test('no sequence of events and delays, in or out of order, locks the machine, leaks a connection or hammers the hub', () => {
  let connects = 0;
  let renewals = 0;
  fc.assert(
    fc.property(fc.array(fc.noBias(move), { minLength: 30, maxLength: 120, size: 'max' }), fc.integer(), fc.constantFrom(1, 2), fc.constantFrom(5000, 20_000, 3_600_000, 31_536_000_000), (moves, seed, keyCount, lifeMs) => {
      const world: World = {
        state: initialConnectivity, nowMs: 0, idle: true, tokenReady: true, roomForTwo: true, link: 'none', hasCurrent: false, paused: false,
        resynchronising: false, askedForToken: false, refusedAtMs: -Infinity, connects: 0, renewals: 0, refusals: 0,
      };
      const random = seededRandom(seed);
      const say = (event: ConnectivityEvent): void => apply(world, event, random, keyCount);
      const answer = (good: boolean): void => {
        if (world.link === 'opening') say(good ? { type: 'opened', tookMs: 300 } : { type: 'candidateLost' });
        else if (world.link === 'connecting') say(good ? { type: 'accepted', signedAtMs: world.nowMs - 100, tokenEndsMs: world.nowMs - 100 + lifeMs } : { type: 'refused', returnCode: 5 });
        else if (world.resynchronising) say({ type: 'resynchronised' });
      };
      /** Goes on to `endMs`, waking the machine whenever it asked to be. */
      const runTo = (endMs: number): void => {
        for (let wakes = 0; ; wakes++) {
          const wakeAtMs = wakeAtOf(world.state);
          if (wakeAtMs > endMs) break;
          if (wakes > 2000) throw new Error(`spins at ${world.nowMs}: ${JSON.stringify(world.state)}`);
          world.nowMs = Math.max(world.nowMs, Math.ceil(wakeAtMs));
          say({ type: 'woke' });
        }
        world.nowMs = endMs;
      };
      say({ type: 'clockKnown' });
      say({ type: 'started' });
      for (const one of moves) {
        if (one.type === 'set') world[one.what] = one.value;
        else if (one.type === 'wait') runTo(world.nowMs + one.delayMs);
        else if (one.type === 'answer') answer(one.good);
        else if (one.type === 'waitForWake') {
          const wakeAtMs = wakeAtOf(world.state);
          if (wakeAtMs !== Infinity) runTo(Math.max(world.nowMs, Math.ceil(wakeAtMs)));
        }
        else {
          const event = eventOf(one.event, world, lifeMs);
          if (event !== undefined) say(event);
        }
      }
      // Whatever has been: once all is well it comes back, within the longest wait there is.
      world.roomForTwo = world.tokenReady = world.idle = true;
      say({ type: 'clockKnown' });
      say({ type: 'started' });
      if (world.askedForToken && world.state.openAtMs === Infinity) say({ type: 'tokenSupplied' });
      const goOn = (holds: () => boolean, limitMs: number): void => {
        const endMs = world.nowMs + limitMs;
        while (!holds()) {
          if (world.link === 'opening' || world.link === 'connecting' || world.resynchronising) answer(true);
          else if (wakeAtOf(world.state) > endMs) throw new Error(`does not come back: ${JSON.stringify(world)}`);
          else runTo(Math.max(world.nowMs, Math.ceil(wakeAtOf(world.state))));
        }
      };
      goOn(() => world.hasCurrent && world.link === 'none', 900_000 + 60_000);
      const renewed = world.renewals;
      goOn(() => world.renewals > renewed, lifeMs);
      connects += world.connects;
      renewals += world.renewals;
    }),
    { seed: 20_261_101, numRuns: 800 },
  );
  // Runs that never get far would prove nothing.
  expect(connects).toBeGreaterThan(3000);
  expect(renewals).toBeGreaterThan(800);
});

/** Events that the world can say at this moment; the others only if the machine must take no notice of them. */
function eventOf(type: ConnectivityEvent['type'], world: World, lifeMs: number): ConnectivityEvent | undefined {
  switch (type) {
    case 'opened':
      return world.link === 'opening' ? undefined : { type, tookMs: 300 };
    case 'accepted':
      return world.link === 'connecting' ? undefined : { type, signedAtMs: world.nowMs, tokenEndsMs: world.nowMs + lifeMs };
    case 'refused':
      return world.link === 'connecting' ? undefined : { type, returnCode: 5 };
    case 'resynchronised':
      return world.resynchronising ? undefined : { type };
    case 'candidateLost':
      return world.link === 'none' ? undefined : { type };
    case 'clockMoved':
      return { type, offMs: 30_000 };
    case 'held':
      return { type, untilMs: world.nowMs, afresh: true };
    case 'registrationRefused':
      return { type, checkClock: true };
    default:
      return { type };
  }
}

/** Makes one step, carries its effects out, and checks what must hold. */
function apply(world: World, event: ConnectivityEvent, random: () => number, keyCount: number): void {
  const before = world.state;
  const context: ConnectivityContext = {
    nowMs: world.nowMs, random, keyCount, tokenReady: world.tokenReady, idle: world.idle, roomForTwo: world.roomForTwo, roundTripMs: 100,
  };
  const [state, ...effects] = step(before, event, context);
  world.state = state;
  if (event.type === 'currentLost') {
    world.hasCurrent = false;
    world.paused = false;
  }
  if (event.type === 'refused' && world.link === 'connecting') {
    world.refusedAtMs = world.nowMs;
    world.refusals += 1;
  }
  if (event.type === 'resynchronised') world.resynchronising = false;
  if (event.type === 'tokenSupplied') world.askedForToken = false;
  if (event.type === 'opened' && world.link === 'opening') world.link = 'open';
  for (const effect of effects) {
    switch (effect.type) {
      case 'open':
        must(world, world.link === 'none', 'a second candidate');
        world.link = 'opening';
        break;
      case 'connect':
        must(world, world.link === 'open', 'CONNECT on no open link');
        must(world, world.nowMs - world.refusedAtMs >= 500, 'CONNECT within half a second of a refusal');
        must(world, world.refusals < MAX_REFUSED_CONNECTS || world.nowMs - world.refusedAtMs >= 15_000, 'a fourth CONNECT within 15 s');
        world.link = 'connecting';
        world.connects += 1;
        break;
      case 'pause':
        must(world, world.hasCurrent && !world.paused, 'paused twice');
        world.paused = true;
        break;
      case 'resume':
        must(world, world.hasCurrent && world.paused, 'resumed what was not paused');
        world.paused = false;
        break;
      case 'promote':
        must(world, world.link === 'connecting', 'promoted what was not accepted');
        if (world.hasCurrent) world.renewals += 1;
        world.hasCurrent = true;
        world.paused = false;
        world.link = 'none';
        world.refusals = 0;
        break;
      case 'dropCandidate':
        world.link = 'none';
        break;
      case 'dropCurrent':
        must(world, world.hasCurrent, 'dropped no current connection');
        world.hasCurrent = false;
        world.paused = false;
        break;
      case 'resynchronise':
        world.resynchronising = true;
        break;
      case 'askToken':
        world.askedForToken = true;
        break;
    }
  }
  if (event.type === 'stopped') {
    world.resynchronising = false;
    world.refusals = 0;
    world.refusedAtMs = -Infinity;
    world.askedForToken = false;
  }
  must(world, state.hasCurrent === world.hasCurrent, 'the machine and the world differ on the current connection');
  must(world, (state.candidate === 'draining' || state.candidate === 'connecting') && state.hasCurrent ? world.paused : !world.paused, 'paused and not draining, or the other way');
  const links = { none: ['none'], opening: ['opening'], ready: ['open'], draining: state.single ? ['none'] : ['open'], connecting: ['connecting'], overdue: ['connecting'] };
  must(world, links[state.candidate].includes(world.link), 'the machine and the world differ on the candidate');
  // No deadlock: a timer, or one of the outside events that are known to come.
  const waits = !state.running || !state.clockKnown || state.resynchronising || world.askedForToken;
  must(world, waits || wakeAtOf(state) !== Infinity, 'nothing will ever happen');
  must(world, state.candidate === 'none' || wakeAtOf(state) !== Infinity, 'a candidate that no deadline ends');
  if (state.resynchronising) must(world, world.resynchronising, 'waits for a check that nobody makes');
}

function must(world: World, holds: boolean, text: string): void {
  if (!holds) throw new Error(`${text}: ${JSON.stringify(world)}`);
}
