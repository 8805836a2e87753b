import { Argument, InvalidArgumentError, Option, type Command } from 'commander';
import { DROP_MOMENTS, FAULT_CERTIFICATES, FAULT_ENDPOINTS, FAULT_KINDS, MAX_CONNACK_REFUSAL, MIN_CONNACK_REFUSAL, type DropMoment, type FaultCertificate, type FaultEndpoint, type FaultKind } from '../hub/faults/fault.ts';
import { MAX_FAULT_COUNT, MAX_FAULT_DELAY_MS, MAX_FAULT_DURATION_MS, MAX_OFFSET_MS } from '../hub/faults/limits.ts';
import { askAdmin } from '../service/admin-client.ts';
import { findLocalHub } from '../service/service-login.ts';
import { sayLine, type CliContext } from '../terminal/cli-context.ts';
import { EXIT } from '../terminal/cli-error.ts';
import { durationMs, wholeNumber } from '../terminal/option-values.ts';
import { printResult } from './service-command.ts';

interface FaultsFlags {
  readonly hubName?: string;
  readonly json?: true;
}

interface SetFlags extends FaultsFlags {
  readonly deviceId?: string;
  readonly moduleId?: string;
  readonly count?: number;
  readonly duration?: number;
  readonly delay?: number;
  readonly code?: number;
  readonly at?: DropMoment;
  readonly offset?: number;
  readonly certificate?: FaultCertificate;
  readonly endpoint?: FaultEndpoint;
}

const EXAMPLES = `Examples:
  npm run latchkey -- faults set drop -d dev1                          its connection breaks now
  npm run latchkey -- faults set drop -d dev1 --at acknowledgement     … after its next message was taken, before it is acknowledged
  npm run latchkey -- faults set delay --delay 500ms --duration 1m     everybody's bytes, both ways
  npm run latchkey -- faults set refuse -d dev1 --code 3 --count 2
  npm run latchkey -- faults set clock-offset --offset -2h
  npm run latchkey -- faults clear
`;

/** The admin API's texts, in the words of the options. */
const inOptions = (text: string): string => text.replace('delayMs', '--delay').replace('offsetMs', '--offset').replaceAll('at: ', '--at ');

const KINDS = Object.entries(FAULT_KINDS).map(([kind, text]) => `  ${kind.padEnd(14)}${inOptions(text)}`).join('\n');

/** `latchkey faults`: what goes wrong at a hub that runs on this machine. */
export function addFaultsCommands(program: Command, context: CliContext): void {
  const faults = program.command('faults').description('Makes a running "latchkey hub" misbehave, for all devices or for one.').addHelpText('beforeAll', EXAMPLES);
  addPlaceOptions(faults.command('list').description('Shows the faults that are set.')).action((flags: FaultsFlags) => ask(flags, context, 'GET', '/faults'));
  addPlaceOptions(faults.command('clear').description('Ends one fault, or all.').argument('[id]', 'as "faults list" has it')).action((id: string | undefined, flags: FaultsFlags) => clear(id, flags, context));
  const set = faults.command('set').description('Sets a fault; it lasts until it has happened --count times, --duration is over, or it is cleared.').addHelpText('after', `\nKinds:\n${KINDS}\n`);
  addPlaceOptions(set.addArgument(new Argument('<kind>', 'what goes wrong').choices(Object.keys(FAULT_KINDS))))
    .option('-d, --device-id <id>', 'for this device alone')
    .option('-m, --module-id <id>', 'for this module of it')
    .option('--count <n>', 'so often in all (drop and half-open: default once for each who is connected)', wholeNumber(1, MAX_FAULT_COUNT))
    .option('--duration <time>', 'for so long', durationMs(1, MAX_FAULT_DURATION_MS))
    .option('--delay <time>', 'of delay and slow-accept', durationMs(1, MAX_FAULT_DELAY_MS))
    .option('--code <n>', `of refuse: 1 to 5 as MQTT has them (default: ${MAX_CONNACK_REFUSAL})`, wholeNumber(MIN_CONNACK_REFUSAL, MAX_CONNACK_REFUSAL))
    .addOption(new Option('--at <moment>', 'of drop (default: once)').choices(DROP_MOMENTS))
    .option('--offset <time>', 'of clock-offset; -2h is behind', signedDurationMs)
    .addOption(new Option('--certificate <whose>', 'of certificate').choices(FAULT_CERTIFICATES))
    .addOption(new Option('--endpoint <name>', 'of certificate (default: mqtt)').choices(FAULT_ENDPOINTS))
    .action((kind: FaultKind, flags: SetFlags, command: Command) => {
      const missing = NEEDED[kind];
      if (missing !== undefined && flags[missing] === undefined) command.error(`error: ${kind} needs --${missing}`, { exitCode: EXIT.usage });
      return setFault(kind, flags, context);
    });
}

/** What a kind cannot be without. */
const NEEDED: Readonly<Partial<Record<FaultKind, 'certificate' | 'delay' | 'offset'>>> = { certificate: 'certificate', 'clock-offset': 'offset', delay: 'delay', 'slow-accept': 'delay' };

const addPlaceOptions = (command: Command): Command => command.option('-n, --hub-name <name>', 'the hub, where several run here').option('--json', 'one JSON object a line on stdout');

async function setFault(kind: FaultKind, flags: SetFlags, context: CliContext): Promise<void> {
  const { deviceId, moduleId, count, duration, delay, code, at, offset, certificate, endpoint } = flags;
  const wanted = { kind, deviceId, moduleId, count, durationMs: duration, delayMs: delay, code, at, offsetMs: offset, certificate, endpoint };
  await ask(flags, context, 'POST', '/faults', wanted);
}

async function clear(id: string | undefined, flags: FaultsFlags, context: CliContext): Promise<void> {
  const answer = await askAdmin(findLocalHub(context, flags.hubName), 'DELETE', id === undefined ? '/faults' : `/faults/${encodeURIComponent(id)}`);
  if (answer !== undefined) printResult(context, answer, flags);
  else sayLine(context, `latchkey: ${id} is over`);
}

async function ask(flags: FaultsFlags, context: CliContext, method: 'GET' | 'POST', path: string, body?: object): Promise<void> {
  printResult(context, await askAdmin(findLocalHub(context, flags.hubName), method, path, body), flags);
}

function signedDurationMs(text: string): number {
  const isBehind = text.startsWith('-');
  const value = durationMs(1, MAX_OFFSET_MS)(isBehind ? text.slice(1) : text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError(`expected whole milliseconds, got ${text}.`);
  return isBehind ? -value : value;
}
