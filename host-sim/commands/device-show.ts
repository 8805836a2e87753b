import type { Command } from 'commander';
import { deviceConnectionString, HIDDEN, maskKeys, primaryKeyOf, type RegistryIdentity } from '../service/identity-view.ts';
import { printLine, type CliContext } from '../terminal/cli-context.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { addHubOptions, addIdentityOptions, printResult, withClients, type IdentityFlags } from './service-command.ts';

interface ShowFlags extends IdentityFlags {
  readonly connectionString?: true;
  readonly showSecrets?: true;
}

const EXAMPLES = `Examples:
  npm run latchkey -- device show -d dev2
  npm run --silent latchkey -- device show -d dev2 --connection-string --show-secrets | npm run latchkey -- device
`;

export function addDeviceShowCommand(device: Command, context: CliContext): void {
  const command = device.command('show').description('Shows a device or a module of the registry, as az iot hub device-identity show does.').addHelpText('before', EXAMPLES);
  addHubOptions(addIdentityOptions(command))
    .option('--connection-string', 'what it connects with, as a line and nothing else')
    .option('--show-secrets', 'show keys')
    .action((flags: ShowFlags) => showIdentity(flags, context));
}

async function showIdentity(flags: ShowFlags, context: CliContext): Promise<void> {
  const { deviceId, moduleId, showSecrets = false } = flags;
  await withClients(context, flags, async ({ registry, hubName, place }) => {
    const { responseBody } = moduleId === undefined ? await registry.get(deviceId) : await registry.getModule(deviceId, moduleId);
    const identity = responseBody as unknown as RegistryIdentity;
    if (flags.connectionString !== true) return printResult(context, { ...(showSecrets ? identity : maskKeys(identity)), hub: hubName }, flags);
    const key = primaryKeyOf(identity);
    if (key === undefined) throw new CliError('ERR_KEY', EXIT.failed, `${deviceId} has no symmetric key`, 'it authenticates by certificate: its connection string has "x509=true" in place of a key');
    printLine(context, deviceConnectionString(hubName, flags, showSecrets ? key : HIDDEN, place));
  });
}
