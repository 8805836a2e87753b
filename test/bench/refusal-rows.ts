import { generateKeyPair } from '../../host-sim/hub/access/symmetric-key.ts';
import type { BuiltFirmware } from '../../host-sim/simulation/firmware.ts';
import { realClock } from '../../host-sim/time/real-clock.ts';
import { startAgent } from './agent-client.ts';
import { BUDGETS, REFUSAL_WATCH_MS, TELEMETRY_PART_AFTER_REFUSAL } from './budgets.ts';
import type { DeviceWatch } from './device-watch.ts';
import { openRealWorld } from './real-world.ts';
import type { Row } from './row.ts';
import { startSdk } from './sdk-client.ts';

export interface RefusalOptions {
  readonly firmware: BuiltFirmware;
  readonly tokenLifeSeconds: number;
}

const DELAY_MS = 50;
const INTERVAL_MS = 1000;
const POLL_MS = 100;
const CONNECT_LIMIT_MS = 20_000;

/** What the hub saw of one client in the time after its first refused renewal. */
interface Aftermath {
  readonly connects: number;
  readonly messages: number;
  /** Messages due while the old token still held. */
  readonly due: number;
}

/** Both clients connect, then the hub gets other keys; the connections and tokens that they have stay good. */
export async function measureRefusal({ firmware, tokenLifeSeconds }: RefusalOptions): Promise<readonly Row[]> {
  const world = await openRealWorld(DELAY_MS);
  const limitMs = tokenLifeSeconds * 1000 + REFUSAL_WATCH_MS;
  const task = { world, tokenLifeSeconds, intervalMs: INTERVAL_MS, durationMs: 2 * limitMs };
  const agent = world.addDevice('agent');
  const sdk = world.addDevice('node-sdk');
  const clients = [startAgent(firmware, { ...task, device: agent }), startSdk({ ...task, device: sdk })];
  const ended = Promise.allSettled(clients.map((client) => client.ended));
  try {
    const watches = [agent.watch, sdk.watch];
    await until('both clients are connected', CONNECT_LIMIT_MS, () => watches.every(({ isConnected }) => isConnected));
    for (const { deviceId } of [agent, sdk]) world.hub.registry.setKeys({ deviceId }, generateKeyPair());
    const isWatched = ({ refusedAtMs }: DeviceWatch): boolean => realClock.monotonicMs() > (refusedAtMs[0] ?? Infinity) + REFUSAL_WATCH_MS;
    await until('both renewals were refused', limitMs, () => watches.every(isWatched));
    return rowsOf(aftermathOf(agent.watch), aftermathOf(sdk.watch));
  } finally {
    for (const client of clients) client.stop();
    await ended;
    await world.close();
  }
}

async function until(what: string, limitMs: number, isSo: () => boolean): Promise<void> {
  const endMs = realClock.monotonicMs() + limitMs;
  while (!isSo()) {
    if (realClock.monotonicMs() > endMs) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function aftermathOf({ refusedAtMs, connectsAtMs, messagesAtMs, expirySeconds }: DeviceWatch): Aftermath {
  // The CONNECT came in the same turn as its refusal, and counts.
  const fromMs = connectsAtMs.findLast((atMs) => atMs <= refusedAtMs[0]!)!;
  const isWithin = (endMs: number) => (atMs: number): boolean => atMs >= fromMs && atMs < endMs;
  const tokenEndsMs = fromMs + expirySeconds * 1000 - (realClock.now() - (realClock.monotonicMs() - fromMs));
  const telemetryEndMs = Math.min(fromMs + REFUSAL_WATCH_MS, tokenEndsMs);
  return {
    connects: connectsAtMs.filter(isWithin(fromMs + REFUSAL_WATCH_MS)).length,
    messages: messagesAtMs.filter(isWithin(telemetryEndMs)).length,
    due: Math.floor((telemetryEndMs - fromMs) / INTERVAL_MS),
  };
}

function rowsOf(agent: Aftermath, sdk: Aftermath): Row[] {
  const seconds = REFUSAL_WATCH_MS / 1000;
  return [
    {
      row: 'refusal-connects',
      what: `CONNECTs in the ${seconds} s after a refused renewal`,
      unit: 'times',
      budget: { most: BUDGETS.connectsAfterRefusal },
      measured: agent.connects,
      sdk: sdk.connects,
      note: 'the refused one counted; the keys of both were changed at the hub after they had connected',
    },
    {
      row: 'refusal-telemetry',
      what: 'messages taken meanwhile, as long as the old token holds',
      unit: 'messages',
      budget: { least: Math.floor(agent.due * TELEMETRY_PART_AFTER_REFUSAL) },
      measured: agent.messages,
      sdk: sdk.messages,
      note: `${agent.due} were due, of the Node SDK ${sdk.due}`,
    },
  ];
}
