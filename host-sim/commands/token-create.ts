import { createHmac } from 'node:crypto';
import type { Command } from 'commander';
import { encodeResource, expiryOf, formatSasToken } from '../../firmware/agent/sas-token.ts';
import { checkMachineClock } from '../hub/machine-clock.ts';
import { decodeKey } from '../hub/access/symmetric-key.ts';
import { printLine, type CliContext } from '../terminal/cli-context.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import type { ConnectionString } from '../terminal/connection-string.ts';
import { readConnectionString } from '../terminal/connection-string-source.ts';
import { durationOption, wholeSeconds } from '../terminal/option-values.ts';
import { realClock } from '../time/real-clock.ts';

export const ENVIRONMENT_NAME = 'IOTHUB_DEVICE_CONNECTION_STRING';
const MAX_LIFE_SECONDS = 365 * 86_400;

const EXAMPLES = `Examples:
  export ${ENVIRONMENT_NAME}='HostName=…;DeviceId=…;SharedAccessKey=…'
  npm run --silent latchkey -- token create --ttl 1h
  npm run --silent latchkey -- token create --ttl 24h --connection-string - < policy.txt --resource myhub.azure-devices.net/devices/dev1
`;

interface CreateFlags {
  readonly connectionString?: string;
  readonly connectionStringFile?: string;
  readonly ttl: number;
  readonly resource?: string;
}

export function addTokenCreateCommand(token: Command, context: CliContext): void {
  token
    .command('create')
    .description(`Makes a token; it alone goes to stdout. The connection string comes from --connection-string, --connection-string-file, ${ENVIRONMENT_NAME} or stdin.`)
    .addHelpText('before', EXAMPLES)
    .option('--connection-string <text>', "a device's, module's or policy's connection string, \"-\" for stdin (a text on the command line is seen by everybody on this machine)")
    .option('--connection-string-file <file>', 'a file that holds it')
    .addOption(durationOption('--ttl <time>', 'life of the token, 1s to 365d', wholeSeconds(1, MAX_LIFE_SECONDS), '1h'))
    .option('--resource <uri>', 'what the token opens, not encoded, such as HUB/devices/ID (default: the device or module, the hub for a policy)')
    .action((flags: CreateFlags) => createToken(flags, context));
}

async function createToken(flags: CreateFlags, context: CliContext): Promise<void> {
  checkMachineClock(realClock.now());
  const { connection, source } = await readConnectionString(context, {
    flag: flags.connectionString, file: flags.connectionStringFile, environmentName: ENVIRONMENT_NAME,
  });
  const encodedResource = encodeResource(flags.resource ?? resourceOfConnection(connection));
  const key = requireKey(connection, source);
  const expirySeconds = expiryOf(realClock.now(), flags.ttl);
  const signature = createHmac('sha256', key).update(`${encodedResource}\n${expirySeconds}`).digest('base64');
  key.fill(0);
  printLine(context, formatSasToken({ encodedResource, signature, expirySeconds, policyName: connection.SharedAccessKeyName }));
}

/** What the owner of a connection string may open: `{hub}`, `{hub}/devices/{id}`, `{hub}/devices/{id}/modules/{id}`. */
export function resourceOfConnection({ HostName, DeviceId, ModuleId }: ConnectionString): string {
  const device = DeviceId === undefined ? '' : `/devices/${DeviceId}`;
  return `${HostName}${device}${ModuleId === undefined ? '' : `/modules/${ModuleId}`}`;
}

/** @throws ERR_CONNECTION_STRING, ERR_KEY */
export function requireKey(connection: ConnectionString, source: string): Uint8Array {
  if (connection.SharedAccessKey === undefined) {
    throw new CliError('ERR_CONNECTION_STRING', EXIT.configuration, `the connection string from ${source} has no SharedAccessKey`, 'a token needs a key: copy the connection string with its SharedAccessKey');
  }
  return decodeKey(connection.SharedAccessKey, `the connection string from ${source}`);
}
