import type { Command } from 'commander';
import type { Twin } from 'azure-iothub';
import type { ServiceClients } from '../service/service-clients.ts';
import { buildTwinPatch } from '../service/twin-patch.ts';
import type { CliContext } from '../terminal/cli-context.ts';
import { jsonObject } from '../terminal/json-option.ts';
import { addHubOptions, addIdentityOptions, printResult, withClients, type IdentityFlags } from './service-command.ts';

interface UpdateFlags extends IdentityFlags {
  readonly tags?: Readonly<Record<string, unknown>>;
  readonly desired?: Readonly<Record<string, unknown>>;
  readonly set?: readonly string[];
  readonly remove?: readonly string[];
  readonly etag?: string;
}

const EXAMPLES = `Examples:
  npm run latchkey -- twin show -d dev1
  npm run latchkey -- twin update -d dev1 --desired '{"targetTemperature": 23}'
  npm run latchkey -- twin update -d dev1 --set tags.room=kitchen properties.desired.interval=60 --remove tags.floor
  npm run latchkey -- twin update -d dev1 --tags @tags.json --etag AAAAAAAAAAE=
`;

/** `latchkey twin`, in the words of `az iot hub device-twin`. */
export function addTwinCommands(program: Command, context: CliContext): void {
  const twin = program.command('twin').description('Shows and changes the twin of a device or a module.').addHelpText('beforeAll', EXAMPLES);
  addHubOptions(addIdentityOptions(twin.command('show').description('Shows a twin, as az iot hub device-twin show does.')))
    .action((flags: IdentityFlags) => withClients(context, flags, async (clients) => printResult(context, await readTwin(clients, flags), flags)));
  addHubOptions(addIdentityOptions(twin.command('update').description('Patches tags and desired properties, as az iot hub device-twin update does; null removes.')))
    .option('--desired <json>', 'desired properties, or @FILE', jsonObject)
    .option('--tags <json>', 'tags, or @FILE', jsonObject)
    .option('--set <path=value...>', 'one value each: tags.room=kitchen, properties.desired.interval=60')
    .option('--remove <path...>', 'takes away what is at a path')
    .option('-e, --etag <etag>', 'only if the twin still has this etag (If-Match; default: whatever it has)')
    .action((flags: UpdateFlags) => updateTwin(flags, context));
}

async function updateTwin(flags: UpdateFlags, context: CliContext): Promise<void> {
  const { deviceId, moduleId, etag = '*' } = flags;
  const patch = buildTwinPatch(flags);
  await withClients(context, flags, async ({ registry }) => {
    const { responseBody } = moduleId === undefined ? await registry.updateTwin(deviceId, patch, etag) : await registry.updateModuleTwin(deviceId, moduleId, patch, etag);
    printResult(context, responseBody, flags);
  });
}

async function readTwin({ registry }: ServiceClients, { deviceId, moduleId }: IdentityFlags): Promise<Twin> {
  const { responseBody } = moduleId === undefined ? await registry.getTwin(deviceId) : await registry.getModuleTwin(deviceId, moduleId);
  return responseBody;
}
