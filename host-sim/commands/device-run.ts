import { relative } from 'node:path';
import { Option, type Command } from 'commander';
import { DEFAULT_DPS_HOST } from '../../firmware/agent/provisioning/dps-limits.ts';
import { fromDps, isOfDps, type DpsFlags } from '../provisioning/identity-source.ts';
import { makeKey } from '../provisioning/provision-inputs.ts';
import { runningHubs, type HubPlace } from '../service/hub-place.ts';
import type { DeviceRunOptions } from '../simulation/device-run.ts';
import { toJsonLine, type SimulationEvent } from '../simulation/events.ts';
import { APP_NAMES, type AppName } from '../simulation/options.ts';
import { makeStyle, printJson, printLine, sayLine, type CliContext } from '../terminal/cli-context.ts';
import { EXIT, EXIT_OF_ENDING } from '../terminal/cli-error.ts';
import { readConnectionString } from '../terminal/connection-string-source.ts';
import { maskConnectionString, requireDevice, type DeviceConnectionString } from '../terminal/connection-string.ts';
import { nearestWord } from '../terminal/did-you-mean.ts';
import { durationMs, durationOption, hostAndPort, repeated, wholeNumber, wholeSeconds, type HostAndPort } from '../terminal/option-values.ts';
import { readRoots } from '../terminal/root-files.ts';
import { SimulationRenderer } from '../terminal/simulation-renderer.ts';
import { addDpsOptions } from './provision-options.ts';

const DAY_MS = 24 * 3600 * 1000;
const MQTT_TLS_PORT = 8883;
const HTTPS_PORT = 443;
const NTP_PORT = 123;
const HTTP_PORT = 80;
const ENVIRONMENT_NAME = 'IOTHUB_DEVICE_CONNECTION_STRING';
/** Asked when the hub is Azure's; two, run by different people. */
const PUBLIC_NTP: readonly HostAndPort[] = [{ host: 'pool.ntp.org', port: NTP_PORT }, { host: 'time.windows.com', port: NTP_PORT }];

interface DeviceFlags extends DpsFlags {
  readonly connectionString?: string;
  readonly connectionStringFile?: string;
  readonly hubAddress?: HostAndPort;
  readonly root?: readonly string[];
  readonly rootsBundle?: string;
  readonly recoveryHost?: readonly HostAndPort[];
  readonly tokenTtl: number;
  readonly telemetryInterval: number;
  readonly duration?: number;
  readonly qos: '0' | '1';
  readonly size: number;
  readonly ntp?: readonly HostAndPort[];
  readonly date?: HostAndPort;
  readonly bits: '32' | '64';
  readonly keep?: string;
  readonly pipeline?: true;
  readonly app: AppName;
  readonly json?: true;
}

const EXAMPLES = `Examples:
  export ${ENVIRONMENT_NAME}='HostName=…;DeviceId=…;SharedAccessKey=…'
  npm run latchkey -- device                                    against Azure IoT Hub
  npm run latchkey -- device --connection-string-file dev1.txt --duration 5m
  npm run latchkey -- device --root root.pem                    another hub, by GatewayHostName in the connection string
  npm run --silent latchkey -- device show -d dev1 --connection-string --show-secrets | npm run latchkey -- device
                                                                the hub that runs here
  npm run latchkey -- device --dps-scope 0ne… --dps-registration dev1 --dps-key-file group.key --dps-group --hub myhub.azure-devices.net
  npm run latchkey -- device --roots-bundle 1.json --keep dev1  takes new roots that the keys of 1.json sign, and keeps them
`;

/** `device run`, which plain `device` is, too. */
export function addDeviceRunCommand(device: Command, context: CliContext): void {
  addDpsOptions(device.command('run', { isDefault: true }))
    .description(`Runs a virtual device against any hub. The connection string comes from --connection-string, --connection-string-file, ${ENVIRONMENT_NAME} or stdin.`)
    .addHelpText('before', EXAMPLES)
    .option('--connection-string <text>', 'the device\'s connection string, "-" for stdin (a text on the command line is seen by everybody on this machine)')
    .option('--connection-string-file <file>', 'a file that holds it')
    .option('--hub-address <host[:port]>', 'connect there instead, for the same name in TLS and token', hostAndPort(MQTT_TLS_PORT))
    .option('--root <file>', 'trust the certificates in this file (PEM or DER) and no others; may be repeated (default: that of the "latchkey hub" which runs here, where it is meant, else the public roots of Azure)', repeated((text) => text))
    .option('--roots-bundle <file>', 'trust the roots of this bundle, and take later ones that its keys have signed (latchkey roots create)')
    .option('--recovery-host <host[:port]>', 'with --roots-bundle: where the device asks for the next bundle, by plain HTTP, when it can no longer verify its hub; may be repeated', repeated(hostAndPort(HTTP_PORT)))
    .addOption(durationOption('--token-ttl <time>', 'life of a token, 5s to 365d', wholeSeconds(5, 365 * 86_400), '1h'))
    .addOption(durationOption('--telemetry-interval <time>', 'time between two messages', durationMs(1, DAY_MS), '5s'))
    .option('--duration <time>', 'how long the device sends (default: until Ctrl-C)', durationMs(1000, 24 * DAY_MS))
    .addOption(new Option('--qos <n>', 'of telemetry').choices(['0', '1']).default('1'))
    .option('--size <bytes>', 'bytes of a message', wholeNumber(16, 4096), 100)
    .option('--ntp <host[:port]>', 'ask this time server; up to two (default: public ones, none for a local hub)', repeated(hostAndPort(NTP_PORT)))
    .option('--date <host[:port]>', 'confirm the clock by the Date of this HTTPS server (default: the hub, none for a local hub)', hostAndPort(HTTPS_PORT))
    .addOption(new Option('--bits <n>', 'the board as a 64-bit program, or as a 32-bit one as on the chip').choices(['32', '64']).default('64'))
    .addOption(new Option('--app <name>', 'numbered messages, or a thermostat with twin and methods').choices([...APP_NAMES]).default('load'))
    .option('--pipeline', 'send messages behind the CONNECT of a renewal without waiting for its answer')
    .option('--keep <folder>', "keep the device's files there: settings, flash, key")
    .option('--json', 'one JSON object a line on stdout')
    .allowExcessArguments()
    .action((flags: DeviceFlags, command: Command) => runDevice(flags, command, context));
}

async function runDevice(flags: DeviceFlags, command: Command, context: CliContext): Promise<void> {
  refuseWords(command);
  refuseContradictions(flags, command);
  if (isOfDps(flags, context)) return runRegistered(flags, context);
  const { connection, source } = await readConnectionString(context, {
    flag: flags.connectionString,
    file: flags.connectionStringFile,
    environmentName: ENVIRONMENT_NAME,
  });
  const device = requireDevice(connection, source);
  const local = localHubOf(flags, device, context);
  const options = toOptions(flags, device, await trustOf(flags, local));
  sayLine(context, `latchkey: ${maskConnectionString(device)} (from ${source})`);
  sayLocalRoot(local, context);
  await runOptions(options, flags, context);
}

/** A device that asks a provisioning service for its hub. */
async function runRegistered(flags: DeviceFlags, context: CliContext): Promise<void> {
  const { identity, dps, key } = await fromDps(flags, context);
  const deviceKey = makeKey(key);
  const connection = { HostName: identity.hub, DeviceId: identity.deviceId, SharedAccessKey: deviceKey?.bytes.toString('base64') ?? '' };
  deviceKey?.bytes.fill(0);
  sayLine(context, `latchkey: registration ${dps.registrationId} of ID scope ${dps.scope}, hub ${dps.hubs.join(' or ')}`);
  const local = localHubOf(flags, connection, context);
  const options = toOptions(flags, connection, await trustOf(flags, local));
  sayLocalRoot(local, context);
  const date = flags.date ?? (flags.hubAddress === undefined ? { host: dps.host ?? DEFAULT_DPS_HOST, port: HTTPS_PORT } : undefined);
  await runOptions({ ...options, dps, date: date && formatHostAndPort(date) }, flags, context);
}

async function runOptions(options: DeviceRunOptions, flags: DeviceFlags, context: CliContext): Promise<void> {
  const { runSingleDevice } = await import('../simulation/device-run.ts');
  const ending = await runSingleDevice(options, {
    onEvent: withRootAdvice(view(flags.json === true, context), context),
    onProgress: (text) => sayLine(context, `latchkey: ${text} …`),
    interrupted: context.interrupted,
  });
  context.exitCode = EXIT_OF_ENDING[ending];
}

/** `run` is what `device` does by itself, so that a mistyped command of `device` arrives here. */
function refuseWords({ args: [word], parent: device }: Command): void {
  if (word === undefined || device === null) return;
  const near = nearestWord(word, device.commands.map((each) => each.name()));
  device.error(`error: unknown command '${word}'${near === undefined ? '' : `\n(Did you mean ${near}?)`}`, { exitCode: EXIT.usage });
}

function refuseContradictions({ root, rootsBundle, recoveryHost, dpsScope, dpsRegistration, connectionString, connectionStringFile }: DeviceFlags, command: Command): void {
  const refuse = (text: string): never => command.error(`error: ${text}`, { exitCode: EXIT.usage });
  if ((dpsScope ?? dpsRegistration) !== undefined && (connectionString ?? connectionStringFile) !== undefined) refuse('--dps-scope and --dps-registration take the place of a connection string: give one of them');
  if (rootsBundle !== undefined && root !== undefined) refuse('--root and --roots-bundle cannot both be given');
  if (recoveryHost !== undefined && rootsBundle === undefined) refuse('--recovery-host goes with --roots-bundle');
}

/** The hub of this machine that is meant, where no root is named: its name in the connection string, and a way there that is not Azure's. */
function localHubOf({ root, rootsBundle, hubAddress }: DeviceFlags, device: DeviceConnectionString, context: CliContext): HubPlace | undefined {
  if (root !== undefined || rootsBundle !== undefined) return undefined;
  if (device.GatewayHostName === undefined && hubAddress === undefined) return undefined;
  return runningHubs(context.env).find(({ hubName }) => hubName.toLowerCase() === device.HostName.toLowerCase());
}

function sayLocalRoot(local: HubPlace | undefined, context: CliContext): void {
  if (local !== undefined) sayLine(context, `latchkey: trusting the root of the hub that runs here, ${relative('.', local.rootFile)}`);
}

/** The roots to begin with, and how others come. */
async function trustOf({ root, rootsBundle, recoveryHost }: DeviceFlags, local: HubPlace | undefined): Promise<Pick<DeviceRunOptions, 'roots' | 'updates'>> {
  if (rootsBundle === undefined) return { roots: readRoots(local === undefined ? root : [local.rootFile]), updates: undefined };
  const { readFirstSet } = await import('../roots/first-set.ts');
  return readFirstSet(rootsBundle, recoveryHost?.map(formatHostAndPort));
}

function view(isJson: boolean, context: CliContext): (event: SimulationEvent) => void {
  const renderer = new SimulationRenderer(makeStyle(context), false);
  return (event) => {
    if (isJson) {
      const line = toJsonLine(event);
      if (line !== undefined) printJson(context, line);
      return;
    }
    const line = renderer.render(event);
    if (line !== undefined) printLine(context, line);
  };
}

/** Says once what to do about a hub whose root is not trusted. */
function withRootAdvice(show: (event: SimulationEvent) => void, context: CliContext): (event: SimulationEvent) => void {
  let isSaid = false;
  return (event) => {
    show(event);
    if (isSaid || event.source !== 'device' || event.body.event !== 'open-failed' || !('code' in event.body) || event.body.code !== 'ERR_TLS_UNTRUSTED_ISSUER') return;
    isSaid = true;
    sayLine(context, 'latchkey: --root FILE names the root to trust; "latchkey hub" and "latchkey sim" show theirs at the start');
  };
}

function toOptions(flags: DeviceFlags, device: DeviceConnectionString, trust: Pick<DeviceRunOptions, 'roots' | 'updates'>): DeviceRunOptions {
  const gateway = device.GatewayHostName === undefined ? undefined : hostAndPort(MQTT_TLS_PORT)(device.GatewayHostName);
  const isLocal = gateway !== undefined || flags.hubAddress !== undefined;
  const ntp = flags.ntp ?? (isLocal ? [] : PUBLIC_NTP);
  const date = flags.date ?? (isLocal ? undefined : { host: device.HostName, port: HTTPS_PORT });
  return {
    connection: device,
    gateway: gateway?.host,
    port: flags.hubAddress?.port ?? gateway?.port ?? MQTT_TLS_PORT,
    hubAddress: flags.hubAddress?.host,
    ...trust,
    tokenLifeSeconds: flags.tokenTtl,
    telemetryIntervalMs: flags.telemetryInterval,
    durationMs: flags.duration,
    payloadBytes: flags.size,
    qos: flags.qos === '0' ? 0 : 1,
    pipeline: flags.pipeline === true,
    app: flags.app,
    ntp: ntp.map(formatHostAndPort),
    date: date === undefined ? undefined : formatHostAndPort(date),
    bits: flags.bits === '32' ? 32 : 64,
    keepFolder: flags.keep,
  };
}

const formatHostAndPort = ({ host, port }: HostAndPort): string => `${host}:${port}`;
