import type { SimulationEvent } from '../../host-sim/simulation/events.ts';
import type { SimulationOptions } from '../../host-sim/simulation/options.ts';
import { simulate, type SimulationResult } from '../../host-sim/simulation/simulation.ts';

/** A run in virtual time; what a test does not say is as `latchkey sim` has it. */
export const VIRTUAL_RUN: SimulationOptions = {
  durationMs: 120_000,
  tokenLifeSeconds: 20,
  graceMs: 0,
  telemetryIntervalMs: 1000,
  deviceCount: 1,
  port: 0,
  delayMs: 50,
  seed: 1,
  isVirtual: true,
  bits: 64,
  keepFolder: undefined,
  cutCount: 0,
  scenario: undefined,
  deviceClockMs: undefined,
  pipeline: false,
  app: 'load',
  noUpdates: false,
};

export interface WatchedRun extends SimulationResult {
  readonly events: readonly SimulationEvent[];
}

/** Runs a simulation to its end and keeps every event. */
export async function watchRun(options: Partial<SimulationOptions>): Promise<WatchedRun> {
  const events: SimulationEvent[] = [];
  const result = await simulate({ ...VIRTUAL_RUN, ...options }, {
    onEvent: (event) => events.push(event),
    onProgress: () => {},
    interrupted: new AbortController().signal,
  });
  return { ...result, events };
}

/** Seconds since the start at which the hub received something named `name`. */
export function hubMoments(events: readonly SimulationEvent[], name: string): number[] {
  return events.flatMap((event) => (event.source === 'hub' && event.body.event === name ? [event.sinceStartMs / 1000] : []));
}

/** What the devices' firmware printed under one name. */
export function deviceEvents(events: readonly SimulationEvent[], name: string): readonly Extract<SimulationEvent, { source: 'device' }>[] {
  return events.filter((event): event is Extract<SimulationEvent, { source: 'device' }> => event.source === 'device' && event.body.event === name);
}
