import { backoffMs } from '../backoff.ts';
import type { TwinRequestKind } from '../events.ts';
import { TWIN_BACKOFF, TWIN_TIMEOUT_MS } from '../limits.ts';

/**
 * When the twin is read and when reported properties are sent. Pure; times are monotonic milliseconds.
 *
 * Desired patches come in the order of their versions. One that is not the next of what the application has seen means
 * that something is missing: then the twin is read. It is read on every new connection, too, for a patch may have been lost
 * with the old one; the application hears of it only when the version differs. While it is being read no patch is applied.
 */
export interface TwinState {
  /** The hub's answers are subscribed to on the current connection. */
  readonly online: boolean;
  /** Of the desired properties that the application has seen; `undefined` before the first. */
  readonly version: number | undefined;
  /** The highest version that a patch had which was not applied. */
  readonly announced: number;
  readonly get: TwinRequest;
  readonly report: TwinRequest;
}

/** At most one of each kind is on its way. */
export interface TwinRequest {
  /** `due`: is sent once there is room, from `atMs` on; `asked`: is given up at `atMs`. */
  readonly phase: 'none' | 'due' | 'asked';
  readonly requestId: string;
  readonly atMs: number;
  /** In a row. */
  readonly failures: number;
}

export type TwinStateEvent =
  | { readonly type: 'online'; readonly wantsTwin: boolean; readonly hasReport: boolean }
  | { readonly type: 'offline' }
  /** The next connection goes to another hub. */
  | { readonly type: 'hubMoved' }
  /** There is something to report. */
  | { readonly type: 'reportQueued' }
  /** The connection takes a request now. */
  | { readonly type: 'room'; readonly requestId: string }
  | { readonly type: 'woke' }
  /** The patch that `isNextPatch` let in has been read. */
  | { readonly type: 'patchRead'; readonly version: number }
  /** A patch passed by unread, or could not be read. */
  | { readonly type: 'patchMissed'; readonly version: number }
  | { readonly type: 'twinRead'; readonly version: number }
  /** The twin came and could not be read. */
  | { readonly type: 'twinUnreadable' }
  /** An answer other than a twin that is read. */
  | { readonly type: 'answered'; readonly request: TwinRequestKind; readonly status: number; readonly version: number | undefined };

export type TwinEffect =
  | { readonly type: 'send'; readonly request: TwinRequestKind; readonly requestId: string }
  /** What has just been read goes to the application. */
  | { readonly type: 'deliver' }
  /** The hub has the patch that was sent. */
  | { readonly type: 'reported'; readonly version: number | undefined }
  /** The patch that was sent must be sent again, before what has come since. */
  | { readonly type: 'restoreReport' }
  | { readonly type: 'refused'; readonly request: TwinRequestKind; readonly status: number }
  | { readonly type: 'delayed'; readonly request: TwinRequestKind; readonly status: number | undefined; readonly retryMs: number };

export interface TwinContext {
  readonly nowMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** A patch waits that was not sent. */
  readonly hasReport: boolean;
}

/** Readings in a row that may give an older twin than a patch announced. */
const MAX_READINGS_BEHIND = 3;

type Step = readonly [TwinState, ...TwinEffect[]];

const NONE: TwinRequest = { phase: 'none', requestId: '', atMs: Infinity, failures: 0 };

export const initialTwin: TwinState = { online: false, version: undefined, announced: 0, get: NONE, report: NONE };

/** When `woke` or `room` has something to do; Infinity when nothing. */
export function twinWakeAtOf({ get, report }: TwinState): number {
  return Math.min(get.atMs, report.atMs);
}

/** Whether the desired patch with `version` can be applied to what the application has. */
export function isNextPatch({ get, version: known }: TwinState, version: number): boolean {
  return get.phase === 'none' && known !== undefined && version === known + 1;
}

/** One step; an event that means nothing in this state changes nothing. */
export function stepTwin(state: TwinState, event: TwinStateEvent, context: TwinContext): Step {
  switch (event.type) {
    case 'online':
      // What was announced on an older connection is in what is read now, or belonged to a twin that has been made anew since.
      return [{ ...state, online: true, announced: 0, get: event.wantsTwin ? due(context.nowMs) : NONE, report: event.hasReport ? due(context.nowMs) : NONE }];
    case 'offline': {
      const next: TwinState = { ...state, online: false, get: NONE, report: NONE };
      return state.report.phase === 'asked' ? [next, { type: 'restoreReport' }] : [next];
    }
    case 'reportQueued':
      return state.online && state.report.phase === 'none' ? [{ ...state, report: due(context.nowMs) }] : [state];
    case 'hubMoved':
      return [{ ...state, version: undefined, announced: 0 }];
    case 'room':
      return sent(state, event.requestId, context);
    case 'woke':
      return timedOut(state, context);
    case 'patchRead':
      return isNextPatch(state, event.version) ? [{ ...state, version: event.version }, { type: 'deliver' }] : [state];
    case 'patchMissed':
      return patchMissed(state, event.version, context);
    case 'twinRead':
      return twinRead(state, event.version, context);
    case 'twinUnreadable':
      return state.get.phase === 'asked' ? repeatGet(state, undefined, context) : [state];
    case 'answered':
      return answered(state, event.request, event.status, event.version, context);
  }
}

/** One request at a time: the caller asks for room again. */
function sent(state: TwinState, requestId: string, { nowMs }: TwinContext): Step {
  if (!state.online) return [state];
  const asked = (request: TwinRequest): TwinRequest => ({ ...request, phase: 'asked', requestId, atMs: nowMs + TWIN_TIMEOUT_MS });
  const { get, report } = state;
  if (isDue(get, nowMs)) return [{ ...state, get: asked(get) }, { type: 'send', request: 'get', requestId }];
  if (isDue(report, nowMs)) return [{ ...state, report: asked(report) }, { type: 'send', request: 'report', requestId }];
  return [state];
}

function timedOut(state: TwinState, context: TwinContext): Step {
  const { nowMs } = context;
  const isLate = ({ phase, atMs }: TwinRequest): boolean => phase === 'asked' && nowMs >= atMs;
  const first: Step = isLate(state.get) ? repeatGet(state, undefined, context) : [state];
  if (!isLate(state.report)) return first;
  const [between, ...effects] = first;
  const [next, ...more] = repeatReport(between, undefined, context);
  return [next, ...effects, ...more];
}

function patchMissed(state: TwinState, version: number, { nowMs }: TwinContext): Step {
  if (state.version !== undefined && version <= state.version) return [state];
  const announced = Math.max(state.announced, version);
  // A twin that is on its way may be older than this patch: `twinRead` looks.
  return [{ ...state, announced, get: state.get.phase === 'none' && state.online ? due(nowMs) : state.get }];
}

function twinRead(state: TwinState, version: number, context: TwinContext): Step {
  if (state.get.phase !== 'asked') return [state];
  const read: TwinState = { ...state, version, get: NONE };
  const effects: TwinEffect[] = version === state.version ? [] : [{ type: 'deliver' }];
  const failures = state.get.failures + 1;
  // A patch that came meanwhile is newer: the twin is read again. But what it says time and again is the truth.
  if (version >= state.announced || failures > MAX_READINGS_BEHIND) return [{ ...read, announced: 0 }, ...effects];
  const waitMs = failures === 1 ? 0 : backoffMs(failures, context.random(), TWIN_BACKOFF);
  return [{ ...read, get: { ...due(context.nowMs + waitMs), failures } }, ...effects];
}

function answered(state: TwinState, request: TwinRequestKind, status: number, version: number | undefined, context: TwinContext): Step {
  if (state[request].phase !== 'asked') return [state];
  const isGet = request === 'get';
  // The twin itself comes with 200 and is read elsewhere.
  if (isRetried(status) || (isGet && status < 300)) return isGet ? repeatGet(state, status, context) : repeatReport(state, status, context);
  if (isGet) return [{ ...state, get: NONE }, { type: 'refused', request, status }];
  const next: TwinState = { ...state, report: context.hasReport ? due(context.nowMs) : NONE };
  return [next, status < 300 ? { type: 'reported', version } : { type: 'refused', request, status }];
}

function repeatGet(state: TwinState, status: number | undefined, context: TwinContext): Step {
  const { request, retryMs } = later(state.get, context);
  return [{ ...state, get: request }, { type: 'delayed', request: 'get', status, retryMs }];
}

function repeatReport(state: TwinState, status: number | undefined, context: TwinContext): Step {
  const { request, retryMs } = later(state.report, context);
  return [{ ...state, report: request }, { type: 'restoreReport' }, { type: 'delayed', request: 'report', status, retryMs }];
}

function later({ failures }: TwinRequest, { nowMs, random }: TwinContext): { readonly request: TwinRequest; readonly retryMs: number } {
  const retryMs = Math.round(backoffMs(failures, random(), TWIN_BACKOFF));
  return { request: { ...due(nowMs + retryMs), failures: failures + 1 }, retryMs };
}

/** Throttled, too slow, or broken: later it may succeed. An answer that MQTT has no meaning for (1xx, 3xx) is a broken hub. */
function isRetried(status: number): boolean {
  return status < 200 || (status >= 300 && status < 400) || status === 408 || status === 429 || status >= 500;
}

function isDue({ phase, atMs }: TwinRequest, nowMs: number): boolean {
  return phase === 'due' && nowMs >= atMs;
}

function due(atMs: number): TwinRequest {
  return { phase: 'due', requestId: '', atMs, failures: 0 };
}
