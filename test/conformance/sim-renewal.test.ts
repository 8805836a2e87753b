import { expect, test } from '@jest/globals';
import { recordEvidence } from '../evidence.ts';
import { watchRun } from './sim-harness.ts';

/** Budgets of docs/architecture.md for the longest time between two messages at a renewal, 10 ms interval. */
const MAX_GAP_MS: Readonly<Record<number, number>> = { 50: 260, 150: 670 };

/** A guard against a hang; seconds on a machine at rest. */
const LIMIT_MS = 600_000;
let cellsHeld = 0;

test.each([
  { tokenLifeSeconds: 20, delayMs: 50, minRenewals: 7, maxRenewals: 9 },
  { tokenLifeSeconds: 20, delayMs: 150, minRenewals: 7, maxRenewals: 9 },
  { tokenLifeSeconds: 5, delayMs: 50, minRenewals: 28, maxRenewals: 40 },
  { tokenLifeSeconds: 5, delayMs: 150, minRenewals: 25, maxRenewals: 40 },
])('120 s with tokens of $tokenLifeSeconds s and $delayMs ms of delay renew without loss, duplicate or gap', async ({ tokenLifeSeconds, delayMs, minRenewals, maxRenewals }) => {
  const { summary, ending } = await watchRun({ tokenLifeSeconds, delayMs, telemetryIntervalMs: 10 });
  expect(ending).toBe('complete');
  expect(summary).toMatchObject({ lost: 0, duplicated: 0, oldClosedBeforeNew: 0, acked: summary.sent, received: summary.sent });
  expect(summary.sent).toBeGreaterThan(11_000);
  expect(summary.renewals).toBeGreaterThanOrEqual(minRenewals);
  expect(summary.renewals).toBeLessThanOrEqual(maxRenewals);
  expect(summary.connects).toBe(summary.renewals + 1);
  expect(summary.maxGapMs).toBeLessThan(MAX_GAP_MS[delayMs] ?? 0);
  cellsHeld += 1;
  recordEvidence('renewal-cells', cellsHeld);
}, LIMIT_MS);

test('five devices renew side by side', async () => {
  const { summary, ending } = await watchRun({ deviceCount: 5, durationMs: 60_000 });
  expect(ending).toBe('complete');
  expect(summary.connects).toBe(summary.renewals + 5);
  expect(summary.renewals).toBeGreaterThanOrEqual(15);
  expect(summary).toMatchObject({ sent: 300, acked: 300, received: 300, lost: 0, duplicated: 0, oldClosedBeforeNew: 0 });
});
