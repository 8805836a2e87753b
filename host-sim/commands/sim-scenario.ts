import { DEFAULT_RUN_MS, MIN_MIGRATION_DEVICES, type ScenarioName, type SimulationOptions } from '../simulation/options.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { formatDuration } from '../terminal/duration.ts';

export const MIN_TOKEN_LIFE_SECONDS = 5;
/** What a run has when nothing else is said. */
const USUAL = { durationMs: undefined, telemetryIntervalMs: 1000, tokenLifeSeconds: 60, deviceCount: 1 };
/** Of root-migration: tokens of a minute are renewed several times before and after the move. */
const MIGRATION = { ...USUAL, durationMs: 16 * 60_000, telemetryIntervalMs: 5000, deviceCount: 100 };
/** Of key-rotation: in this part of the run every device renews at least once between two replacements (simulation/key-rotation.ts). */
const ROTATION_PART = 1 / 6;

/** What holds for a scenario where the user has said nothing. */
export interface ScenarioDefaults {
  readonly durationMs: number | undefined;
  readonly telemetryIntervalMs: number;
  readonly tokenLifeSeconds: number;
  readonly deviceCount: number;
}

export function scenarioDefaults(scenario: ScenarioName | undefined, durationMs: number | undefined): ScenarioDefaults {
  if (scenario === 'root-migration') return MIGRATION;
  if (scenario !== 'key-rotation') return USUAL;
  return { ...USUAL, tokenLifeSeconds: Math.min(USUAL.tokenLifeSeconds, Math.max(MIN_TOKEN_LIFE_SECONDS, longestRotatedSeconds(durationMs))) };
}

const longestRotatedSeconds = (durationMs = DEFAULT_RUN_MS): number => Math.floor((durationMs * ROTATION_PART) / 1000);

/** Refuses what a scenario cannot be run with, before anything is built. @throws ERR_SCENARIO */
export function refuseImpossible({ scenario, noUpdates, deviceCount, durationMs, tokenLifeSeconds }: SimulationOptions): void {
  if (noUpdates && scenario !== 'root-migration') refuse('--no-updates belongs to the scenario root-migration', 'add --scenario root-migration, or leave it out');
  if (scenario === 'root-migration' && deviceCount < MIN_MIGRATION_DEVICES) refuse(`root-migration wants ${MIN_MIGRATION_DEVICES} devices at least`, 'give --devices 3 or more, or leave it out: 100');
  if (scenario !== 'key-rotation') return;
  const longest = longestRotatedSeconds(durationMs);
  if (longest < MIN_TOKEN_LIFE_SECONDS) refuse('key-rotation wants a run of 30s at least', 'give --duration 30s or more');
  if (tokenLifeSeconds <= longest) return;
  const runSeconds = Math.ceil(tokenLifeSeconds / ROTATION_PART);
  refuse(
    `key-rotation wants tokens that live a sixth of the run at most: ${formatDuration(longest * 1000)}, or keys are replaced before devices have changed over`,
    `give --token-ttl ${longest}s, or --duration ${runSeconds}s`,
  );
}

function refuse(message: string, remedy: string): never {
  throw new CliError('ERR_SCENARIO', EXIT.usage, message, remedy);
}
