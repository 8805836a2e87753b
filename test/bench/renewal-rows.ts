import type { BuiltFirmware } from '../../host-sim/simulation/firmware.ts';
import { startAgent } from './agent-client.ts';
import { BUDGETS, DELAYS_MS } from './budgets.ts';
import type { ClientCounts } from './client.ts';
import type { DeviceWatch } from './device-watch.ts';
import { openRealWorld } from './real-world.ts';
import type { Row } from './row.ts';
import { startSdk } from './sdk-client.ts';

export interface RenewalOptions {
  readonly firmware: BuiltFirmware;
  readonly durationMs: number;
  readonly tokenLifeSeconds: number;
}

const INTERVAL_MS = 10;

interface Seen {
  readonly watch: DeviceWatch;
  readonly counts: ClientCounts;
}

/** Renewals of agent and Node SDK at the same time, through the same link, at the same hub; everything is the hub's own count. */
export async function measureRenewals(options: RenewalOptions): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const delayMs of DELAYS_MS) rows.push(...(await measureAt(delayMs, options)));
  return rows;
}

async function measureAt(delayMs: (typeof DELAYS_MS)[number], { firmware, durationMs, tokenLifeSeconds }: RenewalOptions): Promise<readonly Row[]> {
  const world = await openRealWorld(delayMs);
  try {
    const task = { world, tokenLifeSeconds, intervalMs: INTERVAL_MS, durationMs };
    const [agent, sdk] = await Promise.all(
      [{ device: world.addDevice('agent'), start: startAgent.bind(undefined, firmware) }, { device: world.addDevice('node-sdk'), start: startSdk }].map(
        async ({ device, start }) => ({ watch: device.watch, counts: await start({ ...task, device }).ended }),
      ),
    );
    return rowsOf(delayMs, agent!, sdk!);
  } finally {
    await world.close();
  }
}

function rowsOf(delayMs: (typeof DELAYS_MS)[number], agent: Seen, sdk: Seen): Row[] {
  const at = `${delayMs} ms one-way`;
  const row = (name: string, what: string, unit: Row['unit'], budget: number, figure: (seen: Seen) => number, note?: string): Row => ({
    row: `renewal-${name}-${delayMs}`,
    what: `${what}, ${at}`,
    unit,
    budget: { most: budget },
    measured: figure(agent),
    sdk: figure(sdk),
    ...(note === undefined ? {} : { note }),
  });
  return [
    row('old-closed-before-new', 'renewal: old connection closed before the new CONNECT', 'times', BUDGETS.oldClosedBeforeNew, ({ watch }) => watch.counts.oldClosedBeforeNew, `of ${renewals(agent)} renewals, Node SDK of ${renewals(sdk)}`),
    row('gap', 'longest time between two acknowledged messages at renewal', 'ms', BUDGETS.gapMs[delayMs], longestGapMs, `${describeGaps(agent)}; Node SDK ${describeGaps(sdk)}`),
    row('lost', 'messages lost', 'messages', BUDGETS.lost, ({ watch, counts }) => counts.sent - watch.counts.received, `of ${agent.counts.sent}, Node SDK of ${sdk.counts.sent}`),
    row('duplicated', 'messages duplicated', 'messages', BUDGETS.duplicated, ({ watch }) => watch.counts.duplicated),
  ];
}

function renewals({ watch }: Seen): number {
  return watch.counts.renewals;
}

function longestGapMs({ watch }: Seen): number {
  return Math.max(0, ...watch.renewalGapsMs());
}

function describeGaps({ watch }: Seen): string {
  const sorted = watch.renewalGapsMs().sort((a, b) => a - b);
  if (sorted.length === 0) return 'no renewal';
  return `median ${Math.round(sorted[Math.floor(sorted.length / 2)]!)} ms of ${sorted.length}, in the whole run at most ${Math.round(watch.counts.maxGapMs)} ms`;
}
