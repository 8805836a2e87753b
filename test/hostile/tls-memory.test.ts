import { expect, test } from '@jest/globals';

import { recordEvidence } from '../evidence.ts';
import { goodRsa as good } from './tls/cases.ts';
import type { Scenario } from './tls/cases.ts';
import { Harness } from './tls/harness.ts';
import { startStage } from './tls/scenario.ts';

const REFUSALS = 1000;
const HEAP_COUNT_MS = 240_000;

/** One of each kind: in the certificate, in the key exchange, before any of it, and after the session was up. */
const refused: readonly (readonly [Scenario, string])[] = [
  [{ ...good, host: 'other.latchkey.test', raw: 'none' }, 'ERR_TLS_HOSTNAME'],
  [{ ...good, raw: 'changed-key-exchange' }, 'ERR_TLS_PROTOCOL'],
  [{ ...good, raw: 'http' }, 'ERR_TLS_PROTOCOL'],
  [{ ...good, raw: 'wrong-tag' }, 'ERR_TLS_PROTOCOL'],
];

test(`${REFUSALS} refused connections leave the C heap where it was`, async () => {
  const harness = await Harness.start('plain');
  const bytes = async (): Promise<number> => Number((await harness.command('heap'))['bytes']);
  const rounds: number[] = [];
  const stages = await Promise.all(refused.map(async ([scenario]) => startStage(scenario)));
  try {
    for (const repeat of [1, REFUSALS / refused.length]) {
      for (const [index, [scenario, code]] of refused.entries()) {
        const { server, roots } = stages[index]!;
        const outcome = await harness.connect({ host: scenario.host, port: server.port, roots, resume: false, send: 'ping', expect: 5, repeat });
        expect(outcome).toMatchObject({ ok: false, code });
      }
      rounds.push(await bytes());
    }
  } finally {
    await Promise.all(stages.map(({ server }) => server.stop()));
    await harness.close();
  }
  expect(rounds[0]).toBeGreaterThan(0);
  expect(rounds[1]).toBe(rounds[0]);
  recordEvidence('tls-refused-connections', REFUSALS);
}, HEAP_COUNT_MS);

test('a cached session is seen in the C heap, and is gone when it is dropped', async () => {
  const harness = await Harness.start('plain');
  const { server, roots } = await startStage(good);
  try {
    const connection = { host: good.host, port: server.port, roots, send: 'ping', expect: 5 };
    await harness.connect({ ...connection, resume: false });
    const before = Number((await harness.command('heap'))['bytes']);
    await harness.connect(connection); // leaves a session in the cache
    expect(Number((await harness.command('heap'))['bytes'])).toBeGreaterThan(before);
    await harness.command('drop-sessions');
    expect(Number((await harness.command('heap'))['bytes'])).toBe(before);
  } finally {
    await server.stop();
    await harness.close();
  }
});
