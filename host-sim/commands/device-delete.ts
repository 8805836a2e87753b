import type { Command } from 'commander';
import { sayLine, type CliContext } from '../terminal/cli-context.ts';
import { addHubOptions, addIdentityOptions, withClients, type IdentityFlags } from './service-command.ts';

const EXAMPLES = `Examples:
  npm run latchkey -- device delete -d dev2
  npm run latchkey -- device delete -d dev2 -m camera
`;

export function addDeviceDeleteCommand(device: Command, context: CliContext): void {
  const command = device.command('delete').description('Deletes a device with its modules, or one module, as az iot hub device-identity delete does.').addHelpText('before', EXAMPLES);
  addHubOptions(addIdentityOptions(command)).action((flags: IdentityFlags) => deleteIdentity(flags, context));
}

async function deleteIdentity(flags: IdentityFlags, context: CliContext): Promise<void> {
  const { deviceId, moduleId } = flags;
  await withClients(context, flags, async ({ registry, hubName }) => {
    await (moduleId === undefined ? registry.delete(deviceId) : registry.removeModule(deviceId, moduleId));
    sayLine(context, `latchkey: deleted ${deviceId}${moduleId === undefined ? '' : `/${moduleId}`} from ${hubName}`);
  });
}
