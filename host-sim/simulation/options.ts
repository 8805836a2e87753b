/** What a run of the simulator is made of; every field is set (see commands/sim.ts for the defaults). */
export interface SimulationOptions {
  /** How long the devices send; `undefined`: until they are stopped. */
  readonly durationMs: number | undefined;
  readonly tokenLifeSeconds: number;
  /** How long the hub keeps a connection whose token has ended. */
  readonly graceMs: number;
  readonly telemetryIntervalMs: number;
  readonly deviceCount: number;
  /** The hub's; 0 takes a free one. */
  readonly port: number;
  /** One-way delay of the link. */
  readonly delayMs: number;
  /** Makes chance repeat: jitter on the boards, cuts of the link. `undefined`: from the system. */
  readonly seed: number | undefined;
  readonly isVirtual: boolean;
  readonly bits: 32 | 64;
  /** Folder that the devices' files are kept in; `undefined`: a temporary one that is removed. */
  readonly keepFolder: string | undefined;
  /** Breaks of the link at random moments of the run. */
  readonly cutCount: number;
  readonly scenario: ScenarioName | undefined;
  /** Of the scenario `root-migration`: nobody offers or serves a bundle, so that devices are lost. */
  readonly noUpdates: boolean;
  /** What the boards' clocks show at start, milliseconds since 1970; `undefined`: the right time. */
  readonly deviceClockMs: number | undefined;
  /** Send QoS 1 messages behind the CONNECT of a renewal. */
  readonly pipeline: boolean;
  /** What the devices run. */
  readonly app: AppName;
}

/** Refused renewals, by their cause; keys that are replaced while they are in use; one configuration for all devices; a hub that moves to another root. */
export const SCENARIO_NAMES = ['wrong-key', 'disabled', 'hub-clock', 'key-rotation', 'configuration', 'root-migration'] as const;

export type ScenarioName = (typeof SCENARIO_NAMES)[number];

/** What a scenario plans by in a run without an end. */
export const DEFAULT_RUN_MS = 120_000;

/** Of root-migration: one that takes the bundle, one that is away, one that is sent a wrong one. */
export const MIN_MIGRATION_DEVICES = 3;

/** The sample applications (firmware/app/samples/choose-app.ts). */
export const APP_NAMES = ['load', 'thermostat'] as const;

export type AppName = (typeof APP_NAMES)[number];
