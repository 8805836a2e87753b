import { describe, expect, test } from '@jest/globals';

import {
  initialConnectivity, step, wakeAtOf,
  type Candidate, type Connectivity, type ConnectivityContext, type ConnectivityEffect, type ConnectivityEvent,
} from '../../../firmware/agent/connectivity.ts';

const NOW = 1_000_000;
/** Half of every range: 0.725 of a life, 750 ms of the first back-off, 22.5 s of the first probe, 1 s of a quick retry. */
const HALF = 0.5;

const CONTEXT: ConnectivityContext = {
  nowMs: NOW, random: () => HALF, keyCount: 1, tokenReady: true, idle: true, roomForTwo: true, roundTripMs: 100,
};

const RUNNING: Connectivity = { ...initialConnectivity, running: true, clockKnown: true };
/** Connected a minute ago with a token of an hour; the renewal is planned. */
const CONNECTED: Connectivity = {
  ...RUNNING, hasCurrent: true, acceptedAtMs: NOW - 60_000, tokenEndsMs: NOW + 3_540_000, openAtMs: NOW + 2_500_000, connectAtMs: NOW + 2_501_350,
};
/** At the moment of the renewal: a quarter of the hour is left. */
const RENEWING: Connectivity = { ...CONNECTED, acceptedAtMs: NOW - 2_700_000, tokenEndsMs: NOW + 900_000, openAtMs: Infinity, connectAtMs: NOW };

const OPENING = { candidate: 'opening', openAtMs: Infinity, deadlineMs: NOW + 30_000 } as const;
const READY = { candidate: 'ready', openAtMs: Infinity } as const;
const DRAINING = { candidate: 'draining', openAtMs: Infinity, deadlineMs: NOW + 300 } as const;
const CONNECTING = { candidate: 'connecting', openAtMs: Infinity, deadlineMs: NOW + 20_000, patienceEndsMs: NOW + 2000 } as const;
const OVERDUE = { candidate: 'overdue', openAtMs: Infinity, deadlineMs: NOW + 18_000 } as const;

interface Row {
  readonly name: string;
  readonly state: Connectivity;
  readonly event: ConnectivityEvent;
  readonly context?: Partial<ConnectivityContext>;
  /** What differs from `state`; nothing else may. */
  readonly changes: Partial<Connectivity>;
  readonly effects: readonly ConnectivityEffect[];
}

const open: ConnectivityEffect = { type: 'open' };
const pause: ConnectivityEffect = { type: 'pause' };
const resume: ConnectivityEffect = { type: 'resume' };
const promote: ConnectivityEffect = { type: 'promote' };
const resynchronise: ConnectivityEffect = { type: 'resynchronise' };
const connect = (keyIndex = 0): ConnectivityEffect => ({ type: 'connect', keyIndex });
const drop = (reason: 'lost' | 'late' | 'refused' | 'stopped'): ConnectivityEffect => ({ type: 'dropCandidate', reason });
const dropCurrent = (reason: 'token-ended' | 'renewal' | 'stopped'): ConnectivityEffect => ({ type: 'dropCurrent', reason });
const woke: ConnectivityEvent = { type: 'woke' };
const accepted: ConnectivityEvent = { type: 'accepted', signedAtMs: NOW - 1000, tokenEndsMs: NOW + 3_599_000 };
const refused = (returnCode = 5): ConnectivityEvent => ({ type: 'refused', returnCode });
const ACCEPTED_CHANGES = {
  hasCurrent: true, acceptedAtMs: NOW, tokenEndsMs: NOW + 3_599_000, candidate: 'none', deadlineMs: Infinity, patienceEndsMs: Infinity,
  connectAtMs: NOW - 1000 + 2_610_000, openAtMs: NOW - 1000 + 2_610_000 - 1350,
} as const;

const ROWS: readonly Row[] = [
  // The first connection.
  { name: 'start, clock unknown: waits for the clock', state: initialConnectivity, event: { type: 'started' }, changes: { running: true, openAtMs: NOW }, effects: [] },
  { name: 'start, clock known: opens', state: { ...initialConnectivity, clockKnown: true }, event: { type: 'started' }, changes: { running: true, ...OPENING }, effects: [open] },
  { name: 'the clock becomes known: opens', state: { ...RUNNING, clockKnown: false, openAtMs: NOW - 5 }, event: { type: 'clockKnown' }, changes: { clockKnown: true, ...OPENING }, effects: [open] },
  { name: 'the clock becomes known before the start: nothing', state: initialConnectivity, event: { type: 'clockKnown' }, changes: { clockKnown: true }, effects: [] },
  { name: 'the clock becomes known during a back-off: waits on', state: { ...RUNNING, clockKnown: false, openAtMs: NOW + 5 }, event: { type: 'clockKnown' }, changes: { clockKnown: true }, effects: [] },
  { name: 'TLS is up: CONNECT at once', state: { ...RUNNING, ...OPENING }, event: { type: 'opened', tookMs: 400 }, changes: { candidate: 'connecting', lastOpenMs: 400, deadlineMs: NOW + 20_000 }, effects: [connect()] },
  { name: 'TLS not up in time: back-off', state: { ...RUNNING, ...OPENING, deadlineMs: NOW }, event: woke, changes: { candidate: 'none', deadlineMs: Infinity, networkFailures: 1, openAtMs: NOW + 750 }, effects: [drop('late')] },
  { name: 'lost while opening, the sixth time: back-off', state: { ...RUNNING, ...OPENING, networkFailures: 5 }, event: { type: 'candidateLost' }, changes: { candidate: 'none', deadlineMs: Infinity, networkFailures: 6, openAtMs: NOW + 16_250 }, effects: [drop('lost')] },
  { name: 'accepted: the renewal is planned', state: { ...RUNNING, ...CONNECTING, patienceEndsMs: Infinity }, event: accepted, changes: { ...ACCEPTED_CHANGES }, effects: [promote] },
  { name: 'accepted after failures: they count until it has lasted', state: { ...RUNNING, ...CONNECTING, networkFailures: 4 }, event: accepted, changes: { ...ACCEPTED_CHANGES }, effects: [promote] },
  { name: 'no CONNACK within 20 s: back-off', state: { ...RUNNING, ...CONNECTING, patienceEndsMs: Infinity, deadlineMs: NOW }, event: woke, changes: { candidate: 'none', deadlineMs: Infinity, networkFailures: 1, openAtMs: NOW + 750 }, effects: [drop('late')] },
  { name: 'server unavailable: a network failure', state: { ...RUNNING, ...CONNECTING, patienceEndsMs: Infinity }, event: refused(3), changes: { candidate: 'none', deadlineMs: Infinity, networkFailures: 1, openAtMs: NOW + 750 }, effects: [drop('refused')] },

  // Renewal.
  { name: 'time to prepare: opens beside', state: { ...RENEWING, openAtMs: NOW, connectAtMs: NOW + 1350 }, event: woke, changes: { ...OPENING }, effects: [open] },
  { name: 'prepared early: waits', state: { ...RENEWING, ...OPENING, connectAtMs: NOW + 500 }, event: { type: 'opened', tookMs: 850 }, changes: { candidate: 'ready', deadlineMs: Infinity, lastOpenMs: 850 }, effects: [] },
  { name: 'time to CONNECT, window empty: at once', state: { ...RENEWING, ...READY }, event: woke, changes: { ...CONNECTING }, effects: [pause, connect()] },
  { name: 'time to CONNECT, messages in flight: drains', state: { ...RENEWING, ...READY }, event: woke, context: { idle: false }, changes: { ...DRAINING }, effects: [pause] },
  { name: 'drained: CONNECT', state: { ...RENEWING, ...DRAINING }, event: { type: 'drained' }, changes: { ...CONNECTING }, effects: [connect()] },
  { name: 'not drained after a round trip and 200 ms: CONNECT', state: { ...RENEWING, ...DRAINING, deadlineMs: NOW }, event: woke, context: { idle: false }, changes: { ...CONNECTING }, effects: [connect()] },
  { name: 'little life left: a third of it is the patience', state: { ...RENEWING, ...READY, tokenEndsMs: NOW + 1500 }, event: woke, changes: { ...CONNECTING, patienceEndsMs: NOW + 500 }, effects: [pause, connect()] },
  { name: 'no CONNACK in time: the old one is used again', state: { ...RENEWING, ...CONNECTING, patienceEndsMs: NOW }, event: woke, changes: { candidate: 'overdue', patienceEndsMs: Infinity }, effects: [resume] },
  { name: 'accepted: takes over', state: { ...RENEWING, ...CONNECTING, networkFailures: 3, refusals: 2, renewalFailures: 2 }, event: accepted, changes: { ...ACCEPTED_CHANGES, networkFailures: 0, refusals: 0, renewalFailures: 0 }, effects: [promote] },
  { name: 'accepted late: takes over', state: { ...RENEWING, ...OVERDUE }, event: accepted, changes: { ...ACCEPTED_CHANGES }, effects: [promote] },
  { name: 'no CONNACK at all: given up', state: { ...RENEWING, ...OVERDUE, deadlineMs: NOW }, event: woke, changes: { candidate: 'none', deadlineMs: Infinity, renewalFailures: 1, openAtMs: NOW + 750 }, effects: [drop('late')] },
  { name: 'a renewal lost beside a good connection counts for itself', state: { ...RENEWING, ...OPENING, networkFailures: 9, renewalFailures: 1 }, event: { type: 'candidateLost' }, changes: { candidate: 'none', deadlineMs: Infinity, renewalFailures: 2, openAtMs: NOW + 1250 }, effects: [drop('lost')] },
  { name: 'lost before CONNECT, nothing was paused', state: { ...RENEWING, ...READY }, event: { type: 'candidateLost' }, changes: { candidate: 'none', renewalFailures: 1, openAtMs: NOW + 750 }, effects: [drop('lost')] },
  { name: 'lost while draining: the old one goes on', state: { ...RENEWING, ...DRAINING }, event: { type: 'candidateLost' }, changes: { candidate: 'none', deadlineMs: Infinity, renewalFailures: 1, openAtMs: NOW + 750 }, effects: [drop('lost'), resume] },
  { name: 'lost after CONNECT: the old one goes on', state: { ...RENEWING, ...CONNECTING }, event: { type: 'candidateLost' }, changes: { candidate: 'none', deadlineMs: Infinity, patienceEndsMs: Infinity, renewalFailures: 1, openAtMs: NOW + 750 }, effects: [drop('lost'), resume] },
  { name: 'lost when overdue: the old one is in use already', state: { ...RENEWING, ...OVERDUE }, event: { type: 'candidateLost' }, changes: { candidate: 'none', deadlineMs: Infinity, renewalFailures: 1, openAtMs: NOW + 750 }, effects: [drop('lost')] },

  // Refusals.
  { name: 'first refusal: the old one goes on, the clock is checked', state: { ...RENEWING, ...CONNECTING }, event: refused(), changes: { candidate: 'none', deadlineMs: Infinity, patienceEndsMs: Infinity, refusals: 1, resynchronising: true }, effects: [drop('refused'), resume, resynchronise] },
  { name: 'first refusal, overdue: the same without resume', state: { ...RENEWING, ...OVERDUE }, event: refused(), changes: { candidate: 'none', deadlineMs: Infinity, refusals: 1, resynchronising: true }, effects: [drop('refused'), resynchronise] },
  { name: 'the clock is checked: once more', state: { ...RENEWING, refusals: 1, resynchronising: true }, event: { type: 'resynchronised' }, changes: { resynchronising: false, openAtMs: NOW + 1000 }, effects: [] },
  { name: 'second refusal, one key: the probe', state: { ...RENEWING, ...CONNECTING, refusals: 1 }, event: refused(), changes: { candidate: 'none', deadlineMs: Infinity, patienceEndsMs: Infinity, refusals: 2, openAtMs: NOW + 22_500 }, effects: [drop('refused'), resume, resynchronise] },
  { name: 'second refusal, two keys: the other key', state: { ...RENEWING, ...CONNECTING, refusals: 1 }, event: refused(), context: { keyCount: 2 }, changes: { candidate: 'none', deadlineMs: Infinity, patienceEndsMs: Infinity, refusals: 2, keyIndex: 1, openAtMs: NOW + 1000 }, effects: [drop('refused'), resume] },
  { name: 'third refusal, two keys: the probe, with the first key', state: { ...RENEWING, ...CONNECTING, refusals: 2, keyIndex: 1 }, event: refused(), context: { keyCount: 2 }, changes: { candidate: 'none', deadlineMs: Infinity, patienceEndsMs: Infinity, refusals: 3, keyIndex: 0, openAtMs: NOW + 22_500 }, effects: [drop('refused'), resume, resynchronise] },
  { name: 'a probe refused: twice the wait', state: { ...RUNNING, ...CONNECTING, patienceEndsMs: Infinity, refusals: 2 }, event: refused(), changes: { candidate: 'none', deadlineMs: Infinity, refusals: 3, openAtMs: NOW + 45_000 }, effects: [drop('refused'), resynchronise] },
  { name: 'the twentieth probe refused: 7.5 to 15 minutes', state: { ...RUNNING, ...CONNECTING, patienceEndsMs: Infinity, refusals: 20 }, event: refused(), changes: { candidate: 'none', deadlineMs: Infinity, refusals: 21, openAtMs: NOW + 675_000 }, effects: [drop('refused'), resynchronise] },
  { name: 'the old token ends after a refusal: the probe stays', state: { ...RENEWING, refusals: 2, openAtMs: NOW + 9000, tokenEndsMs: NOW }, event: woke, changes: { hasCurrent: false, tokenEndsMs: Infinity }, effects: [dropCurrent('token-ended')] },
  { name: 'the old connection is lost while the clock is checked: waits for the clock', state: { ...RENEWING, refusals: 1, resynchronising: true }, event: { type: 'currentLost' }, changes: { hasCurrent: false, tokenEndsMs: Infinity }, effects: [] },
  { name: 'the old connection is lost, refused and nothing planned: planned', state: { ...RENEWING, refusals: 1 }, event: { type: 'currentLost' }, changes: { hasCurrent: false, tokenEndsMs: Infinity, networkFailures: 1, openAtMs: NOW + 750 }, effects: [] },

  // The current connection is lost.
  { name: 'lost after it had lasted: the first back-off', state: { ...CONNECTED, networkFailures: 7 }, event: { type: 'currentLost' }, changes: { hasCurrent: false, tokenEndsMs: Infinity, networkFailures: 1, openAtMs: NOW + 750 }, effects: [] },
  { name: 'lost at once after failures: they go on', state: { ...CONNECTED, acceptedAtMs: NOW - 9999, networkFailures: 3 }, event: { type: 'currentLost' }, changes: { hasCurrent: false, tokenEndsMs: Infinity, networkFailures: 4, openAtMs: NOW + 4250 }, effects: [] },
  { name: 'lost while the next opens: that one becomes the first', state: { ...RENEWING, ...OPENING }, event: { type: 'currentLost' }, changes: { hasCurrent: false, tokenEndsMs: Infinity }, effects: [] },
  { name: 'lost while the next is ready: CONNECT at once', state: { ...RENEWING, ...READY, connectAtMs: NOW + 800 }, event: { type: 'currentLost' }, changes: { hasCurrent: false, tokenEndsMs: Infinity, candidate: 'connecting', deadlineMs: NOW + 20_000 }, effects: [connect()] },
  { name: 'lost while draining: CONNECT at once', state: { ...RENEWING, ...DRAINING }, event: { type: 'currentLost' }, changes: { hasCurrent: false, tokenEndsMs: Infinity, candidate: 'connecting', deadlineMs: NOW + 20_000 }, effects: [connect()] },
  { name: 'lost while connecting: waits for CONNACK', state: { ...RENEWING, ...CONNECTING }, event: { type: 'currentLost' }, changes: { hasCurrent: false, tokenEndsMs: Infinity, patienceEndsMs: Infinity }, effects: [] },
  { name: 'lost when overdue: waits for CONNACK', state: { ...RENEWING, ...OVERDUE }, event: { type: 'currentLost' }, changes: { hasCurrent: false, tokenEndsMs: Infinity }, effects: [] },
  { name: 'the token ends with nothing under way: closed, and opened anew', state: { ...CONNECTED, tokenEndsMs: NOW }, event: woke, changes: { hasCurrent: false, tokenEndsMs: Infinity, networkFailures: 1, openAtMs: NOW + 750 }, effects: [dropCurrent('token-ended')] },
  { name: 'the token ends while the next is ready: CONNECT', state: { ...RENEWING, ...READY, tokenEndsMs: NOW, connectAtMs: NOW + 800 }, event: woke, changes: { hasCurrent: false, tokenEndsMs: Infinity, candidate: 'connecting', deadlineMs: NOW + 20_000 }, effects: [dropCurrent('token-ended'), connect()] },

  // One session only.
  { name: 'single: not before the moment of the CONNECT', state: { ...RENEWING, openAtMs: NOW, connectAtMs: NOW + 1350 }, event: woke, context: { roomForTwo: false }, changes: { openAtMs: NOW + 1350 }, effects: [] },
  { name: 'single: drains, then closes before it opens', state: { ...RENEWING, openAtMs: NOW }, event: woke, context: { roomForTwo: false, idle: false }, changes: { ...DRAINING, single: true }, effects: [pause] },
  { name: 'single: nothing in flight', state: { ...RENEWING, openAtMs: NOW }, event: woke, context: { roomForTwo: false }, changes: { ...OPENING, hasCurrent: false, tokenEndsMs: Infinity }, effects: [pause, dropCurrent('renewal'), open] },
  { name: 'single: drained', state: { ...RENEWING, ...DRAINING, single: true }, event: { type: 'drained' }, changes: { ...OPENING, hasCurrent: false, tokenEndsMs: Infinity, single: false }, effects: [dropCurrent('renewal'), open] },
  { name: 'single: lost while draining', state: { ...RENEWING, ...DRAINING, single: true }, event: { type: 'currentLost' }, changes: { ...OPENING, hasCurrent: false, tokenEndsMs: Infinity, single: false }, effects: [open] },
  { name: 'single: failures before a connection that lasted are over', state: { ...RENEWING, ...DRAINING, single: true, networkFailures: 10 }, event: { type: 'drained' }, changes: { ...OPENING, hasCurrent: false, tokenEndsMs: Infinity, single: false, networkFailures: 0 }, effects: [dropCurrent('renewal'), open] },
  { name: 'single: the first connection needs no room for two', state: { ...RUNNING, openAtMs: NOW }, event: woke, context: { roomForTwo: false }, changes: { ...OPENING }, effects: [open] },

  // The clock.
  { name: 'the clock was slow: the token ends sooner', state: CONNECTED, event: { type: 'clockMoved', offMs: 60_000 }, changes: { tokenEndsMs: CONNECTED.tokenEndsMs - 60_000, openAtMs: CONNECTED.openAtMs - 60_000, connectAtMs: CONNECTED.connectAtMs - 60_000 }, effects: [] },
  { name: 'the clock was fast: later', state: CONNECTED, event: { type: 'clockMoved', offMs: -60_000 }, changes: { tokenEndsMs: CONNECTED.tokenEndsMs + 60_000, openAtMs: CONNECTED.openAtMs + 60_000, connectAtMs: CONNECTED.connectAtMs + 60_000 }, effects: [] },
  { name: 'the clock was so slow that the renewal is due', state: CONNECTED, event: { type: 'clockMoved', offMs: 3_000_000 }, changes: { tokenEndsMs: CONNECTED.tokenEndsMs - 3_000_000, connectAtMs: CONNECTED.connectAtMs - 3_000_000, ...OPENING }, effects: [open] },
  { name: 'the clock was so slow that the token has ended', state: CONNECTED, event: { type: 'clockMoved', offMs: 4_000_000 }, changes: { hasCurrent: false, tokenEndsMs: Infinity, connectAtMs: CONNECTED.connectAtMs - 4_000_000, networkFailures: 1, openAtMs: NOW + 750 }, effects: [dropCurrent('token-ended')] },
  { name: 'the clock moves during a probe: the probe stays', state: { ...RENEWING, refusals: 2, openAtMs: NOW + 9000 }, event: { type: 'clockMoved', offMs: 5000 }, changes: { tokenEndsMs: RENEWING.tokenEndsMs - 5000, connectAtMs: NOW - 5000 }, effects: [] },
  { name: 'the clock is lost: what is connected stays', state: CONNECTED, event: { type: 'clockUnknown' }, changes: { clockKnown: false }, effects: [] },
  { name: 'the clock is lost: no renewal', state: { ...RENEWING, clockKnown: false, openAtMs: NOW }, event: woke, changes: {}, effects: [] },

  // Ready-made tokens.
  { name: 'no token: asks for one', state: { ...RENEWING, openAtMs: NOW }, event: woke, context: { tokenReady: false }, changes: { openAtMs: Infinity }, effects: [{ type: 'askToken' }] },
  { name: 'a token comes: the renewal starts at once', state: { ...CONNECTED }, event: { type: 'tokenSupplied' }, changes: { ...OPENING, connectAtMs: NOW }, effects: [open] },
  { name: 'a token comes after a refusal: no sooner than another CONNECT', state: { ...RUNNING, refusals: 1, resynchronising: true }, event: { type: 'tokenSupplied' }, changes: { openAtMs: NOW + 1000, connectAtMs: NOW }, effects: [] },
  { name: 'a token comes after three refusals: no sooner than the first probe', state: { ...RUNNING, refusals: 3, openAtMs: NOW + 800_000 }, event: { type: 'tokenSupplied' }, changes: { openAtMs: NOW + 22_500, connectAtMs: NOW }, effects: [] },
  { name: 'new anchors come during a back-off: opens at once', state: { ...RUNNING, networkFailures: 9, openAtMs: NOW + 90_000 }, event: { type: 'trustRenewed' }, changes: OPENING, effects: [open] },
  { name: 'new anchors come beside a connection: its renewal waits as planned', state: { ...CONNECTED }, event: { type: 'trustRenewed' }, changes: {}, effects: [] },
  { name: 'new anchors come after a refusal: no sooner', state: { ...RUNNING, refusals: 1, openAtMs: NOW + 1000 }, event: { type: 'trustRenewed' }, changes: {}, effects: [] },
  { name: 'new anchors come when stopped: nothing', state: initialConnectivity, event: { type: 'trustRenewed' }, changes: {}, effects: [] },
  { name: 'a token comes when stopped: nothing', state: initialConnectivity, event: { type: 'tokenSupplied' }, changes: {}, effects: [] },

  // The end.
  { name: 'stop, connected and renewing: both are closed', state: { ...RENEWING, ...CONNECTING }, event: { type: 'stopped' }, changes: { ...initialConnectivity, clockKnown: true }, effects: [drop('stopped'), dropCurrent('stopped')] },
  { name: 'stop, opening', state: { ...RUNNING, ...OPENING }, event: { type: 'stopped' }, changes: { ...initialConnectivity, clockKnown: true }, effects: [drop('stopped')] },
  { name: 'held by a registration: its time counts', state: { ...RUNNING, ...OPENING, refusals: 3 }, event: { type: 'held', untilMs: NOW + 330_000, afresh: false }, changes: { deadlineMs: NOW + 330_000 }, effects: [] },
  { name: 'assigned to another hub: nothing that the old one refused counts', state: { ...RUNNING, ...OPENING, refusals: 3, networkFailures: 10, keyIndex: 1 }, event: { type: 'held', untilMs: NOW + 30_000, afresh: true }, changes: { deadlineMs: NOW + 30_000, refusals: 0, networkFailures: 0, keyIndex: 0 }, effects: [] },
  { name: 'held, and there is no candidate any more', state: RUNNING, event: { type: 'held', untilMs: NOW + 5, afresh: true }, changes: {}, effects: [] },
  { name: 'the token of a registration refused: the clock is checked', state: { ...RUNNING, ...OPENING }, event: { type: 'registrationRefused', checkClock: true }, changes: { candidate: 'none', deadlineMs: Infinity, openAtMs: Infinity, refusals: 1, resynchronising: true }, effects: [drop('refused'), resynchronise] },
  { name: 'a registration refused for another reason: the slow probe', state: { ...RUNNING, ...OPENING }, event: { type: 'registrationRefused', checkClock: false }, changes: { candidate: 'none', deadlineMs: Infinity, openAtMs: NOW + 22_500, refusals: 1 }, effects: [drop('refused')] },
  { name: 'stop, in a probe', state: { ...RUNNING, refusals: 5, keyIndex: 1, openAtMs: NOW + 5 }, event: { type: 'stopped' }, changes: { ...initialConnectivity, clockKnown: true }, effects: [] },
];

function inMilliseconds(state: Connectivity): object {
  return Object.fromEntries(Object.entries(state).map(([key, value]) => [key, typeof value === 'number' ? Math.round(value) : value]));
}

describe('one step of the connection machine', () => {
  test.each(ROWS)('$name', ({ state, event, context, changes, effects }) => {
    const [next, ...made] = step(state, event, { ...CONTEXT, ...context });
    expect(made).toEqual(effects);
    expect(inMilliseconds(next)).toEqual(inMilliseconds({ ...state, ...changes }));
  });
});

describe('every candidate phase meets every event', () => {
  const PHASES: Record<Candidate, Partial<Connectivity>> = {
    none: { candidate: 'none', openAtMs: NOW + 100 }, opening: OPENING, ready: READY, draining: DRAINING, connecting: CONNECTING, overdue: OVERDUE,
  };
  const EVENTS: readonly ConnectivityEvent[] = [
    { type: 'started' }, { type: 'stopped' }, { type: 'clockKnown' }, { type: 'clockUnknown' }, woke, { type: 'opened', tookMs: 300 }, { type: 'drained' },
    accepted, refused(1), refused(3), refused(5), refused(200), { type: 'candidateLost' }, { type: 'currentLost' }, { type: 'resynchronised' },
    { type: 'clockMoved', offMs: 120_000 }, { type: 'clockMoved', offMs: -120_000 }, { type: 'clockMoved', offMs: 10_000_000 }, { type: 'tokenSupplied' }, { type: 'trustRenewed' },
    { type: 'held', untilMs: NOW + 5000, afresh: false }, { type: 'held', untilMs: NOW + 5000, afresh: true },
    { type: 'registrationRefused', checkClock: true }, { type: 'registrationRefused', checkClock: false },
  ];
  /** A moment of which each phase's own end has, or has not, come. */
  const MOMENTS = [NOW, NOW + 2000, NOW + 30_000, NOW + 10_000_000];
  const FLAGS = [true, false];

  test.each(Object.keys(PHASES) as Candidate[])('%s: with or without a connection, room, token, clock, key, idleness, refusals', (phase) => {
    let count = 0;
    for (const event of EVENTS)
      for (const nowMs of MOMENTS)
        for (const running of FLAGS)
          for (const hasCurrent of FLAGS)
            for (const single of FLAGS)
              for (const clockKnown of FLAGS)
                for (const tokenReady of FLAGS)
                  for (const idle of FLAGS)
                    for (const [refusals, keyCount] of [[0, 1], [1, 2], [7, 1]] as const) {
                      // What cannot be: a candidate before the start, one session draining beside nothing.
                      if (!running && (phase !== 'none' || hasCurrent)) continue;
                      if (phase === 'draining' && !hasCurrent) continue;
                      const base = hasCurrent ? RENEWING : RUNNING;
                      const state = { ...base, ...PHASES[phase], running, clockKnown, refusals, single: single && phase === 'draining' };
                      if (phase !== 'connecting' || !hasCurrent) state.patienceEndsMs = Infinity;
                      const context = { ...CONTEXT, nowMs, keyCount, tokenReady, idle, roomForTwo: !single };
                      checkStep(state, event, context);
                      count += 1;
                    }
    expect(count).toBeGreaterThan(500);
  });
});

/** What holds of every step, whatever the state and the event. */
function checkStep(state: Connectivity, event: ConnectivityEvent, context: ConnectivityContext): void {
  const [next, ...effects] = step(state, event, context);
  const names = effects.map(({ type }) => type);
  const say = (text: string): string => `${text}: ${JSON.stringify({ state, event, next, effects })}`;
  const must = (holds: boolean, text: string): void => {
    if (!holds) throw new Error(say(text));
  };
  const has = (name: ConnectivityEffect['type']): boolean => names.includes(name);
  must(new Set(names).size === names.length, 'an effect twice');
  // Seats: the effects turn what there was into what there is.
  const hadLink = state.candidate !== 'none' && !(state.candidate === 'draining' && state.single);
  const hasLink = next.candidate !== 'none' && !(next.candidate === 'draining' && next.single);
  if (!has('open') && !has('promote') && !has('dropCandidate')) must(hadLink === hasLink, 'a candidate came or went without a word');
  if (has('open')) must(next.candidate === 'opening' && (!hadLink || has('dropCandidate')), 'opened over a candidate');
  if (has('promote')) must(hadLink && next.candidate === 'none' && next.hasCurrent, 'promoted nothing');
  if (has('dropCandidate')) must(state.candidate !== 'none' && (next.candidate === 'none' || has('open')), 'dropped nothing');
  if (has('connect')) must(next.candidate === 'connecting', 'CONNECT without waiting for its answer');
  if (state.hasCurrent && !next.hasCurrent) must(has('dropCurrent') || event.type === 'currentLost', 'the current connection went without a word');
  if (!state.hasCurrent && next.hasCurrent) must(has('promote'), 'a current connection out of nowhere');
  if (has('dropCurrent')) must(state.hasCurrent && !next.hasCurrent, 'dropped no current connection');
  // Sending: paused exactly while draining or connecting beside a current connection.
  const wasPaused = state.hasCurrent && (state.candidate === 'draining' || state.candidate === 'connecting');
  const isPaused = next.hasCurrent && (next.candidate === 'draining' || next.candidate === 'connecting');
  if (has('pause')) must(!wasPaused && (isPaused || has('dropCurrent')), 'paused what was paused, or for nothing');
  if (!wasPaused && isPaused) must(has('pause'), 'not paused');
  if (wasPaused && !isPaused) must(has('resume') || has('promote') || has('dropCurrent') || event.type === 'currentLost', 'paused for ever');
  if (has('resume')) must(wasPaused && !isPaused && next.hasCurrent, 'resumed what was not paused');
  // Time: something moves the machine, or what it waits for is known.
  const wakeAt = wakeAtOf(next);
  must(!Number.isNaN(wakeAt), 'wakeAt is no number');
  if (!next.running) must(wakeAt === Infinity && next.candidate === 'none' && !next.hasCurrent, 'stopped but busy');
  if (next.candidate !== 'none') must(wakeAt !== Infinity, 'a candidate that nothing ends');
  const waits = !next.clockKnown || next.resynchronising || !context.tokenReady || state === next;
  if (next.running && !waits) must(wakeAt !== Infinity, 'nothing moves the machine');
  if (has('open') || has('connect')) must(next.running, 'busy though stopped');
  if (has('open')) must(next.clockKnown || state.candidate === 'draining', 'TLS without a clock');
}
