import type { Command } from 'commander';
import { maskKeys, type RegistryIdentity } from '../service/identity-view.ts';
import { readRows } from '../service/read-rows.ts';
import type { CliContext } from '../terminal/cli-context.ts';
import { wholeNumber } from '../terminal/option-values.ts';
import { addHubOptions, printResult, withClients, type ServiceFlags } from './service-command.ts';

/** As the az CLI. */
const DEFAULT_TOP = 1_000;
const MAX_TOP = 1_000_000;

interface ListFlags extends ServiceFlags {
  readonly deviceId?: string;
  readonly top: number;
}

const EXAMPLES = `Examples:
  npm run --silent latchkey -- device list --json | jq -r .deviceId
  npm run latchkey -- device list -d dev2                          its modules
`;

export function addDeviceListCommand(device: Command, context: CliContext): void {
  const command = device.command('list').description('Lists the twins of all devices, as az iot hub device-identity list does; with -d the modules of one.').addHelpText('before', EXAMPLES);
  addHubOptions(command.option('-d, --device-id <id>', 'list the modules of this device'))
    .option('--top <n>', 'so many at most', wholeNumber(1, MAX_TOP), DEFAULT_TOP)
    .action((flags: ListFlags) => listIdentities(flags, context));
}

async function listIdentities(flags: ListFlags, context: CliContext): Promise<void> {
  await withClients(context, flags, async ({ registry }) => {
    if (flags.deviceId === undefined) return printResult(context, await readRows(registry, 'SELECT * FROM devices', flags.top), flags);
    const { responseBody } = await registry.getModulesOnDevice(flags.deviceId);
    printResult(context, (responseBody as unknown as readonly RegistryIdentity[]).slice(0, flags.top).map(maskKeys), flags);
  });
}
