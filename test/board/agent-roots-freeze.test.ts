import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';

import { RECOVERY, revokes, RootBoard } from '../fakes/root-board.ts';
import { trusted } from '../fakes/root-bundles.ts';

const DAY_MS = 24 * 3600 * 1000;

let world: RootBoard;

beforeAll(async () => void (world = await RootBoard.create()), 300_000);
afterEach(() => world.remove());

describe('an attacker on the path with the CA of a root that a later bundle revokes, and that bundle withheld', () => {
  test('gets no TLS session out of an expired link: the device trusts nobody until the link behind it comes', async () => {
    const run = await world.start(RECOVERY);
    const { board, pki, hubEvents } = run;
    const bundles: Record<number, Uint8Array> = {
      2: await world.bundle([trusted(world.other.root.certificateDer), revokes(pki.root.certificateDer)], { expires: '2026-12-02T00:00:00Z' }),
      3: Buffer.from('what is no bundle, and makes the expired one look like an inner link'),
    };
    const last = await world.bundle([trusted(world.stranger.root.certificateDer), revokes(world.other.root.certificateDer)], { version: 3 });
    world.serve(bundles);
    // Everything that the device reaches is the attacker's.
    run.showChain(world.other);
    await board.untilEvent('roots-committed', { version: 2, phase: 'inner' });
    await board.runFor(6 * 3_600_000);
    expect(hubEvents.filter(({ event }) => event === 'connectionOpened')).toEqual([]);
    expect(board.events('connected')).toEqual([]);
    bundles[3] = last;
    run.showChain(world.stranger);
    await board.untilEvent('roots-passed', { version: 3 }, DAY_MS);
    await board.until('connected', () => board.events('connected').length > 0);
  });
});
