import type { Command } from 'commander';
import type { CliContext } from '../terminal/cli-context.ts';
import { addTokenCreateCommand } from './token-create.ts';
import { addTokenInspectCommand } from './token-inspect.ts';
import { addTokenVerifyCommand } from './token-verify.ts';

export function addTokenCommands(program: Command, context: CliContext): void {
  const token = program.command('token').description('Makes, reads and checks SAS tokens.');
  addTokenCreateCommand(token, context);
  addTokenInspectCommand(token, context);
  addTokenVerifyCommand(token, context);
}
