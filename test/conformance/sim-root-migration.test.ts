import { describe, expect, test } from '@jest/globals';

import { recordEvidence } from '../evidence.ts';
import { deviceEvents, watchRun } from './sim-harness.ts';

const DEVICES = 100;
/** A tenth of them. */
const AWAY = 10;
const RUN = { scenario: 'root-migration', durationMs: 16 * 60_000, telemetryIntervalMs: 5000, tokenLifeSeconds: 60, delayMs: 20, graceMs: 300_000 } as const;

describe('a hub that moves to a chain under another root', () => {
  test('keeps 100 of 100 devices: most had both roots before, those that were away and one with wrong roots find their way, no message is lost', async () => {
    const startMs = performance.now();
    const { events, summary, ending } = await watchRun({ ...RUN, deviceCount: DEVICES });
    expect(ending).toBe('complete');
    expect(summary).toMatchObject({ online: DEVICES, recovered: AWAY + 1, rolledBack: 1, stranded: 0, lost: 0, duplicated: 0 });
    expect(summary.acked).toBe(summary.sent);
    const disconnected = new Set(deviceEvents(events, 'disconnected').filter(({ body }) => body['code'] !== 'STOPPED').map(({ device }) => device));
    expect([...disconnected].sort()).toEqual(Array.from({ length: AWAY }, (_, index) => `sim-${index + 1}`).sort());
    const passed = deviceEvents(events, 'roots-passed').map(({ device, body }) => `${device} ${body['version']}`);
    expect(passed).toContain(`sim-${DEVICES} 3`);
    expect(passed.filter((text) => text.endsWith(' 2'))).toHaveLength(DEVICES - AWAY - 1);
    recordEvidence('root-migration', summary.online ?? 0);
    process.stderr.write(`root migration of ${DEVICES} devices: ${Math.round((performance.now() - startMs) / 1000)} s of real time\n`);
  }, 1_200_000);

  test('strands every device that nobody gives new roots', async () => {
    const { events, summary } = await watchRun({ ...RUN, deviceCount: 12, noUpdates: true });
    expect(summary).toMatchObject({ online: 0, recovered: 0, rolledBack: 0, stranded: 12 });
    expect(summary.lost).toBeGreaterThan(0);
    expect(deviceEvents(events, 'roots-committed')).toEqual([]);
    const codes = new Set(deviceEvents(events, 'open-failed').map(({ body }) => body['code']));
    expect(codes).toEqual(new Set(['ERR_DNS', 'ERR_TLS_UNTRUSTED_ISSUER']));
    recordEvidence('root-migration-control', summary.stranded ?? 0);
  }, 600_000);

  test('goes the same way with the same seed', async () => {
    const shape = async (): Promise<readonly string[]> =>
      (await watchRun({ ...RUN, deviceCount: 4 })).events.flatMap((event) => (event.source === 'device' ? [`${event.sinceStartMs} ${event.device} ${event.body.event}`] : []));
    expect(await shape()).toEqual(await shape());
  }, 600_000);

  test('needs three devices', async () => {
    await expect(watchRun({ ...RUN, deviceCount: 2 })).rejects.toMatchObject({ code: 'ERR_SCENARIO' });
  });
});
