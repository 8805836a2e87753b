import { Command, CommanderError } from 'commander';
import { addCloudToDeviceCommands } from './commands/c2d.ts';
import { addDeviceCommand } from './commands/device.ts';
import { addFaultsCommands } from './commands/faults.ts';
import { addFirmwareCommands } from './commands/firmware.ts';
import { addFlashCommand } from './commands/flash.ts';
import { addHubCommand } from './commands/hub.ts';
import { addInvokeMethodCommand } from './commands/invoke-method.ts';
import { addMonitorCommand } from './commands/monitor.ts';
import { addProvisionCommand } from './commands/provision.ts';
import { addRootsCommands } from './commands/roots.ts';
import { addSimCommand } from './commands/sim.ts';
import { addTokenCommands } from './commands/token.ts';
import { addTwinCommands } from './commands/twin.ts';
import { killRunningBoards } from './simulation/running-boards.ts';
import { makeStyle, sayLine, type CliContext } from './terminal/cli-context.ts';
import { describeError, EXIT, exitCodeOf } from './terminal/cli-error.ts';
import { openProcessContext } from './terminal/process-context.ts';
import { refuseEmptyValues } from './terminal/refuse-empty-values.ts';

/** Adds one command to the program; every file in commands/ exports one of these. */
export type AddCommand = (program: Command, context: CliContext) => void;

const COMMANDS: readonly AddCommand[] = [
  addSimCommand, addHubCommand, addFaultsCommands,
  addDeviceCommand, addTwinCommands, addInvokeMethodCommand, addCloudToDeviceCommands, addMonitorCommand,
  addFirmwareCommands, addProvisionCommand, addFlashCommand, addRootsCommands, addTokenCommands,
];

const EXAMPLES = `Examples:
  npm run sim                                              hub and device together, until Ctrl-C
  npm run latchkey -- hub                                  a hub; the other commands find it by themselves
  npm run latchkey -- device create -d dev2                docs/day.md goes on from here
  npm run latchkey -- roots create --help                  every command has examples
`;

/** The `latchkey` program. `args` are those behind the program's name. */
export async function runCli(args: readonly string[], context: CliContext): Promise<number> {
  const program = new Command('latchkey');
  program
    .description('An Azure IoT Hub device agent for small microcontrollers, and the simulator to run it on a laptop.')
    .addHelpText('before', EXAMPLES)
    .version('0.1.0', '--version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .showHelpAfterError('(--help shows what there is)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void context.stderr.write(text),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  for (const add of COMMANDS) add(program, context);
  for (const command of program.commands) command.copyInheritedSettings(program);
  refuseEmptyValues(program);
  try {
    await program.parseAsync(args, { from: 'user' });
    return context.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    // Ctrl-C reaches compilers, too: that they failed is no news then.
    if (context.interrupted.aborted) return EXIT.interrupted;
    sayLine(context, makeStyle({ ...context, stdout: context.stderr }).red(describeError(error)));
    return exitCodeOf(error);
  }
}

/** Runs the program in this process; the caller exits with what it returns. */
export async function runProcess(args: readonly string[]): Promise<number> {
  const context = openProcessContext(killRunningBoards);
  const exitCode = await runCli(args, context);
  // What was written to a pipe leaves before the process does.
  await Promise.all([context.stdout, context.stderr].map((stream) => new Promise((resolve) => stream.write('', resolve))));
  return exitCode;
}
