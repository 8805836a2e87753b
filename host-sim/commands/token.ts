import type { Command } from 'commander';
import type { CliContext } from '../terminal/cli-context.ts';
import { addTokenCreateCommand } from './token-create.ts';
import { addTokenInspectCommand } from './token-inspect.ts';
import { addTokenVerifyCommand } from './token-verify.ts';

const EXAMPLES = `Examples:
  npm run --silent latchkey -- token create --ttl 1h --connection-string-file dev1.txt > token.txt
  npm run --silent latchkey -- token inspect < token.txt
  npm run --silent latchkey -- token verify --connection-string-file dev1.txt < token.txt
`;

export function addTokenCommands(program: Command, context: CliContext): void {
  const token = program.command('token').description('Makes, reads and checks SAS tokens.').addHelpText('before', EXAMPLES);
  addTokenCreateCommand(token, context);
  addTokenInspectCommand(token, context);
  addTokenVerifyCommand(token, context);
}
