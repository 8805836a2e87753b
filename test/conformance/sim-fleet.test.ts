import { expect, test } from '@jest/globals';

import type { SimulationEvent } from '../../host-sim/simulation/events.ts';
import { recordEvidence } from '../evidence.ts';
import { watchRun } from './sim-harness.ts';

const DEVICES = 500;
const INTERVAL_MS = 10_000;
const DURATION_MS = 30_000;

/** Whom the hub told of what, each device once. */
function devicesOf(events: readonly SimulationEvent[], name: string): ReadonlySet<string> {
  return new Set(events.flatMap((event) => (event.source === 'hub' && event.body.event === name && 'deviceId' in event.body ? [String(event.body.deviceId)] : [])));
}

/** The most devices that were connected at one moment. */
function mostConnected(events: readonly SimulationEvent[]): number {
  const connected = new Set<string>();
  let most = 0;
  for (const event of events) {
    if (event.source !== 'hub') continue;
    if (event.body.event === 'connected') connected.add(event.body.deviceId);
    if (event.body.event === 'disconnected' && event.body.deviceId !== undefined) connected.delete(event.body.deviceId);
    most = Math.max(most, connected.size);
  }
  return most;
}

test('500 boards at once are online, send, and each takes over and reports what one automatic configuration says', async () => {
  const { events, summary, ending } = await watchRun({
    deviceCount: DEVICES, app: 'thermostat', scenario: 'configuration', durationMs: DURATION_MS, telemetryIntervalMs: INTERVAL_MS, tokenLifeSeconds: 3600,
  });
  expect(ending).toBe('complete');
  expect(mostConnected(events)).toBe(DEVICES);
  expect(summary).toMatchObject({ connects: DEVICES, lost: 0, duplicated: 0 });
  expect(summary.sent).toBeGreaterThanOrEqual(DEVICES * (DURATION_MS / INTERVAL_MS));
  expect(summary.acked).toBe(summary.sent);
  expect(devicesOf(events, 'messageReceived').size).toBe(DEVICES);
  expect(devicesOf(events, 'configurationsApplied').size).toBe(DEVICES);
  expect(devicesOf(events, 'desiredSent').size).toBe(DEVICES);
  const ended = events.flatMap((event) => (event.source === 'scenario' && event.body.event === 'ended' ? [event.body.text] : []));
  expect(ended).toEqual([`the configuration was applied to ${DEVICES} of ${DEVICES} devices, and ${DEVICES} have reported it as done`]);
  recordEvidence('devices-500', DEVICES);
}, 1_200_000);
