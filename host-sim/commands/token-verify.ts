import type { Command } from 'commander';
import { parseResource } from '../hub/access/resource-scope.ts';
import { describeSasRefusal } from '../hub/access/sas-refusals.ts';
import { verifySas, type Permission, type SasVerdict } from '../hub/access/sas.ts';
import { generateKeyPair } from '../hub/access/symmetric-key.ts';
import { printJson, printLine, type CliContext } from '../terminal/cli-context.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import type { ConnectionString } from '../terminal/connection-string.ts';
import { readConnectionString } from '../terminal/connection-string-source.ts';
import { formatDuration } from '../terminal/duration.ts';
import { dateMs } from '../terminal/option-values.ts';
import { realClock } from '../time/real-clock.ts';
import { ENVIRONMENT_NAME, requireKey, resourceOfConnection } from './token-create.ts';
import { readToken } from './token-inspect.ts';

/** A key alone does not say what its policy allows: all of it is taken for granted. */
const ALL_PERMISSIONS: readonly Permission[] = ['DeviceConnect'];

const EXAMPLES = `Examples:
  export ${ENVIRONMENT_NAME}='HostName=…;DeviceId=…;SharedAccessKey=…'
  npm run latchkey -- token verify < token.txt
  npm run latchkey -- token verify --at 2027-01-01 < token.txt      would it be valid then?
`;

interface VerifyFlags {
  readonly connectionString?: string;
  readonly connectionStringFile?: string;
  readonly resource?: string;
  readonly at?: number;
  readonly json?: true;
}

export function addTokenVerifyCommand(token: Command, context: CliContext): void {
  token
    .command('verify')
    .description('Checks a token as a hub does, with the key of a connection string. Exit code 1 when it is refused.')
    .addHelpText('before', EXAMPLES)
    .argument('[token]', 'the token; stdin when it is left out')
    .option('--connection-string <text>', 'the device, module or policy whose token it should be (a text on the command line is seen by everybody on this machine)')
    .option('--connection-string-file <file>', 'a file that holds it')
    .option('--resource <uri>', 'what the token should open, not encoded (default: the device or module, the hub for a policy)')
    .option('--at <date>', 'the moment to check for (default: now)', dateMs)
    .option('--json', 'one JSON object on stdout')
    .action((text: string | undefined, flags: VerifyFlags) => verifyToken(text, flags, context));
}

async function verifyToken(text: string | undefined, flags: VerifyFlags, context: CliContext): Promise<void> {
  requireOneStdin(text, flags, context);
  const token = await readToken(text, context);
  const { connection, source } = await readConnectionString(context, {
    flag: flags.connectionString, file: flags.connectionStringFile, environmentName: ENVIRONMENT_NAME,
  });
  const nowMs = flags.at ?? realClock.now();
  const verdict = verify(token, connection, requireKey(connection, source), flags.resource ?? resourceOfConnection(connection), nowMs);
  if (!verdict.accepted) context.exitCode = EXIT.failed;
  if (flags.json === true) return printJson(context, toJson(verdict));
  printLine(
    context,
    verdict.accepted
      ? `valid for ${formatDuration(verdict.expirySeconds * 1000 - nowMs)}`
      : `refused: ${describeSasRefusal(verdict.reason)} (${verdict.reason})`,
  );
}

function toJson(verdict: SasVerdict): object {
  const { accepted: valid, expirySeconds } = verdict;
  return verdict.accepted ? { valid, expirySeconds } : { valid, reason: verdict.reason, detail: describeSasRefusal(verdict.reason), expirySeconds };
}

function verify(token: string, connection: ConnectionString, key: Uint8Array, resource: string, nowMs: number): SasVerdict {
  const keys = { primary: key, secondary: key };
  const { SharedAccessKeyName } = connection;
  return verifySas({
    token,
    resource: parseResource(resource),
    permissions: ALL_PERMISSIONS,
    keyring: {
      // A policy's key does not open the device's own door, nor the other way round.
      identity: { keys: SharedAccessKeyName === undefined ? keys : generateKeyPair(), enabled: true },
      policy: (name) => (name === SharedAccessKeyName ? { keys, permissions: ALL_PERMISSIONS } : undefined),
      dummyKeys: generateKeyPair(),
    },
    nowSeconds: nowMs / 1000,
  });
}

/** Token and connection string cannot both come from stdin. */
function requireOneStdin(text: string | undefined, flags: VerifyFlags, context: CliContext): void {
  const isTokenPiped = text === undefined || text === '-';
  const fromEnvironment = context.env[ENVIRONMENT_NAME] ?? '';
  const isConnectionPiped = flags.connectionString === '-' || (flags.connectionString === undefined && flags.connectionStringFile === undefined && fromEnvironment === '');
  if (!isTokenPiped || !isConnectionPiped) return;
  throw new CliError('ERR_CONNECTION_STRING', EXIT.configuration, 'there is no connection string', `set ${ENVIRONMENT_NAME}, or give --connection-string-file FILE; stdin is for the token`);
}
