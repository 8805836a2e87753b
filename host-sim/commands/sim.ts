import { Option, type Command } from 'commander';
import { toJsonLine, type SimulationEvent, type SummaryEvent } from '../simulation/events.ts';
import { APP_NAMES, SCENARIO_NAMES, type AppName, type ScenarioName, type SimulationOptions } from '../simulation/options.ts';
import type { SimulationResult } from '../simulation/simulation.ts';
import { isTerminal, makeStyle, printJson, printLine, sayLine, type CliContext } from '../terminal/cli-context.ts';
import { EXIT_OF_ENDING, EXIT, type ExitCode } from '../terminal/cli-error.ts';
import { dateMs, durationMs, durationOption, port, wholeNumber, wholeSeconds } from '../terminal/option-values.ts';
import { formatBanner, formatSummary } from '../terminal/simulation-banner.ts';
import { SimulationRenderer } from '../terminal/simulation-renderer.ts';
import { MIN_TOKEN_LIFE_SECONDS, refuseImpossible, scenarioDefaults } from './sim-scenario.ts';

const DAY_MS = 24 * 3600 * 1000;
const MAX_RUN_MS = 9 * 365 * DAY_MS;
const MAX_TOKEN_LIFE_SECONDS = 365 * 86_400;
/** Processes on one machine; while all renew, each has two of the connections that the hub takes (limits.ts). */
const MAX_DEVICES = 500;

/** What commander makes of the command line. */
interface SimFlags {
  readonly duration?: number;
  readonly tokenTtl?: number;
  readonly grace: number;
  readonly telemetryInterval?: number;
  readonly devices?: number;
  readonly port: number;
  readonly delay: number;
  readonly seed?: number;
  readonly virtualTime?: true;
  readonly bits: '32' | '64';
  readonly keep?: string;
  readonly cuts: number;
  readonly scenario?: ScenarioName;
  /** `--no-updates` makes it false. */
  readonly updates: boolean;
  readonly deviceClock?: number;
  readonly pipeline?: true;
  readonly app: AppName;
  readonly json?: true;
}

const EXAMPLES = `Examples:
  npm run sim                                            one device, until Ctrl-C
  npm run sim -- --duration 120s --token-ttl 20s --delay 50ms --telemetry-interval 10ms
  npm run sim -- --duration 2m --scenario wrong-key      renewals that the hub refuses for a while
  npm run sim -- --virtual-time --duration 1h --cuts 30  an hour with thirty breaks of the link, in seconds
  npm run sim -- --virtual-time --duration 3m --token-ttl 25s --scenario key-rotation
                                                         primary, secondary and new primary key, one after another
  npm run sim -- --virtual-time --duration 1m --devices 500 --telemetry-interval 10s --scenario configuration
                                                         one automatic configuration for 500 devices
  npm run sim -- --scenario root-migration               a hundred devices whose hub moves to another root
`;

export function addSimCommand(program: Command, context: CliContext): void {
  program
    .command('sim')
    .description('Runs a hub and virtual devices: the firmware on the XS engine, over TLS and MQTT, renewing its tokens.')
    .addHelpText('before', EXAMPLES)
    .option('--duration <time>', 'how long the devices send; the run ends when all is acknowledged (default: until Ctrl-C)', durationMs(1000, MAX_RUN_MS))
    .option('--token-ttl <time>', 'life of a token, 5s to 365d (default: 60s; key-rotation: a sixth of the run, 60s at most)', wholeSeconds(MIN_TOKEN_LIFE_SECONDS, MAX_TOKEN_LIFE_SECONDS))
    .addOption(durationOption('--grace <time>', 'how long the hub keeps a connection after its token has ended', durationMs(0, DAY_MS), '5m'))
    .option('--telemetry-interval <time>', 'time between two messages of a device (default: 1s; root-migration: 5s)', durationMs(1, DAY_MS))
    .option('--devices <n>', 'how many devices (default: 1; root-migration: 100)', wholeNumber(1, MAX_DEVICES))
    .option('--port <n>', "the hub's port, 0 for any free one", port, 18_883)
    .addOption(durationOption('--delay <time>', 'one-way delay of the link between devices and hub', durationMs(0, 60_000), '0ms'))
    .option('--seed <n>', 'makes chance repeat', wholeNumber(0, 2 ** 31 - 1))
    .option('--cuts <n>', 'break the link at so many random moments', wholeNumber(0, 10_000), 0)
    .addOption(new Option('--scenario <name>', 'make the hub refuse renewals for a while, replace the keys of devices, configure all devices, or move the hub to another root').choices(SCENARIO_NAMES))
    .option('--no-updates', 'with root-migration: nobody offers new roots; the devices are lost')
    .option('--virtual-time', 'jump from event to event instead of waiting; the same seed gives the same run')
    .addOption(new Option('--bits <n>', 'the board as a 64-bit program, or as a 32-bit one as on the chip').choices(['32', '64']).default('64'))
    .option('--device-clock <date>', "what the devices' clocks show at start, such as 1970-01-01", dateMs)
    .addOption(new Option('--app <name>', 'numbered messages, or a thermostat with twin and methods').choices([...APP_NAMES]).default('load'))
    .option('--pipeline', 'send messages behind the CONNECT of a renewal without waiting for its answer')
    .option('--keep <folder>', "keep the devices' files there: settings, flash, keys")
    .option('--json', 'one JSON object a line on stdout, the summary last')
    .action((flags: SimFlags) => runSim(flags, context));
}

async function runSim(flags: SimFlags, context: CliContext): Promise<void> {
  const options = toOptions(flags);
  refuseImpossible(options);
  const { simulate } = await import('../simulation/simulation.ts');
  const view = flags.json === true ? jsonView(context) : linesView(context, options);
  const result = await simulate(options, {
    ...view,
    onProgress: (text) => sayLine(context, `latchkey: ${text} …`),
    interrupted: context.interrupted,
  });
  context.exitCode = exitCodeFor(result);
}

interface View {
  readonly onEvent: (event: SimulationEvent) => void;
  readonly onGuest?: (guest: { readonly deviceId: string; readonly keyBase64: string }) => void;
}

function jsonView(context: CliContext): View {
  return {
    onEvent(event) {
      const line = toJsonLine(event);
      if (line !== undefined) printJson(context, line);
    },
  };
}

/** The connection string of the guest is shown on a terminal and nowhere else: it holds a key. */
function linesView(context: CliContext, options: SimulationOptions): View {
  const style = makeStyle(context);
  const renderer = new SimulationRenderer(style, options.isVirtual, options.deviceCount);
  const isForPerson = isTerminal(context) && context.stderr.isTTY === true;
  let guest: Parameters<NonNullable<View['onGuest']>>[0] | undefined;
  return {
    ...(isForPerson && { onGuest: (made) => void (guest = made) }),
    onEvent(event) {
      if (event.source === 'simulation' && event.body.event === 'started') return sayLine(context, formatBanner(event.body, options, guest, makeStyle({ ...context, stdout: context.stderr })));
      const isSummary = event.source === 'simulation' && event.body.event === 'summary';
      const line = isSummary ? renderer.finish() : renderer.render(event);
      if (line !== undefined) printLine(context, line);
      if (isSummary) printLine(context, formatSummary(event.body, style));
    },
  };
}

function exitCodeFor({ ending, summary }: SimulationResult): ExitCode {
  if (ending === 'complete' && !isClean(summary)) return EXIT.failed;
  return EXIT_OF_ENDING[ending];
}

const isClean = ({ sent, acked, lost, stranded = 0 }: SummaryEvent): boolean => lost === 0 && acked === sent && stranded === 0;

function toOptions(flags: SimFlags): SimulationOptions {
  const defaults = scenarioDefaults(flags.scenario, flags.duration);
  return {
    durationMs: flags.duration ?? defaults.durationMs,
    tokenLifeSeconds: flags.tokenTtl ?? defaults.tokenLifeSeconds,
    graceMs: flags.grace,
    telemetryIntervalMs: flags.telemetryInterval ?? defaults.telemetryIntervalMs,
    deviceCount: flags.devices ?? defaults.deviceCount,
    port: flags.port,
    delayMs: flags.delay,
    seed: flags.seed,
    // A hub that moves and devices without a network: both are of virtual time.
    isVirtual: flags.virtualTime === true || flags.scenario === 'root-migration',
    bits: flags.bits === '32' ? 32 : 64,
    keepFolder: flags.keep,
    cutCount: flags.cuts,
    scenario: flags.scenario,
    noUpdates: !flags.updates,
    deviceClockMs: flags.deviceClock,
    pipeline: flags.pipeline === true,
    // Only a thermostat has something to configure.
    app: flags.scenario === 'configuration' ? 'thermostat' : flags.app,
  };
}
