import type { Command } from 'commander';
import { explainFailure } from '../service/explain-failure.ts';
import { openServiceClients, type ServiceClients } from '../service/service-clients.ts';
import { findLogin, type LoginFlags } from '../service/service-login.ts';
import { printLine, type CliContext } from '../terminal/cli-context.ts';

/** What every command that speaks with a hub's service side takes. */
export interface ServiceFlags extends LoginFlags {
  readonly json?: true;
}

/** What a command that is about one identity takes. */
export interface IdentityFlags extends ServiceFlags {
  readonly deviceId: string;
  readonly moduleId?: string;
}

/** The az CLI's options for which hub; without any it is the one that runs on this machine. */
export function addHubOptions(command: Command): Command {
  return command
    .option('-n, --hub-name <name>', 'the hub, where several could be meant')
    .option('-l, --login <text>', 'connection string of a shared access policy, "-" for stdin (default: IOTHUB_CONNECTION_STRING, else the running "latchkey hub")')
    .option('--json', 'one JSON object a line on stdout');
}

export function addIdentityOptions(command: Command): Command {
  return command.requiredOption('-d, --device-id <id>', 'the device').option('-m, --module-id <id>', 'a module of it');
}

/** Opens the hub's clients for one command, and closes them; what the hub refuses is explained. */
export async function withClients(context: CliContext, flags: ServiceFlags, work: (clients: ServiceClients) => Promise<void>): Promise<void> {
  const login = await findLogin(context, flags);
  const clients = await openServiceClients(login);
  try {
    await work(clients);
  } catch (error) {
    throw explainFailure(error, clients.hubName);
  } finally {
    await clients.close();
  }
}

/** The result of a command, indented as the az CLI has it; with `--json` a line for each element of a list. */
export function printResult(context: CliContext, value: unknown, { json }: ServiceFlags): void {
  if (json !== true) return printLine(context, JSON.stringify(value, null, 2));
  for (const each of Array.isArray(value) ? (value as readonly unknown[]) : [value]) printLine(context, JSON.stringify(each));
}
