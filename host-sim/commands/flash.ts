import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { projectPath } from '../board/project-path.ts';
import { DEFAULT_BAUD } from '../chip-tools/esptool.ts';
import { titleOf } from '../chip-tools/esp-chips.ts';
import { findEsptool } from '../chip-tools/external-tool.ts';
import { CHIPS, findChip, type Chip } from '../firmware/chips.ts';
import { emulatorLines } from '../flashing/emulator-line.ts';
import { planFlash, type FlashPlan } from '../flashing/firmware-files.ts';
import { findBoard, watchBoard, writeBoard, type TellFlash } from '../flashing/flash.ts';
import { describeFlashEvent } from '../flashing/flash-events.ts';
import { writeMergedFlash } from '../flashing/merge-flash.ts';
import { DEFAULT_LOG_BAUD } from '../flashing/serial-log.ts';
import { listSerialPorts } from '../flashing/serial-ports.ts';
import { readProvisionFolder, type ProvisionRecord } from '../provisioning/provision-folder.ts';
import { makeStyle, printJson, printLine, type CliContext } from '../terminal/cli-context.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { durationMs, durationOption, wholeNumber } from '../terminal/option-values.ts';

const HOUR_MS = 3600 * 1000;

interface FlashFlags {
  readonly chip: string;
  readonly port?: string;
  readonly firmware?: string;
  readonly provision?: string;
  readonly baud: number;
  readonly logBaud: number;
  readonly timeout: number;
  readonly toFile?: string;
  readonly logOnly?: true;
  readonly log: boolean;
  readonly json?: true;
}

const EXAMPLES = `Examples:
  npm run latchkey -- flash --chip esp32c3 --provision .build/provision/dev1    firmware and device, until it is online
  npm run latchkey -- flash --chip esp32c3                                      the firmware only; the device stays
  npm run latchkey -- flash --chip esp32c3 --log-only                           write nothing, show the log until it is online
`;

export function addFlashCommand(program: Command, context: CliContext): void {
  program
    .command('flash')
    .description('Writes firmware and device to a board (by esptool), and shows its log until it is online, or says why it is not.')
    .addHelpText('before', EXAMPLES)
    .addOption(new Option('--chip <name>', 'the chip, as in latchkey firmware build').choices(CHIPS.map(({ name }) => name)).makeOptionMandatory())
    .option('--port <port>', 'serial port, or socket://HOST:PORT (default: the one where this chip answers)')
    .option('--firmware <folder>', 'what latchkey firmware build has made (default: .build/firmware/CHIP/image)')
    .option('--provision <folder>', 'what latchkey provision has made; without it settings and key on the board stay')
    .option('--baud <n>', 'speed of writing', wholeNumber(9600, 3_000_000), DEFAULT_BAUD)
    .option('--log-baud <n>', 'speed of the log', wholeNumber(9600, 3_000_000), DEFAULT_LOG_BAUD)
    .addOption(durationOption('--timeout <time>', 'how long the board may take to come online', durationMs(1000, HOUR_MS), '2m'))
    .option('--to-file <file>', 'write a whole flash of 4 MB into this file instead of a board, as an emulator takes it')
    .option('--log-only', 'write nothing')
    .option('--no-log', 'do not wait for the board to come online')
    .option('--json', 'one JSON object a line on stdout')
    .action((flags: FlashFlags, command: Command) => {
      if (flags.logOnly === true && flags.toFile !== undefined) command.error('error: --log-only and --to-file cannot both be given', { exitCode: EXIT.usage });
      if (flags.logOnly === true && !flags.log) command.error('error: --log-only and --no-log cannot both be given', { exitCode: EXIT.usage });
      return runFlash(flags, context);
    });
}

async function runFlash(flags: FlashFlags, context: CliContext): Promise<void> {
  const chip = findChip(flags.chip);
  if (chip === undefined) throw new CliError('ERR_CHIP', EXIT.configuration, `there is no manifest for ${flags.chip}`, `the chips are ${CHIPS.map(({ name }) => name).join(', ')}`);
  const tell = view(flags, context);
  const { interrupted } = context;
  if (flags.toFile !== undefined) {
    const plan = readPlan(flags, chip);
    writeMergedFlash(flags.toFile, plan);
    const next = chip.isEmulated ? emulatorLines(chip, flags.toFile, flags.provision) : undefined;
    return tell({ event: 'merged', file: flags.toFile, files: plan.files.length, next });
  }
  const ports = flags.port === undefined ? listSerialPorts() : [flags.port];
  const port = flags.logOnly === true ? onlyPort(ports) : await write(flags, chip, ports, context, tell);
  if (flags.log && !interrupted.aborted) await watchBoard({ port, baud: flags.logBaud, timeoutMs: flags.timeout, interrupted }, tell);
  if (interrupted.aborted) context.exitCode = EXIT.interrupted;
}

/** @returns the port that the board is at */
async function write(flags: FlashFlags, chip: Chip, ports: readonly string[], context: CliContext, tell: TellFlash): Promise<string> {
  const plan = readPlan(flags, chip);
  const tool = await findEsptool(context.env);
  const board = await findBoard(tool, chip, ports, context.interrupted);
  tell({ event: 'board', port: board.port, chip: titleOf(chip), mac: board.mac });
  await writeBoard({ tool, chip, port: board.port, baud: flags.baud, interrupted: context.interrupted }, plan, tell);
  return board.port;
}

function readPlan(flags: FlashFlags, chip: Chip): FlashPlan {
  const provision = flags.provision === undefined ? undefined : { folder: flags.provision, record: checkRecord(readProvisionFolder(flags.provision), chip) };
  return planFlash(flags.firmware ?? projectPath(join('.build/firmware', chip.name, 'image')), chip, provision);
}

function checkRecord(record: ProvisionRecord, chip: Chip): ProvisionRecord {
  if (findChip(record.chip)?.family === chip.family) return record;
  throw new CliError('ERR_CHIP', EXIT.configuration, `the device was provisioned for ${record.chip}, not for ${chip.name}`, `provision it for this chip: latchkey provision --chip ${chip.name}`);
}

function onlyPort(ports: readonly string[]): string {
  const [port, ...others] = ports;
  if (port !== undefined && others.length === 0) return port;
  throw new CliError('ERR_NO_BOARD', EXIT.unreachable, port === undefined ? 'there is no serial port' : `there are ${ports.length} serial ports: ${ports.join(', ')}`, 'say which: --port PORT');
}

function view(flags: FlashFlags, context: CliContext): TellFlash {
  const style = makeStyle(context);
  return (event) => {
    if (flags.json === true) return printJson(context, event);
    const line = describeFlashEvent(event, style);
    if (line !== undefined) printLine(context, line);
  };
}
