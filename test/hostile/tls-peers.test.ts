import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { goodCases, hostileCases, protocolCases } from './tls/cases.ts';
import type { Scenario } from './tls/cases.ts';
import { Harness } from './tls/harness.ts';
import type { Outcome } from './tls/harness.ts';
import { startStage } from './tls/scenario.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await Harness.start();
});

afterAll(async () => {
  await harness.close();
});

/** A line there and back. */
const LINE = 'ping';
/** How long a good server is waited for on a busy machine, and a silent one. */
const LIMIT_MS = 20_000;
const SILENCE_MS = 300;

const outcomes = new Map<string, Promise<Outcome>>();

/** Many cases have the same twin: it is visited once. */
function visitOnce(scenario: Scenario): Promise<Outcome> {
  const name = JSON.stringify(scenario);
  const outcome = outcomes.get(name) ?? visit(scenario);
  outcomes.set(name, outcome);
  return outcome;
}

async function visit(scenario: Scenario, timeoutMs = LIMIT_MS): Promise<Outcome> {
  const { server, roots } = await startStage(scenario);
  try {
    const expected = scenario.answerBytes ?? LINE.length + 1;
    return await harness.connect({ host: scenario.host, port: server.port, roots, resume: false, send: LINE, expect: expected, timeoutMs });
  } finally {
    await server.stop();
  }
}

describe.each([...hostileCases, ...protocolCases])('$title', ({ code, bad, good }) => {
  test(`is refused with ${code}`, async () => {
    expect(await visit(bad, code === 'ERR_TLS_TIMEOUT' ? SILENCE_MS : LIMIT_MS)).toMatchObject({ ok: false, code });
  });

  test('is accepted without the defect, and a line comes back', async () => {
    expect(await visitOnce(good)).toMatchObject({ ok: true, received: good.answerBytes ?? LINE.length + 1 });
  });
});

test.each(goodCases)('$title: is accepted', async ({ scenario }) => {
  expect(await visit(scenario)).toMatchObject({ ok: true, received: scenario.answerBytes ?? LINE.length + 1 });
});
