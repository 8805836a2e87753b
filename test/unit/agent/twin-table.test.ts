import { describe, expect, test } from '@jest/globals';

import { initialTwin, isNextPatch, stepTwin, twinWakeAtOf, type TwinContext, type TwinRequest, type TwinState, type TwinStateEvent } from '../../../firmware/agent/twin/twin-state.ts';

const NOW_MS = 1000;
const TIMEOUT_MS = 30_000;
/** What the machine is told; half of the range is drawn. */
const context: TwinContext = { nowMs: NOW_MS, random: () => 0.5, hasReport: false };

const NONE: TwinRequest = { phase: 'none', requestId: '', atMs: Infinity, failures: 0 };
const due = (atMs = NOW_MS, failures = 0): TwinRequest => ({ phase: 'due', requestId: '', atMs, failures });
const asked = (requestId = 'r', atMs = NOW_MS + TIMEOUT_MS, failures = 0): TwinRequest => ({ phase: 'asked', requestId, atMs, failures });
const online = (parts: Partial<TwinState> = {}): TwinState => ({ ...initialTwin, online: true, version: 5, ...parts });

/** `backoffMs` of attempt n with half of the range: 1 s and half of what doubles from 2 s above it. */
const RETRY_MS = [1500, 2500, 4500];

interface Row {
  readonly name: string;
  readonly state: TwinState;
  readonly event: TwinStateEvent;
  readonly context?: Partial<TwinContext>;
  readonly next: TwinState;
  readonly effects: readonly unknown[];
}

const answered = (request: 'get' | 'report', status: number, version?: number): TwinStateEvent => ({ type: 'answered', request, status, version });

const rows: readonly Row[] = [
  { name: 'online asks for the twin', state: initialTwin, event: { type: 'online', wantsTwin: true, hasReport: false }, next: { ...initialTwin, online: true, get: due() }, effects: [] },
  { name: 'online sends what waits', state: initialTwin, event: { type: 'online', wantsTwin: false, hasReport: true }, next: { ...initialTwin, online: true, report: due() }, effects: [] },
  { name: 'online forgets failures of the connection before', state: online({ get: due(NOW_MS, 3) }), event: { type: 'online', wantsTwin: true, hasReport: false }, next: online({ get: due() }), effects: [] },
  { name: 'online forgets what was announced on the connection before', state: online({ announced: 40 }), event: { type: 'online', wantsTwin: true, hasReport: false }, next: online({ get: due() }), effects: [] },
  { name: 'offline keeps the version, and restores the report on its way', state: online({ get: asked(), report: asked() }), event: { type: 'offline' }, next: { ...online(), online: false }, effects: [{ type: 'restoreReport' }] },
  { name: 'offline with a report that waits restores nothing', state: online({ report: due() }), event: { type: 'offline' }, next: { ...online(), online: false }, effects: [] },
  { name: 'another hub has versions of its own', state: online({ announced: 9 }), event: { type: 'hubMoved' }, next: online({ version: undefined }), effects: [] },
  { name: 'a report is due at once', state: online(), event: { type: 'reportQueued' }, next: online({ report: due() }), effects: [] },
  { name: 'a report waits for the one on its way', state: online({ report: asked() }), event: { type: 'reportQueued' }, next: online({ report: asked() }), effects: [] },
  { name: 'a report waits for its back-off', state: online({ report: due(9000, 1) }), event: { type: 'reportQueued' }, next: online({ report: due(9000, 1) }), effects: [] },
  { name: 'a report waits for the connection', state: initialTwin, event: { type: 'reportQueued' }, next: initialTwin, effects: [] },

  { name: 'room goes to the reading first', state: online({ get: due(), report: due() }), event: { type: 'room', requestId: 'a' }, next: online({ get: asked('a'), report: due() }), effects: [{ type: 'send', request: 'get', requestId: 'a' }] },
  { name: 'room goes to the report then', state: online({ get: asked('a'), report: due() }), event: { type: 'room', requestId: 'b' }, next: online({ get: asked('a'), report: asked('b') }), effects: [{ type: 'send', request: 'report', requestId: 'b' }] },
  { name: 'room is no use before its time', state: online({ get: due(NOW_MS + 1) }), event: { type: 'room', requestId: 'a' }, next: online({ get: due(NOW_MS + 1) }), effects: [] },
  { name: 'room is no use offline', state: { ...initialTwin, get: due() }, event: { type: 'room', requestId: 'a' }, next: { ...initialTwin, get: due() }, effects: [] },

  { name: 'the next patch is given', state: online(), event: { type: 'patchRead', version: 6 }, next: online({ version: 6 }), effects: [{ type: 'deliver' }] },
  { name: 'a patch that skips one is not', state: online(), event: { type: 'patchRead', version: 7 }, next: online(), effects: [] },
  { name: 'a patch while the twin is read is not', state: online({ get: asked() }), event: { type: 'patchRead', version: 6 }, next: online({ get: asked() }), effects: [] },
  { name: 'a patch before the first reading is not', state: online({ version: undefined }), event: { type: 'patchRead', version: 1 }, next: online({ version: undefined }), effects: [] },
  { name: 'a patch that skips one asks for the twin', state: online(), event: { type: 'patchMissed', version: 8 }, next: online({ announced: 8, get: due() }), effects: [] },
  { name: 'an old patch asks for nothing', state: online(), event: { type: 'patchMissed', version: 5 }, next: online(), effects: [] },
  { name: 'a patch while the twin is read is remembered', state: online({ get: asked(), announced: 9 }), event: { type: 'patchMissed', version: 7 }, next: online({ get: asked(), announced: 9 }), effects: [] },
  { name: 'a patch does not shorten a back-off', state: online({ get: due(9000, 2) }), event: { type: 'patchMissed', version: 7 }, next: online({ get: due(9000, 2), announced: 7 }), effects: [] },

  { name: 'a newer twin is given', state: online({ get: asked() }), event: { type: 'twinRead', version: 8 }, next: online({ version: 8 }), effects: [{ type: 'deliver' }] },
  { name: 'the same twin is not', state: online({ get: asked() }), event: { type: 'twinRead', version: 5 }, next: online(), effects: [] },
  { name: 'a twin made anew is given', state: online({ get: asked() }), event: { type: 'twinRead', version: 1 }, next: online({ version: 1 }), effects: [{ type: 'deliver' }] },
  { name: 'a twin older than a patch is given and read again at once', state: online({ get: asked(), announced: 9 }), event: { type: 'twinRead', version: 8 }, next: online({ version: 8, announced: 9, get: due(NOW_MS, 1) }), effects: [{ type: 'deliver' }] },
  { name: 'the second time only after a while', state: online({ get: asked('r', 0, 1), announced: 9 }), event: { type: 'twinRead', version: 5 }, next: online({ announced: 9, get: due(NOW_MS + RETRY_MS[2]!, 2) }), effects: [] },
  { name: 'the fourth time in a row it is believed', state: online({ get: asked('r', 0, 3), announced: 9 }), event: { type: 'twinRead', version: 5 }, next: online(), effects: [] },
  { name: 'a twin that reaches what was announced ends it', state: online({ get: asked(), announced: 9 }), event: { type: 'twinRead', version: 9 }, next: online({ version: 9 }), effects: [{ type: 'deliver' }] },
  { name: 'a twin that nobody asked for is none', state: online(), event: { type: 'twinRead', version: 9 }, next: online(), effects: [] },
  { name: 'an unreadable twin is asked for later', state: online({ get: asked() }), event: { type: 'twinUnreadable' }, next: online({ get: due(NOW_MS + RETRY_MS[0]!, 1) }), effects: [{ type: 'delayed', request: 'get', status: undefined, retryMs: RETRY_MS[0] }] },

  { name: 'a report that is taken is said with its version', state: online({ report: asked() }), event: answered('report', 204, 3), next: online(), effects: [{ type: 'reported', version: 3 }] },
  { name: 'and the next one is due', state: online({ report: asked() }), event: answered('report', 204, 3), context: { hasReport: true }, next: online({ report: due() }), effects: [{ type: 'reported', version: 3 }] },
  ...[400, 401, 403, 404, 412, 413, 499].map((status): Row => ({ name: `a report refused with ${status} is not repeated`, state: online({ report: asked() }), event: answered('report', status), next: online(), effects: [{ type: 'refused', request: 'report', status }] })),
  ...[0, 100, 199, 300, 399, 408, 429, 500, 503, 599].map((status): Row => ({
    name: `a report answered with ${status} is repeated`,
    state: online({ report: asked() }),
    event: answered('report', status),
    next: online({ report: due(NOW_MS + RETRY_MS[0]!, 1) }),
    effects: [{ type: 'restoreReport' }, { type: 'delayed', request: 'report', status, retryMs: RETRY_MS[0] }],
  })),
  ...[204, 299, 429, 500].map((status): Row => ({ name: `a reading answered with ${status} is repeated`, state: online({ get: asked('r', 0, 1) }), event: answered('get', status), next: online({ get: due(NOW_MS + RETRY_MS[1]!, 2) }), effects: [{ type: 'delayed', request: 'get', status, retryMs: RETRY_MS[1] }] })),
  { name: 'a reading that is refused is not', state: online({ get: asked() }), event: answered('get', 404), next: online(), effects: [{ type: 'refused', request: 'get', status: 404 }] },
  { name: 'an answer to nothing changes nothing', state: online(), event: answered('report', 204, 3), next: online(), effects: [] },

  { name: 'both are given up when their time is over', state: online({ get: asked('a', NOW_MS), report: asked('b', NOW_MS) }), event: { type: 'woke' }, next: online({ get: due(NOW_MS + RETRY_MS[0]!, 1), report: due(NOW_MS + RETRY_MS[0]!, 1) }), effects: [{ type: 'delayed', request: 'get', status: undefined, retryMs: RETRY_MS[0] }, { type: 'restoreReport' }, { type: 'delayed', request: 'report', status: undefined, retryMs: RETRY_MS[0] }] },
  { name: 'and not before', state: online({ get: asked('a', NOW_MS + 1), report: asked('b', NOW_MS + 1) }), event: { type: 'woke' }, next: online({ get: asked('a', NOW_MS + 1), report: asked('b', NOW_MS + 1) }), effects: [] },
];

describe('the twin machine:', () => {
  test.each(rows)('$name', ({ state, event, context: parts, next, effects }) => {
    const [after, ...said] = stepTwin(state, event, { ...context, ...parts });
    expect(after).toEqual(next);
    expect(said).toEqual(effects);
  });
});

test('a patch is next when it follows the known version by one and no reading is due or under way', () => {
  expect([4, 5, 6, 7].map((version) => isNextPatch(online(), version))).toEqual([false, false, true, false]);
  expect([due(), asked()].map((get) => isNextPatch(online({ get }), 6))).toEqual([false, false]);
  expect(isNextPatch(online({ version: undefined }), 1)).toBe(false);
});

test('wakes at the earlier of both requests, and never when nothing is to be done', () => {
  expect([twinWakeAtOf(initialTwin), twinWakeAtOf(online({ get: due(7), report: asked('r', 5) })), twinWakeAtOf(online({ get: NONE, report: due(9) }))]).toEqual([Infinity, 5, 9]);
});
