import { Option, type Command } from 'commander';
import { AmqpClientError } from '../service/amqp-client.ts';
import { monitorEvents } from '../service/event-monitor.ts';
import { EVENT_PARTS, formatMonitoredEvent, type EventPart } from '../service/monitored-event.ts';
import { sayLine, type CliContext } from '../terminal/cli-context.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { wholeNumber } from '../terminal/option-values.ts';
import { addHubOptions, printResult, withClients, type ServiceFlags } from './service-command.ts';

const MAX_MESSAGES = 1_000_000;
const MAX_TIMEOUT_SECONDS = 86_400;
/** As the az CLI: so long without a message, and it ends. */
const DEFAULT_TIMEOUT_SECONDS = 300;

interface MonitorFlags extends ServiceFlags {
  readonly deviceId?: string;
  readonly moduleId?: string;
  readonly consumerGroup?: string;
  readonly enqueuedTime?: number;
  readonly properties?: readonly EventPart[];
  readonly contentType?: string;
  readonly messageCount?: number;
  readonly timeout: number;
}

const EXAMPLES = `Examples:
  npm run latchkey -- monitor                     what all devices send, from now on
  npm run latchkey -- monitor -d dev1 -p all
  npm run --silent latchkey -- monitor --json --et 0 --mc 10 | jq .event.payload
`;

/** `latchkey monitor`, in the words of `az iot hub monitor-events`. */
export function addMonitorCommand(program: Command, context: CliContext): void {
  const command = program.command('monitor').description('Shows what devices send, read over AMQP, as az iot hub monitor-events does; Ctrl-C ends it.').addHelpText('before', EXAMPLES);
  addHubOptions(command)
    .option('-d, --device-id <id>', 'only of this device; "*" at its end stands for any rest')
    .option('-m, --module-id <id>', 'only of this module')
    .option('--cg, --consumer-group <name>', '(default: $Default)')
    .option('--et, --enqueued-time <ms>', 'from this moment on, milliseconds since 1970 (default: from now on)', wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .addOption(new Option('-p, --properties <part...>', 'show what came with the messages, too').choices(EVENT_PARTS))
    .option('--ct, --content-type <type>', 'read payloads as this type, whatever their sender says')
    .option('--mc, --message-count <n>', 'end after so many', wholeNumber(1, MAX_MESSAGES))
    .option('-t, --timeout <seconds>', 'end after so long without a message, 0 for never', wholeNumber(0, MAX_TIMEOUT_SECONDS), DEFAULT_TIMEOUT_SECONDS)
    .action((flags: MonitorFlags) => runMonitor(flags, context));
}

async function runMonitor(flags: MonitorFlags, context: CliContext): Promise<void> {
  await withClients(context, flags, async ({ monitorTarget }) => {
    const { promise: ended, resolve: end, reject: fail } = openPromise();
    let shown = 0;
    let timer: NodeJS.Timeout | undefined;
    const wait = (): void => {
      clearTimeout(timer);
      if (flags.timeout > 0) timer = setTimeout(() => end('timed out'), flags.timeout * 1_000);
    };
    context.interrupted.addEventListener('abort', () => end('interrupted'), { once: true });
    const monitor = await monitorEvents({
      ...monitorTarget,
      ...(flags.consumerGroup === undefined ? {} : { consumerGroup: flags.consumerGroup }),
      ...(flags.enqueuedTime === undefined ? {} : { fromMs: flags.enqueuedTime }),
      onEvent(event) {
        if (!isWanted(event, flags) || (flags.messageCount !== undefined && shown >= flags.messageCount)) return;
        shown += 1;
        wait();
        printResult(context, formatMonitoredEvent(event, flags.properties ?? [], flags.contentType), flags);
        if (shown === flags.messageCount) end('counted');
      },
      onEnd: (error) => fail(error ?? new AmqpClientError('ERR_AMQP_CONNECT', 'the connection was closed', 'start the monitor again')),
    });
    try {
      sayLine(context, `latchkey: reading ${monitor.partitions.length} partitions of ${monitorTarget.hubName}, Ctrl-C ends it`);
      wait();
      if (context.interrupted.aborted) end('interrupted');
      const ending = await ended;
      if (ending === 'interrupted') context.exitCode = EXIT.interrupted;
    } catch (error) {
      throw toCliError(error);
    } finally {
      clearTimeout(timer);
      monitor.close();
    }
  }).catch((error: unknown) => Promise.reject(toCliError(error)));
}

function isWanted(event: { readonly deviceId: string; readonly moduleId: string | undefined }, { deviceId, moduleId }: MonitorFlags): boolean {
  if (moduleId !== undefined && event.moduleId !== moduleId) return false;
  if (deviceId === undefined) return true;
  return deviceId.endsWith('*') ? event.deviceId.startsWith(deviceId.slice(0, -1)) : event.deviceId === deviceId;
}

function toCliError(error: unknown): unknown {
  if (!(error instanceof AmqpClientError)) return error;
  const isRefusal = error.code === 'ERR_AMQP_REFUSED';
  return new CliError(isRefusal ? 'ERR_HUB_REFUSED' : 'ERR_HUB_UNREACHABLE', isRefusal ? EXIT.failed : EXIT.unreachable, error.message, error.remedy, { cause: error });
}

type Ending = 'interrupted' | 'timed out' | 'counted';

function openPromise(): { readonly promise: Promise<Ending>; readonly resolve: (ending: Ending) => void; readonly reject: (error: Error) => void } {
  let resolve: (ending: Ending) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<Ending>((accept, refuse) => {
    resolve = accept;
    reject = refuse;
  });
  // It may be refused before anybody waits.
  promise.catch(() => {});
  return { promise, resolve, reject };
}
