import { backoffMs, probeMs, uniform } from './backoff.ts';
import * as limits from './limits.ts';

/**
 * The connection machine: when to open, to CONNECT, to renew, to give up. Pure; times are monotonic milliseconds.
 *
 * There are two seats. *Current* is a connection that the hub accepted. *Candidate* is the next one: it is opened
 * (TCP, TLS) while the current one works, takes over at its CONNACK, and only then is the current one closed
 * (docs/architecture.md, renewal). A first connection is a candidate with an empty current seat.
 */
export type Candidate =
  | 'none'
  /** DNS, TCP and TLS under way. */
  | 'opening'
  /** TLS is up, CONNECT not sent. */
  | 'ready'
  /** Sending on the current connection has paused; its window empties. */
  | 'draining'
  /** CONNECT sent; the current connection, if any, is paused. */
  | 'connecting'
  /** No CONNACK in time: the current connection is used again meanwhile. */
  | 'overdue';

export interface Connectivity {
  readonly running: boolean;
  /** False while the clock is below its floor: no TLS then. */
  readonly clockKnown: boolean;
  readonly hasCurrent: boolean;
  readonly acceptedAtMs: number;
  /** When the current connection's token ends. */
  readonly tokenEndsMs: number;
  readonly candidate: Candidate;
  /** When the next candidate is opened; Infinity: nothing planned. */
  readonly openAtMs: number;
  /** The candidate's CONNECT does not leave before this. */
  readonly connectAtMs: number;
  /** When the candidate's present phase ends by itself. */
  readonly deadlineMs: number;
  /** In `connecting`: when the current connection is used again. */
  readonly patienceEndsMs: number;
  /** Draining in order to close the current connection before the next is opened: memory holds one session only. */
  readonly single: boolean;
  /** Connections in a row that were lost or never came up. */
  readonly networkFailures: number;
  /** The same for renewals beside a connection that works. */
  readonly renewalFailures: number;
  readonly refusals: number;
  /** A refusal waits for the clock to be checked. */
  readonly resynchronising: boolean;
  /** Index into the credential's keys. */
  readonly keyIndex: number;
  /** How long DNS, TCP and TLS took last. */
  readonly lastOpenMs: number;
}

export type ConnectivityEvent =
  | { readonly type: 'started' }
  | { readonly type: 'stopped' }
  | { readonly type: 'clockKnown' }
  | { readonly type: 'clockUnknown' }
  | { readonly type: 'woke' }
  | { readonly type: 'opened'; readonly tookMs: number }
  | { readonly type: 'drained' }
  | { readonly type: 'accepted'; readonly signedAtMs: number; readonly tokenEndsMs: number }
  | { readonly type: 'refused'; readonly returnCode: number }
  | { readonly type: 'candidateLost' }
  | { readonly type: 'currentLost' }
  | { readonly type: 'resynchronised' }
  /** The wall clock was slow by `offMs` and has been set: the token ends that much sooner. */
  | { readonly type: 'clockMoved'; readonly offMs: number }
  | { readonly type: 'tokenSupplied' }
  /** Trust anchors have come that the failures so far say nothing about. */
  | { readonly type: 'trustRenewed' }
  /** The candidate's way leads over the provisioning service, or comes from there: it may take until then. `afresh`: to a hub that has refused nothing yet. */
  | { readonly type: 'held'; readonly untilMs: number; readonly afresh: boolean }
  /** The provisioning service said no for good; `checkClock`: to the token. */
  | { readonly type: 'registrationRefused'; readonly checkClock: boolean };

/** `late`: not open, or no CONNACK, in time. */
export type DropReason = 'lost' | 'late' | 'refused' | 'stopped';

export type ConnectivityEffect =
  | { readonly type: 'open' }
  | { readonly type: 'connect'; readonly keyIndex: number }
  /** Stop and start sending on the current connection. */
  | { readonly type: 'pause' }
  | { readonly type: 'resume' }
  /** The candidate becomes the current connection; the older one gets DISCONNECT and is closed. */
  | { readonly type: 'promote' }
  | { readonly type: 'dropCandidate'; readonly reason: DropReason }
  | { readonly type: 'dropCurrent'; readonly reason: 'token-ended' | 'renewal' | 'stopped' }
  | { readonly type: 'resynchronise' }
  /** A ready-made token ends; the application must give the next one. */
  | { readonly type: 'askToken' };

export interface ConnectivityContext {
  readonly nowMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly keyCount: number;
  /** A token can be signed, or an unused ready-made one is there. */
  readonly tokenReady: boolean;
  /** Nothing unacknowledged in either direction. */
  readonly idle: boolean;
  /** Memory holds a second TLS session. */
  readonly roomForTwo: boolean;
  readonly roundTripMs: number;
}

/** A connection that lived this long was no failure. */
const STABLE_AFTER_MS = 10_000;
/** CONNACK: server unavailable; the credential was not judged. */
const SERVER_UNAVAILABLE = 3;

type Step = readonly [Connectivity, ...ConnectivityEffect[]];

export const initialConnectivity: Connectivity = {
  running: false,
  clockKnown: false,
  hasCurrent: false,
  acceptedAtMs: 0,
  tokenEndsMs: Infinity,
  candidate: 'none',
  openAtMs: Infinity,
  connectAtMs: 0,
  deadlineMs: Infinity,
  patienceEndsMs: Infinity,
  single: false,
  networkFailures: 0,
  renewalFailures: 0,
  refusals: 0,
  resynchronising: false,
  keyIndex: 0,
  lastOpenMs: limits.FIRST_OPEN_MS,
};

/** The moment of the next `woke`; Infinity when only an outside event moves the machine. */
export function wakeAtOf(state: Connectivity): number {
  if (!state.running) return Infinity;
  let wakeAt = state.hasCurrent ? state.tokenEndsMs : Infinity;
  if (state.candidate === 'none') return state.clockKnown ? Math.min(wakeAt, state.openAtMs) : wakeAt;
  wakeAt = Math.min(wakeAt, state.deadlineMs);
  if (state.candidate === 'ready') return Math.min(wakeAt, state.connectAtMs);
  if (state.candidate === 'connecting') return Math.min(wakeAt, state.patienceEndsMs);
  return wakeAt;
}

/** One step; an event that means nothing in this state changes nothing. */
export function step(state: Connectivity, event: ConnectivityEvent, context: ConnectivityContext): Step {
  switch (event.type) {
    case 'started':
      return state.running ? [state] : woke({ ...initialConnectivity, running: true, clockKnown: state.clockKnown, openAtMs: context.nowMs }, context);
    case 'stopped':
      return stopped(state);
    case 'clockKnown':
      return woke({ ...state, clockKnown: true }, context);
    case 'clockUnknown':
      return [{ ...state, clockKnown: false }];
    case 'woke':
      return woke(state, context);
    case 'opened':
      if (state.candidate !== 'opening') return [state];
      return woke({ ...state, candidate: 'ready', deadlineMs: Infinity, lastOpenMs: event.tookMs }, context);
    case 'drained':
      return state.candidate === 'draining' ? drained(state, context) : [state];
    case 'accepted':
      return accepted(state, event.signedAtMs, event.tokenEndsMs, context);
    case 'refused':
      return refused(state, event.returnCode, context);
    case 'candidateLost':
      return state.candidate === 'none' ? [state] : lostCandidate(state, 'lost', context);
    case 'currentLost':
      return state.hasCurrent ? currentLost(state, context) : [state];
    case 'resynchronised':
      if (!state.resynchronising) return [state];
      return [{ ...state, resynchronising: false, openAtMs: context.nowMs + retryMs(context) }];
    case 'clockMoved':
      return clockMoved(state, event.offMs, context);
    case 'tokenSupplied':
      return state.running ? tokenSupplied(state, context) : [state];
    case 'trustRenewed':
      // A refusal by the hub waits as it would have.
      if (state.hasCurrent || state.refusals > 0 || state.openAtMs === Infinity) return [state];
      return woke({ ...state, openAtMs: Math.min(state.openAtMs, context.nowMs) }, context);
    case 'held':
      if (state.candidate !== 'opening') return [state];
      return [{ ...state, deadlineMs: event.untilMs, ...(event.afresh && { refusals: 0, networkFailures: 0, keyIndex: 0 }) }];
    case 'registrationRefused':
      return state.candidate === 'opening' ? registrationRefused(state, event.checkClock, context) : [state];
  }
}

function stopped(state: Connectivity): Step {
  const effects: ConnectivityEffect[] = [];
  if (state.candidate !== 'none') effects.push({ type: 'dropCandidate', reason: 'stopped' });
  if (state.hasCurrent) effects.push({ type: 'dropCurrent', reason: 'stopped' });
  return [{ ...initialConnectivity, clockKnown: state.clockKnown }, ...effects];
}

/** Time has passed, or something has made the next move possible. */
function woke(state: Connectivity, context: ConnectivityContext): Step {
  const { nowMs } = context;
  if (!state.running) return [state];
  if (state.hasCurrent && nowMs >= state.tokenEndsMs) return tokenEnded(state, context);
  switch (state.candidate) {
    case 'none':
      return nowMs >= state.openAtMs && state.clockKnown ? open(state, context) : [state];
    case 'opening':
      return nowMs >= state.deadlineMs ? lostCandidate(state, 'late', context) : [state];
    case 'ready':
      if (!state.hasCurrent) return connect(state, context);
      return nowMs >= state.connectAtMs ? drain(state, context) : [state];
    case 'draining':
      return nowMs >= state.deadlineMs ? drained(state, context) : [state];
    case 'connecting':
      if (nowMs >= state.deadlineMs) return lostCandidate(state, 'late', context);
      if (nowMs < state.patienceEndsMs) return [state];
      return [{ ...state, candidate: 'overdue', patienceEndsMs: Infinity }, { type: 'resume' }];
    case 'overdue':
      return nowMs >= state.deadlineMs ? lostCandidate(state, 'late', context) : [state];
  }
}

/** Used at once; after a refusal as late as any other CONNECT, for nobody has judged the new token yet. */
function tokenSupplied(state: Connectivity, context: ConnectivityContext): Step {
  let waitMs = 0;
  if (state.refusals >= limits.MAX_REFUSED_CONNECTS) waitMs = probeMs(0, context.random(), limits.PROBE_FIRST_MS, limits.PROBE_CAP_MS);
  else if (state.refusals > 0) waitMs = retryMs(context);
  return woke({ ...state, openAtMs: Math.min(state.openAtMs, context.nowMs + waitMs), connectAtMs: context.nowMs }, context);
}

function clockMoved(state: Connectivity, offMs: number, context: ConnectivityContext): Step {
  if (!state.hasCurrent) return [state];
  const planned = state.refusals === 0 && state.candidate === 'none';
  const moved: Connectivity = {
    ...state,
    tokenEndsMs: state.tokenEndsMs - offMs,
    connectAtMs: state.connectAtMs - offMs,
    openAtMs: planned ? state.openAtMs - offMs : state.openAtMs,
  };
  return woke(moved, context);
}

function open(state: Connectivity, context: ConnectivityContext): Step {
  if (!context.tokenReady) return [{ ...state, openAtMs: Infinity }, { type: 'askToken' }];
  if (state.hasCurrent && !context.roomForTwo) {
    // Break before make: at the moment of the CONNECT, not earlier.
    if (context.nowMs < state.connectAtMs) return [{ ...state, openAtMs: state.connectAtMs }];
    return drain({ ...state, single: true }, context);
  }
  return [opening(state, context), { type: 'open' }];
}

function opening(state: Connectivity, context: ConnectivityContext): Connectivity {
  return { ...state, candidate: 'opening', openAtMs: Infinity, deadlineMs: context.nowMs + limits.OPEN_TIMEOUT_MS, single: false };
}

function drain(state: Connectivity, context: ConnectivityContext): Step {
  const deadlineMs = context.nowMs + context.roundTripMs + limits.DRAIN_MARGIN_MS;
  const draining: Connectivity = { ...state, candidate: 'draining', openAtMs: Infinity, deadlineMs };
  if (!context.idle) return [draining, { type: 'pause' }];
  const [next, ...effects] = drained(draining, context);
  return [next, { type: 'pause' }, ...effects];
}

function drained(state: Connectivity, context: ConnectivityContext): Step {
  if (!state.single) return connect(state, context);
  const alone = { ...opening(state, context), hasCurrent: false, tokenEndsMs: Infinity, networkFailures: failuresSince(state, context) };
  return [alone, { type: 'dropCurrent', reason: 'renewal' }, { type: 'open' }];
}

function connect(state: Connectivity, context: ConnectivityContext): Step {
  const { nowMs } = context;
  const patienceMs = Math.min(limits.CONNACK_PATIENCE_MS, (state.tokenEndsMs - nowMs) / 3);
  const next: Connectivity = {
    ...state,
    candidate: 'connecting',
    openAtMs: Infinity,
    patienceEndsMs: state.hasCurrent ? nowMs + patienceMs : Infinity,
    deadlineMs: nowMs + limits.CONNACK_TIMEOUT_MS,
  };
  return [next, { type: 'connect', keyIndex: state.keyIndex }];
}

function accepted(state: Connectivity, signedAtMs: number, tokenEndsMs: number, context: ConnectivityContext): Step {
  if (state.candidate !== 'connecting' && state.candidate !== 'overdue') return [state];
  const lifeMs = tokenEndsMs - signedAtMs;
  const connectAtMs = signedAtMs + lifeMs * uniform(limits.RENEW_FROM, limits.RENEW_TO, context.random());
  const leadMs = state.lastOpenMs * limits.PREPARE_FACTOR + limits.PREPARE_MARGIN_MS;
  const next: Connectivity = {
    ...state,
    hasCurrent: true,
    acceptedAtMs: context.nowMs,
    tokenEndsMs,
    candidate: 'none',
    openAtMs: Math.max(context.nowMs, connectAtMs - leadMs),
    connectAtMs,
    deadlineMs: Infinity,
    patienceEndsMs: Infinity,
    // A renewal beside a working connection says that network and hub are well.
    networkFailures: state.hasCurrent ? 0 : state.networkFailures,
    renewalFailures: 0,
    refusals: 0,
    resynchronising: false,
  };
  return [next, { type: 'promote' }];
}

/** Ends the candidate; the current connection, if it was paused, is used again. */
function withoutCandidate(state: Connectivity, reason: DropReason): Step {
  const paused = state.hasCurrent && (state.candidate === 'draining' || state.candidate === 'connecting');
  const next: Connectivity = { ...state, candidate: 'none', deadlineMs: Infinity, patienceEndsMs: Infinity, single: false };
  return paused ? [next, { type: 'dropCandidate', reason }, { type: 'resume' }] : [next, { type: 'dropCandidate', reason }];
}

function lostCandidate(state: Connectivity, reason: DropReason, context: ConnectivityContext): Step {
  const [next, ...effects] = withoutCandidate(state, reason);
  const { hasCurrent, networkFailures, renewalFailures } = state;
  // What was lost before the current connection came says nothing of the network now.
  const failures = hasCurrent ? renewalFailures : networkFailures;
  const openAtMs = context.nowMs + backoffMs(failures, context.random(), limits.NETWORK_BACKOFF);
  const counted = hasCurrent ? { renewalFailures: failures + 1 } : { networkFailures: failures + 1 };
  return [{ ...next, ...counted, openAtMs }, ...effects];
}

function refused(state: Connectivity, returnCode: number, context: ConnectivityContext): Step {
  if (state.candidate !== 'connecting' && state.candidate !== 'overdue') return [state];
  if (returnCode === SERVER_UNAVAILABLE) return lostCandidate(state, 'refused', context);
  return credentialRefused(state, context);
}

/** Like a hub's refusal; where the credential is not what was refused, there is nothing to try at once. */
function registrationRefused(state: Connectivity, checkClock: boolean, context: ConnectivityContext): Step {
  if (checkClock) return credentialRefused(state, context);
  const [next, ...effects] = withoutCandidate(state, 'refused');
  const waitMs = probeMs(state.refusals, context.random(), limits.PROBE_FIRST_MS, limits.PROBE_CAP_MS);
  return [{ ...next, refusals: state.refusals + 1, openAtMs: context.nowMs + waitMs }, ...effects];
}

function credentialRefused(state: Connectivity, context: ConnectivityContext): Step {
  const [next, ...effects] = withoutCandidate(state, 'refused');
  const refusals = state.refusals + 1;
  const before = { ...next, refusals };
  if (refusals === 1) {
    return [{ ...before, resynchronising: true, openAtMs: Infinity }, ...effects, { type: 'resynchronise' }];
  }
  const keyIndex = (state.keyIndex + 1) % context.keyCount;
  const quick = quickConnects(context.keyCount);
  if (refusals < quick) return [{ ...before, keyIndex, openAtMs: context.nowMs + retryMs(context) }, ...effects];
  const waitMs = probeMs(refusals - quick, context.random(), limits.PROBE_FIRST_MS, limits.PROBE_CAP_MS);
  return [{ ...before, keyIndex, openAtMs: context.nowMs + waitMs }, ...effects, { type: 'resynchronise' }];
}

/** CONNECTs in a row that may be refused before the slow probe. */
export function quickConnects(keyCount: number): number {
  return keyCount > 1 ? limits.MAX_REFUSED_CONNECTS : limits.MAX_REFUSED_CONNECTS - 1;
}

function tokenEnded(state: Connectivity, context: ConnectivityContext): Step {
  const [next, ...effects] = currentLost(state, context);
  return [next, { type: 'dropCurrent', reason: 'token-ended' }, ...effects];
}

/** The candidate, if there is one, goes ahead at once; otherwise a new one is opened after a jittered wait. */
function currentLost(state: Connectivity, context: ConnectivityContext): Step {
  const { nowMs } = context;
  const alone: Connectivity = { ...state, hasCurrent: false, tokenEndsMs: Infinity, patienceEndsMs: Infinity };
  switch (state.candidate) {
    case 'ready':
      return connect(alone, context);
    case 'draining':
      if (!state.single) return connect(alone, context);
      return [{ ...opening(alone, context), networkFailures: failuresSince(state, context) }, { type: 'open' }];
    case 'opening':
    case 'connecting':
    case 'overdue':
      return [alone];
    case 'none': {
      // After a refusal the probe goes on as planned, also without a connection.
      if (state.refusals > 0 && (state.resynchronising || state.openAtMs !== Infinity)) return [alone];
      const failures = failuresSince(state, context);
      const openAtMs = nowMs + backoffMs(failures, context.random(), limits.NETWORK_BACKOFF);
      return [{ ...alone, networkFailures: failures + 1, openAtMs }];
    }
  }
}

/** A connection that lasted says that the network was well. */
function failuresSince({ acceptedAtMs, networkFailures }: Connectivity, { nowMs }: ConnectivityContext): number {
  return nowMs - acceptedAtMs >= STABLE_AFTER_MS ? 0 : networkFailures;
}

function retryMs(context: ConnectivityContext): number {
  return uniform(limits.REFUSED_RETRY_FROM_MS, limits.REFUSED_RETRY_TO_MS, context.random());
}
