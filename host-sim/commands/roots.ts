import type { Command } from 'commander';
import type { CliContext } from '../terminal/cli-context.ts';
import { addRootsCreateCommands } from './roots-create.ts';
import { addRootsInspectCommands } from './roots-inspect.ts';
import { addRootsRolloutCommand } from './roots-rollout.ts';
import { addRootsServeCommand } from './roots-serve.ts';
import { addRootsSignCommands } from './roots-sign.ts';

const EXAMPLES = `A new root for a fleet, from the first key to the last device:
  npm run latchkey -- roots keygen --out keys/alice.pem                                    a key that signs, and its .pub
  npm run latchkey -- roots create --out 2.json --hub myhub.azure-devices.net --root new.pem --key keys/alice.pub
  npm run latchkey -- roots sign 2.json --key keys/alice.pem
  npm run latchkey -- roots verify 2.json --previous 1.json
  npm run latchkey -- roots serve --folder bundles                                          what devices fetch, over plain HTTP
  npm run latchkey -- roots rollout 2.json --url http://roots.example/2.json --wave 5 --wave 100
`;

export function addRootsCommands(program: Command, context: CliContext): void {
  const roots = program
    .command('roots')
    .description('Makes, signs and rolls out the roots that a fleet trusts (docs/roots.md).')
    .addHelpText('before', EXAMPLES);
  addRootsSignCommands(roots, context);
  addRootsCreateCommands(roots, context);
  addRootsInspectCommands(roots, context);
  addRootsServeCommand(roots, context);
  addRootsRolloutCommand(roots, context);
}
