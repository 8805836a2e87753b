import { isRegistrationId } from '../dps/enrolments.ts';
import { sayLine, type CliContext } from '../terminal/cli-context.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import type { ConnectionString } from '../terminal/connection-string.ts';
import { readConnectionString } from '../terminal/connection-string-source.ts';
import { readSecret } from '../terminal/secret-source.ts';
import { hostAndPort, type HostAndPort } from '../terminal/option-values.ts';
import type { DpsSetup } from '../simulation/device-folder.ts';
import type { DeviceIdentity, KeySource } from './provision-inputs.ts';

const ENVIRONMENT_NAME = 'IOTHUB_DEVICE_CONNECTION_STRING';
/** As Microsoft's samples spell them; with `IOTHUB_DEVICE_SECURITY_TYPE=DPS`. */
const DPS_ENVIRONMENT = {
  type: 'IOTHUB_DEVICE_SECURITY_TYPE',
  endpoint: 'IOTHUB_DEVICE_DPS_ENDPOINT',
  scope: 'IOTHUB_DEVICE_DPS_ID_SCOPE',
  registration: 'IOTHUB_DEVICE_DPS_DEVICE_ID',
  key: 'IOTHUB_DEVICE_DPS_DEVICE_KEY',
} as const;
const DPS_PORT = 8883;
const ID_SCOPE = /^0ne[0-9A-F]{8}$/i;

/** Where a device that registers itself asks, and as what. */
export interface DpsFlags {
  readonly dpsScope?: string;
  readonly dpsRegistration?: string;
  readonly dpsKeyFile?: string;
  readonly dpsGroup?: true;
  readonly dpsHost?: HostAndPort;
  readonly dpsDevice?: string;
  readonly hub?: readonly string[];
}

export interface IdentityFlags extends DpsFlags {
  readonly connectionString?: string;
  readonly connectionStringFile?: string;
  readonly newKey?: true;
  readonly keepKey?: true;
  readonly gateway?: unknown;
}

export interface FoundDevice {
  readonly identity: DeviceIdentity;
  readonly dps?: DpsSetup | undefined;
  readonly key: KeySource;
}

/** Who the board is to be, and what it signs with. @throws ERR_CONNECTION_STRING, ERR_DPS */
export function identifyDevice(flags: IdentityFlags, context: CliContext): Promise<FoundDevice> {
  return isOfDps(flags, context) ? fromDps(flags, context) : fromConnectionString(flags, context);
}

/** A flag says so, or, where no connection string was given by one, the environment. */
export function isOfDps(flags: Pick<IdentityFlags, 'dpsScope' | 'dpsRegistration' | 'connectionString' | 'connectionStringFile'>, { env }: CliContext): boolean {
  if (flags.dpsScope !== undefined || flags.dpsRegistration !== undefined) return true;
  return flags.connectionString === undefined && flags.connectionStringFile === undefined && env[DPS_ENVIRONMENT.type]?.toUpperCase() === 'DPS';
}

async function fromConnectionString(flags: IdentityFlags, context: CliContext): Promise<FoundDevice> {
  const { connection, source } = await readConnectionString(context, { flag: flags.connectionString, file: flags.connectionStringFile, environmentName: ENVIRONMENT_NAME });
  const { HostName: hub, DeviceId: deviceId, ModuleId: moduleId, SharedAccessKeyName: policyName } = connection;
  if (deviceId === undefined) throw refused(`the connection string from ${source} has no DeviceId`, 'use the connection string of a device, not the one of the hub');
  if (connection.x509 !== undefined) throw refused(`the connection string from ${source} asks for X.509`, 'certificates of devices are not supported yet: use a device with symmetric keys');
  if (flags.newKey === true && (moduleId !== undefined || policyName !== undefined)) throw refused('a new key is made for devices only', 'leave ModuleId and SharedAccessKeyName out');
  if (connection.GatewayHostName !== undefined && flags.gateway === undefined) {
    sayLine(context, `latchkey: GatewayHostName=${connection.GatewayHostName} is left out: the board connects to ${hub}, unless --gateway says where else, as the board reaches it`);
  }
  return { identity: { hub, deviceId, moduleId, policyName }, key: keyOf(flags, connection, source) };
}

function keyOf(flags: IdentityFlags, { SharedAccessKey, SharedAccessSignature }: ConnectionString, source: string): KeySource {
  if (flags.newKey === true) return { type: 'new' };
  if (flags.keepKey === true) return { type: 'kept' };
  if (SharedAccessKey !== undefined) return { type: 'given', keyBase64: SharedAccessKey, owner: `the connection string from ${source}` };
  throw refused(
    `the connection string from ${source} has ${SharedAccessSignature === undefined ? 'no SharedAccessKey' : 'a token that ends, and no SharedAccessKey'}`,
    'copy the whole connection string, in single quotes in a shell; or let provision make a key: --new-key',
  );
}

/** Who a device is to its provisioning service. @throws ERR_DPS */
export async function fromDps(flags: Omit<IdentityFlags, 'connectionString' | 'connectionStringFile'>, context: CliContext): Promise<FoundDevice & { readonly dps: DpsSetup }> {
  const { env } = context;
  const { dpsScope: scope = env[DPS_ENVIRONMENT.scope] ?? '', dpsRegistration: registrationId = env[DPS_ENVIRONMENT.registration] ?? '', hub: hubs = [] } = flags;
  if (!ID_SCOPE.test(scope)) throw refusedDps(scope === '' ? 'there is no ID scope (--dps-scope)' : `"${scope}" is no ID scope`, 'copy it from the overview of the service: 0ne and eight hexadecimal digits');
  if (!isRegistrationId(registrationId)) throw refusedDps(registrationId === '' ? 'there is no registration id' : `"${registrationId}" is no registration id`, 'letters, digits and - . _ :, the last one a letter, a digit or -, 128 at most: --dps-registration ID');
  if (flags.newKey === true) throw refusedDps('the service knows the key already', 'give it: --dps-key-file FILE');
  const [hub] = hubs;
  if (hub === undefined) throw refusedDps('the key must be bound to hubs', 'name each hub that the service may assign: --hub NAME.azure-devices.net');
  const endpoint = flags.dpsHost ?? endpointOf(env[DPS_ENVIRONMENT.endpoint]);
  const dps: DpsSetup = { scope, registrationId, hubs, host: endpoint?.host, port: endpoint?.port };
  const identity = { hub, deviceId: flags.dpsDevice ?? registrationId };
  if (flags.keepKey === true) return { identity, dps, key: { type: 'kept' } };
  const fromEnvironment = flags.dpsKeyFile === undefined && flags.dpsGroup !== true ? env[DPS_ENVIRONMENT.key] : undefined;
  const keyBase64 = fromEnvironment ?? (await readSecret(context, 'the symmetric key of the enrolment', '--dps-key-file', flags.dpsKeyFile));
  const owner = flags.dpsGroup === true ? 'the enrolment group' : 'the enrolment';
  return { identity, dps, key: flags.dpsGroup === true ? { type: 'group', keyBase64, owner, registrationId } : { type: 'given', keyBase64, owner } };
}

function endpointOf(text: string | undefined): HostAndPort | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    return hostAndPort(DPS_PORT)(text);
  } catch (cause) {
    throw new CliError('ERR_DPS', EXIT.configuration, `${DPS_ENVIRONMENT.endpoint} is no host`, 'write HOST or HOST:PORT, such as global.azure-devices-provisioning.net', { cause });
  }
}

const refused = (message: string, remedy: string): CliError => new CliError('ERR_CONNECTION_STRING', EXIT.configuration, message, remedy);
const refusedDps = (message: string, remedy: string): CliError => new CliError('ERR_DPS', EXIT.configuration, message, remedy);
