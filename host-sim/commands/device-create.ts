import { Option, type Command } from 'commander';
import type { Module, Registry } from 'azure-iothub';
import { maskKeys, type RegistryIdentity } from '../service/identity-view.ts';
import { isTerminal, type CliContext } from '../terminal/cli-context.ts';
import { addHubOptions, addIdentityOptions, printResult, withClients, type IdentityFlags } from './service-command.ts';

const METHODS = { shared_private_key: 'sas', x509_thumbprint: 'selfSigned', x509_ca: 'certificateAuthority' } as const;

interface CreateFlags extends IdentityFlags {
  readonly authMethod: keyof typeof METHODS;
  readonly primaryKey?: string;
  readonly secondaryKey?: string;
  readonly primaryThumbprint?: string;
  readonly secondaryThumbprint?: string;
  readonly status: 'enabled' | 'disabled';
  readonly statusReason?: string;
  readonly showSecrets?: true;
}

const EXAMPLES = `Examples:
  npm run latchkey -- device create -d dev2
  npm run latchkey -- device create -d dev2 --sta disabled --star 'not sold yet'
  npm run latchkey -- device create -d dev2 -m camera              a module of it
`;

export function addDeviceCreateCommand(device: Command, context: CliContext): void {
  const command = device.command('create').description("Registers a device or a module, as az iot hub device-identity create does; the hub makes its keys unless they are given.").addHelpText('before', EXAMPLES);
  addHubOptions(addIdentityOptions(command))
    .addOption(new Option('--am, --auth-method <method>', 'how it authenticates').choices(Object.keys(METHODS)).default('shared_private_key'))
    .option('--pk, --primary-key <key>', 'base64, 16 to 64 bytes; with --secondary-key (a key on the command line is seen by everybody on this machine)')
    .option('--sk, --secondary-key <key>', 'the other one')
    .option('--pt, --primary-thumbprint <hex>', 'of the self-signed certificate')
    .option('--st, --secondary-thumbprint <hex>', 'of the other one')
    .addOption(new Option('--sta, --status <status>', 'of a device').choices(['enabled', 'disabled']).default('enabled'))
    .option('--star, --status-reason <text>', 'why, 128 characters at most')
    .option('--show-secrets', 'show the keys, also where stdout is no terminal')
    .action((flags: CreateFlags) => createIdentity(flags, context));
}

async function createIdentity(flags: CreateFlags, context: CliContext): Promise<void> {
  await withClients(context, flags, async ({ registry, hubName }) => {
    const made = await create(registry, flags);
    // Nobody but this program has seen the keys that the hub made just now.
    const isShown = flags.showSecrets === true || isTerminal(context);
    printResult(context, { ...(isShown ? made : maskKeys(made)), hub: hubName }, flags);
  });
}

async function create(registry: Registry, flags: CreateFlags): Promise<RegistryIdentity> {
  const { deviceId, moduleId } = flags;
  const authentication = describeAuthentication(flags);
  if (moduleId !== undefined) {
    await registry.addModule({ deviceId, moduleId, authentication } as unknown as Module);
    return (await registry.getModule(deviceId, moduleId)).responseBody as unknown as RegistryIdentity;
  }
  const { status, statusReason } = flags;
  const { responseBody } = await registry.create({ deviceId, status, ...(statusReason === undefined ? {} : { statusReason }), authentication });
  return responseBody as unknown as RegistryIdentity;
}

function describeAuthentication({ authMethod, primaryKey, secondaryKey, primaryThumbprint, secondaryThumbprint }: CreateFlags): object {
  const type = METHODS[authMethod];
  if (type === 'selfSigned') return { type, x509Thumbprint: { primaryThumbprint, secondaryThumbprint } };
  if (type === 'certificateAuthority') return { type };
  return primaryKey === undefined && secondaryKey === undefined ? { type } : { type, symmetricKey: { primaryKey, secondaryKey } };
}
