import { expect, test } from '@jest/globals';
import { recordEvidence } from '../evidence.ts';
import { watchRun } from './sim-harness.ts';

const DEVICES = 3;

test('devices go from primary to secondary to their new primary key while they send, and nothing is lost or comes twice', async () => {
  const { events, summary, ending } = await watchRun({ deviceCount: DEVICES, scenario: 'key-rotation', durationMs: 180_000, tokenLifeSeconds: 25, telemetryIntervalMs: 500 });
  expect(ending).toBe('complete');
  expect(summary).toMatchObject({ lost: 0, duplicated: 0, oldClosedBeforeNew: 0 });
  expect([summary.acked, summary.sent > DEVICES * 300]).toEqual([summary.sent, true]);
  const ofHub = <Name extends 'connected' | 'refused'>(name: Name) => events.flatMap((event) => (event.source === 'hub' && event.body.event === name ? [event.body as Extract<typeof event.body, { event: Name }>] : []));
  for (let number = 1; number <= DEVICES; number++) {
    const keys = ofHub('connected').filter(({ deviceId }) => deviceId === `sim-${number}`).map(({ key }) => key);
    const changes = keys.filter((key, index) => key !== keys[index - 1]);
    expect(changes).toEqual(['primary', 'secondary', 'primary']);
    // Each change costs the CONNECT by which the device learns of it, and the one after it has looked at its clock.
    expect(ofHub('refused').filter(({ clientId }) => clientId === `sim-${number}`).map(({ reason }) => reason)).toEqual(Array(4).fill('signature-wrong'));
  }
  expect(events.flatMap((event) => (event.source === 'scenario' ? [event.body.text] : []))).toEqual([
    `the service replaces the primary keys; ${DEVICES} of ${DEVICES} devices are connected by theirs`,
    `${DEVICES} of ${DEVICES} devices have changed over to their secondary keys; the service replaces those, too`,
    `${DEVICES} of ${DEVICES} devices have changed over to their new primary keys`,
  ]);
  recordEvidence('key-rotations', 2 * DEVICES);
});
