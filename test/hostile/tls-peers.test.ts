import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { recordEvidence } from '../evidence.ts';
import { useBoard } from '../fakes/board-fixture.ts';
import { BoardClient } from './tls/board-client.ts';
import { goodCases, hostileCases, protocolCases } from './tls/cases.ts';
import type { Scenario } from './tls/cases.ts';
import { Harness } from './tls/harness.ts';
import type { Outcome } from './tls/harness.ts';
import { startStage } from './tls/scenario.ts';

/** A line there and back. */
const LINE = 'ping';
/** How long a good server is waited for, a guard against a hang on a busy machine; and a silent one. */
const LIMIT_MS = 100_000;
const SILENCE_MS = 300;

let harness: Harness;
let board: BoardClient;

/** Cases that held, on the C harness and on the board alike. */
let refusedAsStated = 0;
let acceptedAsStated = 0;

// Before the fixture's own, which would end the board.
afterAll(async () => {
  await harness.close();
  await board.close();
  recordEvidence('tls-hostile-cases', refusedAsStated);
  recordEvidence('tls-good-cases', acceptedAsStated);
});

const fixture = useBoard('asan');

beforeAll(async () => {
  harness = await Harness.start();
  board = await BoardClient.start(fixture);
});

interface Outcomes {
  readonly harness: Outcome;
  readonly board: Outcome;
}

const visited = new Map<string, Promise<Outcomes>>();

/** Many cases have the same twin: it is visited once. */
function visitOnce(scenario: Scenario): Promise<Outcomes> {
  const name = JSON.stringify(scenario);
  const outcomes = visited.get(name) ?? visit(scenario);
  visited.set(name, outcomes);
  return outcomes;
}

/** The same server, visited by the C harness and by the board. */
async function visit(scenario: Scenario, timeoutMs = LIMIT_MS): Promise<Outcomes> {
  const { server, roots } = await startStage(scenario);
  const connection = {
    host: scenario.host, port: server.port, roots, resume: false, send: LINE, expect: scenario.answerBytes ?? LINE.length + 1, timeoutMs,
  };
  try {
    const [byHarness, byBoard] = await Promise.all([harness.connect(connection), board.connect(connection)]);
    return { harness: byHarness, board: byBoard };
  } finally {
    await server.stop();
  }
}

const both = (outcome: Partial<Outcome>): object => ({ harness: outcome, board: outcome });

describe.each([...hostileCases, ...protocolCases])('$title', ({ code, bad, good }) => {
  test(`is refused with ${code}`, async () => {
    expect(await visit(bad, code === 'ERR_TLS_TIMEOUT' ? SILENCE_MS : LIMIT_MS)).toMatchObject(both({ ok: false, code }));
    refusedAsStated += 1;
  });

  test('is accepted without the defect, and a line comes back', async () => {
    expect(await visitOnce(good)).toMatchObject(both({ ok: true, received: good.answerBytes ?? LINE.length + 1 }));
    acceptedAsStated += 1;
  });
});

test.each(goodCases)('$title: is accepted', async ({ scenario }) => {
  expect(await visit(scenario)).toMatchObject(both({ ok: true, received: scenario.answerBytes ?? LINE.length + 1 }));
  acceptedAsStated += 1;
});
