import { planConfiguration } from './configuration-scenario.ts';
import type { Hub } from '../hub/hub.ts';
import { generateKeyPair } from '../hub/access/symmetric-key.ts';
import type { Clock } from '../time/clock.ts';
import type { Link } from '../time/link.ts';
import type { Random } from '../time/seeded-random.ts';
import type { Tell } from './events.ts';
import { DEFAULT_RUN_MS, type ScenarioName } from './options.ts';

/** A scenario begins and ends at these parts of the run. */
const BEGINS_AT = 0.25;
const ENDS_AT = 0.6;
/** How far the hub's clock goes wrong beyond the life of a token: new tokens seem to have ended, open connections live on by grace. */
const HUB_CLOCK_OFF_MS = 60_000;
/** A cut that finds nothing to break waits for a connection, and then so long at most. */
const CUT_RETRY_MS = 500;
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

export interface ScenarioTarget {
  readonly hub: Hub;
  readonly deviceIds: readonly string[];
  readonly tokenLifeSeconds: number;
}

/** Those with a begin and an end; the others are key-rotation.ts and root-migration.ts. */
export type PlannedScenario = Exclude<ScenarioName, 'key-rotation' | 'root-migration'>;

/** What happens to the devices for a while. */
export interface Scenario {
  readonly text: string;
  begin(): void;
  /** @returns what is told of its end */
  end(): string;
}

function scenarioOf(name: PlannedScenario, { hub, deviceIds, tokenLifeSeconds }: ScenarioTarget): Scenario {
  switch (name) {
    case 'wrong-key': {
      const right = new Map(deviceIds.map((deviceId) => [deviceId, hub.registry.find({ deviceId })?.keys]));
      return {
        text: 'the hub knows other keys than the devices have',
        begin: () => deviceIds.forEach((deviceId) => hub.registry.setKeys({ deviceId }, generateKeyPair())),
        end: () => {
          for (const [deviceId, keys] of right) if (keys !== undefined) hub.registry.setKeys({ deviceId }, keys);
          return 'the hub knows the keys of the devices again';
        },
      };
    }
    case 'disabled':
      return {
        text: 'the devices are disabled',
        begin: () => deviceIds.forEach((deviceId) => hub.registry.setEnabled(deviceId, false)),
        end: () => {
          for (const deviceId of deviceIds) hub.registry.setEnabled(deviceId, true);
          return 'the devices are enabled again';
        },
      };
    case 'hub-clock':
      return {
        text: "the hub's clock is ahead by more than a token lives",
        begin: () => hub.setClockOffset(tokenLifeSeconds * 1000 + HUB_CLOCK_OFF_MS),
        end: () => {
          hub.setClockOffset(0);
          return "the hub's clock is right again";
        },
      };
    case 'configuration':
      return planConfiguration(hub.configurations);
  }
}

/** Plans a scenario and its end. @returns a function that takes both off the clock */
export function planScenario(name: PlannedScenario, target: ScenarioTarget, plan: Plan): () => void {
  const { clock, durationMs = DEFAULT_RUN_MS, tell } = plan;
  const scenario = scenarioOf(name, target);
  const cancelBegin = clock.setTimer(BEGINS_AT * durationMs, () => {
    tell({ source: 'scenario', body: { event: 'began', name, text: scenario.text } });
    scenario.begin();
  });
  const cancelEnd = clock.setTimer(ENDS_AT * durationMs, () => {
    const text = scenario.end();
    tell({ source: 'scenario', body: { event: 'ended', name, text } });
  });
  return () => {
    cancelBegin();
    cancelEnd();
  };
}

/**
 * Plans `count` cuts of the link at random moments; one that comes while nothing is connected waits until something is.
 *
 * @returns a function that takes those that are left off the clock
 */
export function planCuts(link: Link, count: number, random: Random, plan: Plan): () => void {
  const { clock, durationMs = DEFAULT_RUN_MS, tell } = plan;
  const moments = Array.from({ length: count }, () => durationMs * (CUTS_FROM + (CUTS_TO - CUTS_FROM) * random())).sort((a, b) => a - b);
  let made = 0;
  let cancel = (): void => {};
  const waitForNext = (): void => {
    const atMs = moments[made];
    if (atMs !== undefined) cancel = clock.setTimer(startMs + atMs - clock.monotonicMs(), cut);
  };
  const cut = (): void => {
    if (link.connectionCount === 0) {
      cancel = clock.setTimer(CUT_RETRY_MS * random(), cut);
      return;
    }
    made++;
    tell({ source: 'link', body: { event: 'cut', connections: link.cut(), number: made, of: count } });
    waitForNext();
  };
  const startMs = clock.monotonicMs();
  waitForNext();
  return () => cancel();
}
