import { Option, type Command } from 'commander';
import { DEFAULT_DPS_HOST } from '../../firmware/agent/provisioning/dps-limits.ts';
import { CHIPS, SIGNER_EFUSE_BLOCKS } from '../firmware/chips.ts';
import type { HubKeyFlags } from '../provisioning/hub-key-plan.ts';
import type { IdentityFlags } from '../provisioning/identity-source.ts';
import type { KeyPlace } from '../provisioning/plan.ts';
import { EXIT } from '../terminal/cli-error.ts';
import { durationMs, hostAndPort, repeated, wholeNumber, wholeSeconds, type HostAndPort } from '../terminal/option-values.ts';

const MQTT_TLS_PORT = 8883;
const NTP_PORT = 123;
export const HTTPS_PORT = 443;
const DAY_MS = 24 * 3600 * 1000;
/** Twenty years of a new key every day. */
const MAX_KEY_NUMBER = 7300;
export const POLICY_ENVIRONMENT = 'IOTHUB_CONNECTION_STRING';
/** Two, run by different people. */
export const PUBLIC_NTP = ['pool.ntp.org', 'time.windows.com'];

export interface ProvisionFlags extends IdentityFlags, HubKeyFlags {
  readonly chip: string;
  readonly release?: true;
  readonly keyStore?: KeyPlace;
  readonly signerBlock: number;
  readonly policyFile?: string;
  readonly saveSecret?: string;
  readonly wifiSsid?: string;
  readonly wifiPasswordFile?: string;
  readonly wifiOpen?: true;
  readonly ethernet?: true;
  readonly gateway?: HostAndPort;
  readonly root?: readonly string[];
  readonly rootsBundle?: string;
  readonly recoveryHost?: readonly HostAndPort[];
  readonly ntp?: readonly HostAndPort[];
  readonly date?: HostAndPort;
  readonly app?: string;
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

const collect = repeated((text: string) => text);

/** Of a device whose hub is assigned by a Device Provisioning Service. */
export function addDpsOptions(command: Command): Command {
  return command
    .option('--dps-scope <id>', 'ID scope of a Device Provisioning Service, instead of a connection string')
    .option('--dps-registration <id>', 'registration id there')
    .option('--dps-key-file <file>', 'its symmetric key, base64 ("-" is stdin)')
    .option('--dps-group', 'that key is the one of the enrolment group: the device gets a key derived from it')
    .option('--dps-host <host[:port]>', `where the service is (default: ${DEFAULT_DPS_HOST})`, hostAndPort(MQTT_TLS_PORT))
    .option('--dps-device <id>', 'the device id that an individual enrolment names (default: the registration id)')
    .option('--hub <name>', 'a hub that the service may assign; may be repeated', collect);
}

export function addProvisionOptions(command: Command): Command {
  return addDpsOptions(command)
    .addOption(new Option('--chip <name>', 'the chip, as in latchkey firmware build').choices(CHIPS.map(({ name }) => name)).makeOptionMandatory())
    .option('--release', 'for a firmware that was built with --release: key in an eFuse block, settings encrypted')
    .addOption(new Option('--key-store <place>', 'where the key goes (default: efuse with --release on chips that have it, else partition)').choices(['efuse', 'partition']))
    .option('--signer-block <n>', 'eFuse key block of the device key, 0 to 4', wholeNumber(0, 5), SIGNER_EFUSE_BLOCKS[0])
    .option('--connection-string <text>', 'the device\'s connection string, "-" for stdin (a text on the command line is seen by everybody on this machine)')
    .option('--connection-string-file <file>', 'a file that holds it')
    .option('--new-key', 'make a secret for the device, and give the hub the two keys that it derives from it')
    .option('--policy-file <file>', `for that: a policy's connection string that may write to the registry (or ${POLICY_ENVIRONMENT}); without one the az line is printed`)
    .option('--save-secret <file>', 'with --new-key: keep the secret, for more than the two first hub keys (mode 0600; keep it offline)')
    .option('--keep-key', 'the key on the board stays: only settings change')
    .option('--key-number <n>', 'the hub key that the board derives (default: 1 with --new-key, as it was with --keep-key)', wholeNumber(1, MAX_KEY_NUMBER))
    .option('--secret-file <file>', 'with --keep-key --key-number: what --save-secret wrote; the hub is given that key and the next one')
    .option('--wifi-ssid <name>', 'the network')
    .option('--wifi-password-file <file>', 'a file that holds its password, "-" for stdin (default: it is asked for)')
    .option('--wifi-open', 'the network has no password')
    .option('--ethernet', 'the board has no Wi-Fi')
    .option('--gateway <host[:port]>', 'connect there: a latchkey hub --address on this machine, as the board reaches it', hostAndPort(MQTT_TLS_PORT))
    .option('--root <file>', 'trust the certificates in this file (PEM or DER) and no others; may be repeated (default: the public roots of Azure; with --gateway that of the local hub)', collect)
    .option('--roots-bundle <file>', 'trust the roots of this bundle, and take later ones that its keys have signed (latchkey roots create)')
    .option('--recovery-host <host[:port]>', 'with --roots-bundle: where the board asks for the next bundle, by plain HTTP, when it can no longer verify its hub; may be repeated', repeated(hostAndPort(80)))
    .option('--ntp <host[:port]>', `ask this time server; up to two (default: ${PUBLIC_NTP.join(', ')})`, repeated(hostAndPort(NTP_PORT)))
    .option('--date <host[:port]>', 'confirm the clock by the Date of this HTTPS server (default: the hub, none with --gateway)', hostAndPort(HTTPS_PORT))
    .addOption(new Option('--app <name>', 'the sample application').choices(['load', 'thermostat']))
    .addOption(new Option('--token-ttl <time>', 'life of a token, 5s to 365d').argParser(wholeSeconds(5, 365 * 86_400)))
    .addOption(new Option('--telemetry-interval <time>', 'time between two messages').argParser(durationMs(1, DAY_MS)))
    .option('--nvs-key <file>', 'with --release: the key of the settings that is burnt already')
    .option('--save-nvs-key <file>', 'with --release: keep the key of the settings, to change them later (mode 0600)')
    .option('--port <port>', 'serial port of the board: its eFuses are looked at')
    .option('--burn', 'burn the keys into the board at --port, after you typed what is asked; nothing takes that back')
    .option('--dry-run', 'only show every byte range and block that would change')
    .option('--out <folder>', 'where the images go (default: .build/provision/DEVICE)')
    .option('--json', 'one JSON object a line on stdout');
}

/** Ends with a usage error where options do not go together. */
export function checkCombination(flags: ProvisionFlags, command: Command): void {
  const refuse = (text: string): never => command.error(`error: ${text}`, { exitCode: EXIT.usage });
  if (flags.burn === true && flags.port === undefined) refuse('--burn needs --port: say which board');
  if (flags.burn === true && flags.chip.endsWith('-qemu')) refuse('--burn is for a real chip: the eFuses of an emulated one are written to a file');
  if (flags.burn === true && flags.dryRun === true) refuse('--burn and --dry-run cannot both be given');
  if (flags.newKey === true && flags.keepKey === true) refuse('--new-key and --keep-key cannot both be given');
  const isOfDps = (flags.dpsScope ?? flags.dpsRegistration) !== undefined;
  if (isOfDps && (flags.connectionString ?? flags.connectionStringFile) !== undefined) refuse('--dps-scope and --dps-registration take the place of a connection string: give one of them');
  if (isOfDps && flags.keyNumber !== undefined) refuse('--key-number does not go with --dps-scope: the key is that of the enrolment');
  if (flags.keyNumber !== undefined && flags.newKey !== true && flags.keepKey !== true) refuse('--key-number goes with --new-key or --keep-key');
  if (flags.saveSecret !== undefined && flags.newKey !== true) refuse('--save-secret goes with --new-key');
  if (flags.secretFile !== undefined && (flags.keepKey !== true || flags.keyNumber === undefined)) refuse('--secret-file goes with --keep-key --key-number N');
  if ((flags.wifiSsid === undefined) !== (flags.ethernet === true)) refuse('give --wifi-ssid NAME, or --ethernet for a board without Wi-Fi');
  if (flags.wifiOpen === true && flags.wifiPasswordFile !== undefined) refuse('--wifi-open and --wifi-password-file cannot both be given');
  if (flags.wifiPasswordFile === '-' && flags.connectionString === '-') refuse('stdin is one of them: the connection string or the Wi-Fi password');
  if (flags.rootsBundle !== undefined && flags.root !== undefined) refuse('--root and --roots-bundle cannot both be given');
  if (flags.recoveryHost !== undefined && flags.rootsBundle === undefined) refuse('--recovery-host goes with --roots-bundle');
  if ((flags.ntp?.length ?? 0) > 2) refuse('two time servers at most');
}
