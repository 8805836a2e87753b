import { Option, type Command } from 'commander';
import { findProgram } from '../chip-tools/external-tool.ts';
import type { EfuseBoard } from '../chip-tools/espefuse.ts';
import { CHIPS, findChip, SIGNER_EFUSE_BLOCKS, type Chip } from '../firmware/chips.ts';
import { deriveHubKey, wipeKey } from '../provisioning/device-key.ts';
import { openKeyRegistry } from '../provisioning/key-registry.ts';
import type { KeyPlace } from '../provisioning/plan.ts';
import { describeProvisionEvent } from '../provisioning/provision-events.ts';
import { defaultFolder, prepareRequest, type ProvisionInputs } from '../provisioning/provision-inputs.ts';
import { identifyDevice, type IdentityFlags } from '../provisioning/identity-source.ts';
import { provision } from '../provisioning/provision.ts';
import { checkWifi, type Wifi } from '../provisioning/wifi.ts';
import { printJson, printLine, sayLine, type CliContext } from '../terminal/cli-context.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { durationMs, hostAndPort, repeated, wholeNumber, wholeSeconds, type HostAndPort } from '../terminal/option-values.ts';
import { parseConnectionString } from '../terminal/connection-string.ts';
import { promptLine } from '../terminal/prompt.ts';
import { readSecret } from '../terminal/secret-source.ts';

const MQTT_TLS_PORT = 8883;
const NTP_PORT = 123;
const HTTPS_PORT = 443;
const DAY_MS = 24 * 3600 * 1000;
const POLICY_ENVIRONMENT = 'IOTHUB_CONNECTION_STRING';
/** Two, run by different people. */
const PUBLIC_NTP = ['pool.ntp.org', 'time.windows.com'];

interface ProvisionFlags extends IdentityFlags {
  readonly chip: string;
  readonly release?: true;
  readonly keyStore?: KeyPlace;
  readonly signerBlock: number;
  readonly policyFile?: string;
  readonly wifiSsid?: string;
  readonly wifiPasswordFile?: string;
  readonly wifiOpen?: true;
  readonly ethernet?: true;
  readonly gateway?: HostAndPort;
  readonly root?: readonly string[];
  readonly ntp?: readonly HostAndPort[];
  readonly date?: HostAndPort;
  readonly tokenTtl?: number;
  readonly telemetryInterval?: number;
  readonly nvsKey?: string;
  readonly saveNvsKey?: string;
  readonly port?: string;
  readonly burn?: true;
  readonly dryRun?: true;
  readonly out?: string;
  readonly json?: true;
}

const EXAMPLES = `Examples:
  npm run latchkey -- provision --chip esp32c3 --wifi-ssid home --connection-string-file dev1.txt    a board on the desk, nothing burnt
  npm run latchkey -- provision --chip esp32c3 --wifi-ssid home --connection-string-file dev1.txt --gateway 192.168.1.5:18883
  npm run latchkey -- provision --chip esp32c3 --release --new-key --dry-run --wifi-ssid home …      what a board in the field would get
  npm run latchkey -- provision --chip esp32c3 --release --new-key --burn --port /dev/ttyUSB0 …      and giving it
`;

export function addProvisionCommand(program: Command, context: CliContext): void {
  program
    .command('provision')
    .description('Makes what a board needs to be one device: settings, roots, Wi-Fi, and its key in the chip\'s secure storage. latchkey flash writes it.')
    .addHelpText('before', EXAMPLES)
    .addOption(new Option('--chip <name>', 'the chip, as in latchkey firmware build').choices(CHIPS.map(({ name }) => name)).makeOptionMandatory())
    .option('--release', 'for a firmware that was built with --release: key in an eFuse block, settings encrypted')
    .addOption(new Option('--key-store <place>', 'where the key goes (default: efuse with --release on chips that have it, else partition)').choices(['efuse', 'partition']))
    .option('--signer-block <n>', 'eFuse key block of the device key, 0 to 4', wholeNumber(0, 5), SIGNER_EFUSE_BLOCKS[0])
    .option('--connection-string <text>', 'the device\'s connection string, "-" for stdin (a text on the command line is seen by everybody on this machine)')
    .option('--connection-string-file <file>', 'a file that holds it')
    .option('--new-key', 'make a new key for the device and give it to the hub')
    .option('--policy-file <file>', `with --new-key: a policy's connection string that may write to the registry (or ${POLICY_ENVIRONMENT}); without one the az line is printed`)
    .option('--keep-key', 'the key on the board stays: only settings change')
    .option('--dps-scope <id>', 'ID scope of a Device Provisioning Service, instead of a connection string')
    .option('--dps-registration <id>', 'registration id there')
    .option('--dps-key-file <file>', 'its symmetric key, base64 ("-" is stdin)')
    .option('--dps-group', 'that key is the one of the enrolment group: the device gets a key derived from it')
    .option('--hub <name>', 'a hub that the service may assign; may be repeated', repeated((text) => text))
    .option('--wifi-ssid <name>', 'the network')
    .option('--wifi-password-file <file>', 'a file that holds its password, "-" for stdin (default: it is asked for)')
    .option('--wifi-open', 'the network has no password')
    .option('--ethernet', 'the board has no Wi-Fi')
    .option('--gateway <host[:port]>', 'connect there: a latchkey hub --address on this machine, as the board reaches it', hostAndPort(MQTT_TLS_PORT))
    .option('--root <file>', 'trust the certificates in this file (PEM or DER) and no others; may be repeated (default: the public roots of Azure; with --gateway that of the local hub)', repeated((text) => text))
    .option('--ntp <host[:port]>', `ask this time server; up to two (default: ${PUBLIC_NTP.join(', ')})`, repeated(hostAndPort(NTP_PORT)))
    .option('--date <host[:port]>', 'confirm the clock by the Date of this HTTPS server (default: the hub, none with --gateway)', hostAndPort(HTTPS_PORT))
    .addOption(new Option('--token-ttl <time>', 'life of a token, 5s to 365d').argParser(wholeSeconds(5, 365 * 86_400)))
    .addOption(new Option('--telemetry-interval <time>', 'time between two messages').argParser(durationMs(1, DAY_MS)))
    .option('--nvs-key <file>', 'with --release: the key of the settings that is burnt already')
    .option('--save-nvs-key <file>', 'with --release: keep the key of the settings, to change them later (mode 0600)')
    .option('--port <port>', 'serial port of the board: its eFuses are looked at')
    .option('--burn', 'burn the keys into the board at --port, after you typed what is asked; nothing takes that back')
    .option('--dry-run', 'only show every byte range and block that would change')
    .option('--out <folder>', 'where the images go (default: .build/provision/DEVICE)')
    .option('--json', 'one JSON object a line on stdout')
    .action((flags: ProvisionFlags, command: Command) => {
      checkCombination(flags, command);
      return runProvision(flags, context);
    });
}

async function runProvision(flags: ProvisionFlags, context: CliContext): Promise<void> {
  const chip = findChip(flags.chip);
  if (chip === undefined) throw new CliError('ERR_CHIP', EXIT.configuration, `there is no manifest for ${flags.chip}`, `the chips are ${CHIPS.map(({ name }) => name).join(', ')}`);
  const { identity, dps, key } = await identifyDevice(flags, context);
  const inputs: ProvisionInputs = {
    chip, isRelease: flags.release === true, keyPlace: flags.keyStore, signerBlock: flags.signerBlock, identity, dps, key,
    wifi: await readWifi(flags, context),
    gateway: flags.gateway, roots: flags.root, ntp: flags.ntp?.map(formatHostAndPort) ?? PUBLIC_NTP,
    date: flags.date !== undefined ? formatHostAndPort(flags.date) : flags.gateway === undefined ? `${identity.hub}:${HTTPS_PORT}` : undefined,
    tokenLifeSeconds: flags.tokenTtl, telemetryIntervalMs: flags.telemetryInterval, nvsKeyFile: flags.nvsKey,
  };
  const { request, deviceKey } = prepareRequest(inputs);
  const hubKeys = deviceKey?.generation === undefined ? undefined : {
    primary: deriveHubKey(deviceKey.bytes, identity.hub, identity.deviceId, deviceKey.generation),
    secondary: deriveHubKey(deviceKey.bytes, identity.hub, identity.deviceId, deviceKey.generation + 1),
  };
  try {
    await provision({
      request, hub: identity.hub, deviceId: identity.deviceId, folder: flags.out ?? defaultFolder(identity.deviceId),
      dryRun: flags.dryRun === true, burn: flags.burn === true, board: openBoard(flags, chip, context), hubKeys,
      registry: hubKeys === undefined || flags.dryRun === true ? undefined : await openRegistry(flags, context), nvsKeyFile: flags.saveNvsKey,
    }, {
      onEvent: (event) => (flags.json === true ? printJson(context, event) : printLine(context, describeProvisionEvent(event))),
      confirm: (question, words) => confirm(context, question, words),
    });
  } finally {
    if (deviceKey !== undefined) wipeKey(deviceKey);
    hubKeys?.primary.fill(0);
    hubKeys?.secondary.fill(0);
  }
}

function checkCombination(flags: ProvisionFlags, command: Command): void {
  const refuse = (text: string): never => command.error(`error: ${text}`, { exitCode: EXIT.usage });
  if (flags.burn === true && flags.port === undefined) refuse('--burn needs --port: say which board');
  if (flags.burn === true && flags.dryRun === true) refuse('--burn and --dry-run cannot both be given');
  if (flags.newKey === true && flags.keepKey === true) refuse('--new-key and --keep-key cannot both be given');
  if ((flags.wifiSsid === undefined) !== (flags.ethernet === true)) refuse('give --wifi-ssid NAME, or --ethernet for a board without Wi-Fi');
  if (flags.wifiOpen === true && flags.wifiPasswordFile !== undefined) refuse('--wifi-open and --wifi-password-file cannot both be given');
  if (flags.wifiPasswordFile === '-' && flags.connectionString === '-') refuse('stdin is one of them: the connection string or the Wi-Fi password');
  if ((flags.ntp?.length ?? 0) > 2) refuse('two time servers at most');
}

/** A dry run asks for no password: the place of the settings does not depend on it. */
async function readWifi(flags: ProvisionFlags, context: CliContext): Promise<Wifi | undefined> {
  if (flags.wifiSsid === undefined) return undefined;
  const isAsked = flags.wifiOpen !== true && !(flags.dryRun === true && flags.wifiPasswordFile === undefined);
  const password = isAsked ? await readSecret(context, 'the Wi-Fi password', '--wifi-password-file', flags.wifiPasswordFile) : undefined;
  return checkWifi({ ssid: flags.wifiSsid, password });
}

function openBoard({ port }: ProvisionFlags, chip: Chip, context: CliContext): EfuseBoard | undefined {
  if (port === undefined) return undefined;
  return { program: findProgram('espefuse', context.env), chip, port, interrupted: context.interrupted };
}

async function openRegistry({ policyFile }: ProvisionFlags, context: CliContext): ReturnType<typeof findRegistry> {
  const text = context.env[POLICY_ENVIRONMENT];
  if (policyFile !== undefined) return findRegistry(await readSecret(context, 'the policy', '--policy-file', policyFile), policyFile);
  return text === undefined || text === '' ? undefined : findRegistry(text, POLICY_ENVIRONMENT);
}

async function findRegistry(text: string, source: string): Promise<Awaited<ReturnType<typeof openKeyRegistry>> | undefined> {
  return openKeyRegistry(parseConnectionString(text, source));
}

async function confirm(context: CliContext, question: string, words: string): Promise<boolean> {
  if (context.stdin.isTTY !== true) {
    throw new CliError('ERR_CONFIRMATION', EXIT.configuration, 'burning asks a person, and stdin is no terminal', 'run it in a terminal; on a production line leave --burn out and burn the files that provision writes');
  }
  sayLine(context, question);
  return (await promptLine(context, `Type "${words}": `)) === words;
}

const formatHostAndPort = ({ host, port }: HostAndPort): string => `${host}:${port}`;
