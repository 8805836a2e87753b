import type { Command } from 'commander';
import type { CliContext } from '../terminal/cli-context.ts';
import { addDeviceCreateCommand } from './device-create.ts';
import { addDeviceDeleteCommand } from './device-delete.ts';
import { addDeviceListCommand } from './device-list.ts';
import { addDeviceRunCommand } from './device-run.ts';
import { addDeviceShowCommand } from './device-show.ts';

const EXAMPLES = `Examples:
  npm run latchkey -- device                                    runs a virtual device; "device run --help" has its options
  npm run latchkey -- device create -d dev2                     registers a device, at the hub that runs here or in Azure
  npm run latchkey -- device show -d dev2 --connection-string   what the device connects with
  npm run --silent latchkey -- device list --json | jq -r .deviceId
`;

/** `latchkey device`: the firmware as a device, and the registry in the words of `az iot hub device-identity`. */
export function addDeviceCommand(program: Command, context: CliContext): void {
  const device = program
    .command('device')
    .description('Runs a virtual device ("device" alone is "device run"), or creates, lists, shows and deletes the devices of a hub.')
    .addHelpText('before', EXAMPLES);
  addDeviceRunCommand(device, context);
  addDeviceCreateCommand(device, context);
  addDeviceListCommand(device, context);
  addDeviceShowCommand(device, context);
  addDeviceDeleteCommand(device, context);
}
