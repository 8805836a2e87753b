import { sayLine, type CliContext } from '../terminal/cli-context.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import type { ConnectionString } from '../terminal/connection-string.ts';
import { readConnectionString } from '../terminal/connection-string-source.ts';
import { readSecret } from '../terminal/secret-source.ts';
import type { DeviceIdentity, DpsIdentity, KeySource } from './provision-inputs.ts';

const ENVIRONMENT_NAME = 'IOTHUB_DEVICE_CONNECTION_STRING';
/** Azure: registration ids. */
const REGISTRATION_ID = /^[A-Za-z0-9](?:[A-Za-z0-9._:-]{0,126}[A-Za-z0-9])?$/;
const ID_SCOPE = /^0ne[0-9A-F]{8}$/i;

export interface IdentityFlags {
  readonly connectionString?: string;
  readonly connectionStringFile?: string;
  readonly newKey?: true;
  readonly keepKey?: true;
  readonly dpsScope?: string;
  readonly dpsRegistration?: string;
  readonly dpsKeyFile?: string;
  readonly dpsGroup?: true;
  readonly hub?: readonly string[];
  readonly gateway?: unknown;
}

export interface FoundDevice {
  readonly identity: DeviceIdentity;
  readonly dps?: DpsIdentity | undefined;
  readonly key: KeySource;
}

/** Who the board is to be, and what it signs with. @throws ERR_CONNECTION_STRING, ERR_DPS */
export function identifyDevice(flags: IdentityFlags, context: CliContext): Promise<FoundDevice> {
  return flags.dpsScope === undefined && flags.dpsRegistration === undefined ? fromConnectionString(flags, context) : fromDps(flags, context);
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

async function fromDps(flags: IdentityFlags, context: CliContext): Promise<FoundDevice> {
  const { dpsScope: scope = '', dpsRegistration: registrationId = '', hub: hubs = [] } = flags;
  if (!ID_SCOPE.test(scope)) throw refusedDps(`"${scope}" is no ID scope`, 'copy it from the overview of the service: 0ne and eight hexadecimal digits');
  if (!REGISTRATION_ID.test(registrationId)) throw refusedDps(`"${registrationId}" is no registration id`, 'letters, digits and . _ : - between them, 128 at most: --dps-registration ID');
  if (flags.newKey === true) throw refusedDps('the service knows the key already', 'give it: --dps-key-file FILE');
  const [hub] = hubs;
  if (hub === undefined) throw refusedDps('the key must be bound to hubs', 'name each hub that the service may assign: --hub NAME.azure-devices.net');
  const dps = { scope, registrationId, hubs };
  const identity = { hub, deviceId: registrationId };
  if (flags.keepKey === true) return { identity, dps, key: { type: 'kept' } };
  const keyBase64 = await readSecret(context, 'the symmetric key of the enrolment', '--dps-key-file', flags.dpsKeyFile);
  const owner = flags.dpsGroup === true ? 'the enrolment group' : 'the enrolment';
  return { identity, dps, key: flags.dpsGroup === true ? { type: 'group', keyBase64, owner, registrationId } : { type: 'given', keyBase64, owner } };
}

const refused = (message: string, remedy: string): CliError => new CliError('ERR_CONNECTION_STRING', EXIT.configuration, message, remedy);
const refusedDps = (message: string, remedy: string): CliError => new CliError('ERR_DPS', EXIT.configuration, message, remedy);
