import { expect, test } from '@jest/globals';
import { recordEvidence } from '../evidence.ts';
import { deviceEvents, hubMoments, watchRun } from './sim-harness.ts';

/** A guard against a hang; seconds on a machine at rest. */
const LIMIT_MS = 600_000;
const CUTS = 30;
let cutsHeld = 0;
/** Long enough that the agent's back-off, which counts short connections as failures, lets it come back before the next one. */
const CUT_RUN_MS = 3600_000;

test.each([1, 2, 3])('thirty random breaks of the link lose nothing (seed %d)', async (seed) => {
  const { summary, ending, events } = await watchRun({ cutCount: CUTS, seed, durationMs: CUT_RUN_MS });
  const cuts = events.flatMap((event) => (event.source === 'link' ? [event.body.connections] : []));
  expect(cuts).toHaveLength(CUTS);
  expect(Math.min(...cuts)).toBeGreaterThan(0);
  expect(ending).toBe('complete');
  expect(summary).toMatchObject({ lost: 0, acked: summary.sent, received: summary.sent });
  cutsHeld += CUTS;
  recordEvidence('random-link-cuts', cutsHeld);
}, LIMIT_MS);

let scenariosHeld = 0;
/** CONNECTs per device in the 15 s after the first refused one, that one included. */
const MAX_CONNECTS_IN_15_S = 3;

test.each(['wrong-key', 'disabled', 'hub-clock'] as const)('a refusal by %s is met with at most three CONNECTs in 15 s, and with recovery when its cause goes', async (scenario) => {
  const { summary, events, ending } = await watchRun({ scenario, durationMs: 240_000, graceMs: 300_000, telemetryIntervalMs: 500 });
  const refusals = hubMoments(events, 'refused');
  expect(refusals.length).toBeGreaterThanOrEqual(2);
  for (const first of refusals) {
    const connects = hubMoments(events, 'connectReceived').filter((moment) => moment >= first && moment < first + 15);
    expect(connects.length).toBeLessThanOrEqual(MAX_CONNECTS_IN_15_S);
  }
  const [began, ended] = events.flatMap((event) => (event.source === 'scenario' ? [event.sinceStartMs / 1000] : []));
  const accepted = hubMoments(events, 'connected');
  expect(accepted.filter((moment) => moment > (began ?? 0) && moment < (ended ?? 0))).toEqual([]);
  expect(accepted.filter((moment) => moment > (ended ?? Infinity)).length).toBeGreaterThanOrEqual(1);
  expect(ending).toBe('complete');
  expect(summary).toMatchObject({ lost: 0, acked: summary.sent, received: summary.sent });
  scenariosHeld += 1;
  recordEvidence('refused-renewals', scenariosHeld);
}, LIMIT_MS);

test('telemetry goes on over the old connection after a refused renewal, as long as its token lives', async () => {
  const { events } = await watchRun({ scenario: 'wrong-key', durationMs: 240_000, tokenLifeSeconds: 60, graceMs: 0, telemetryIntervalMs: 500 });
  const firstRefusal = hubMoments(events, 'refused')[0] ?? Infinity;
  const lost = deviceEvents(events, 'disconnected')[0]?.sinceStartMs ?? 0;
  expect(lost / 1000 - firstRefusal).toBeGreaterThan(8);
  const received = hubMoments(events, 'messageReceived').filter((moment) => moment > firstRefusal && moment < lost / 1000);
  expect(received.length).toBeGreaterThanOrEqual(2 * (lost / 1000 - firstRefusal) - 3);
});

test('a device whose clock shows 1970 learns the time before it speaks TLS, and sends', async () => {
  const { summary, events } = await watchRun({ deviceClockMs: 0, durationMs: 30_000 });
  expect(deviceEvents(events, 'clock').map(({ body }) => body['level'])).toEqual(['unset', 'network', 'confirmed']);
  expect(summary).toMatchObject({ sent: 30, acked: 30, received: 30, lost: 0 });
});
