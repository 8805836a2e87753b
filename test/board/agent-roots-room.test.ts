import { beforeAll, describe, expect, test } from '@jest/globals';

import { MAX_BUNDLE_BYTES } from '../../firmware/agent/roots/root-limits.ts';
import { BUDGETS } from '../bench/budgets.ts';
import { extraHeapOf, RootWays, ROOT_WAYS } from '../bench/root-ways.ts';
import { buildAgent } from '../fakes/agent-board.ts';
import { recordEvidence } from '../evidence.ts';

/** Of the manifest's; what is left is for interrupts of the way by other events of a turn. */
const STACK_SLOTS = 512;
const STACK_PART = 0.85;

/** Four roots take 3.4 KB as DER; the payload of the bundle, 11 KB. */
const KEPT_BYTES = 8 * 1024;
const APPS = ['load', 'thermostat'] as const;

/** Every allocation collects garbage there: a peak is what was in use. The stack is that of the 32-bit board. */
let ways: RootWays;
let measured = 0;

beforeAll(async () => {
  ways = await RootWays.open(await buildAgent('stress'));
}, 300_000);

describe.each(APPS)('with the application %s, the largest bundle there may be', (app) => {
  test.each(ROOT_WAYS)('leaves room on the stack and in the heap: %s', async (way) => {
    const figures = await ways.measure(way, app === 'thermostat' ? app : undefined);
    const { before, after, bundleBytes } = figures;
    expect(bundleBytes).toBeGreaterThan(MAX_BUNDLE_BYTES - 8);
    expect(after.stackPeak).toBeLessThanOrEqual(STACK_SLOTS * STACK_PART);
    expect(extraHeapOf(figures)).toBeLessThan(BUDGETS.rootUpdateHeapBytes);
    // Only the roots of a committed bundle stay: the JSON around them would be as much again.
    if (way === 'url' || way === 'boot' || way === 'rollback') expect(after.heapBytes - before.heapBytes).toBeLessThan(KEPT_BYTES);
    process.stderr.write(`roots by ${way} (${app}): stack ${after.stackPeak} of ${STACK_SLOTS} slots, ${extraHeapOf(figures)} bytes of heap beside a bundle of ${bundleBytes}, ${after.reservedBytes} reserved\n`);
    measured += 1;
    if (measured === APPS.length * ROOT_WAYS.length) recordEvidence('root-ways-room', measured);
  });
});
