import type { Hub } from '../hub/hub.ts';
import { generateKeyPair } from '../hub/symmetric-key.ts';
import type { Clock } from '../time/clock.ts';
import type { Link } from '../time/link.ts';
import type { Random } from '../time/seeded-random.ts';
import type { Tell } from './events.ts';
import type { ScenarioName } from './options.ts';

/** A scenario begins and ends at these parts of the run. */
const BEGINS_AT = 0.25;
const ENDS_AT = 0.6;
/** Of a run without an end. */
const DEFAULT_RUN_MS = 120_000;
/** How far the hub's clock goes wrong: more than any token that a test waits for lives. */
const HUB_CLOCK_OFFSET_MS = 2 * 3600 * 1000;
/** Cuts keep clear of the first connection and of the last acknowledgements. */
const CUTS_FROM = 0.05;
const CUTS_TO = 0.95;

/** When faults come, and who hears of them. */
export interface Plan {
  readonly clock: Clock;
  /** `undefined` for a run without an end. */
  readonly durationMs: number | undefined;
  readonly tell: Tell;
}

interface Fault {
  readonly text: string;
  begin(): void;
  end(): void;
}

function faultOf(name: ScenarioName, hub: Hub, deviceIds: readonly string[]): Fault {
  switch (name) {
    case 'wrong-key': {
      const right = new Map(deviceIds.map((deviceId) => [deviceId, hub.registry.find({ deviceId })?.keys]));
      return {
        text: 'the hub knows other keys than the devices have',
        begin: () => deviceIds.forEach((deviceId) => hub.registry.setKeys({ deviceId }, generateKeyPair())),
        end: () => {
          for (const [deviceId, keys] of right) if (keys !== undefined) hub.registry.setKeys({ deviceId }, keys);
        },
      };
    }
    case 'disabled':
      return {
        text: 'the devices are disabled',
        begin: () => deviceIds.forEach((deviceId) => hub.registry.setEnabled(deviceId, false)),
        end: () => deviceIds.forEach((deviceId) => hub.registry.setEnabled(deviceId, true)),
      };
    case 'hub-clock':
      return {
        text: 'the hub takes it to be two hours later',
        begin: () => hub.setClockOffset(HUB_CLOCK_OFFSET_MS),
        end: () => hub.setClockOffset(0),
      };
  }
}

/** Plans a fault and its end. @returns a function that takes both off the clock */
export function planScenario(name: ScenarioName, hub: Hub, deviceIds: readonly string[], plan: Plan): () => void {
  const { clock, durationMs = DEFAULT_RUN_MS, tell } = plan;
  const fault = faultOf(name, hub, deviceIds);
  const cancelBegin = clock.setTimer(BEGINS_AT * durationMs, () => {
    tell({ source: 'scenario', body: { event: 'began', name, text: fault.text } });
    fault.begin();
  });
  const cancelEnd = clock.setTimer(ENDS_AT * durationMs, () => {
    fault.end();
    tell({ source: 'scenario', body: { event: 'ended', name, text: fault.text } });
  });
  return () => {
    cancelBegin();
    cancelEnd();
  };
}

/** Plans `count` cuts of the link at random moments. @returns a function that takes those that are left off the clock */
export function planCuts(link: Link, count: number, random: Random, plan: Plan): () => void {
  const { clock, durationMs = DEFAULT_RUN_MS, tell } = plan;
  const moments = Array.from({ length: count }, () => durationMs * (CUTS_FROM + (CUTS_TO - CUTS_FROM) * random())).sort((a, b) => a - b);
  const cancels = moments.map((atMs, index) =>
    clock.setTimer(atMs, () => tell({ source: 'link', body: { event: 'cut', connections: link.cut(), number: index + 1, of: count } })),
  );
  return () => cancels.forEach((cancel) => cancel());
}
