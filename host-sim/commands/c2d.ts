import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Option, type Command } from 'commander';
import type { Message } from 'azure-iothub/dist/common-core/message.js';
import { FeedbackWaiter } from '../service/feedback-waiter.ts';
import { propertyList } from '../service/property-list.ts';
import type { ServiceClients } from '../service/service-clients.ts';
import { sayLine, type CliContext } from '../terminal/cli-context.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { wholeNumber } from '../terminal/option-values.ts';
import { addHubOptions, printResult, withClients, type ServiceFlags } from './service-command.ts';

const ACKS = ['positive', 'negative', 'full'] as const;

interface SendFlags extends ServiceFlags {
  readonly deviceId: string;
  readonly data?: string;
  readonly dataFilePath?: string;
  readonly props?: ReadonlyMap<string, string>;
  readonly messageId?: string;
  readonly correlationId?: string;
  readonly userId?: string;
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly ack?: (typeof ACKS)[number];
  readonly expiry?: number;
  readonly wait?: true;
}

const EXAMPLES = `Examples:
  npm run latchkey -- c2d send -d dev1 --da 'hello' -p 'level=high;zone=3'
  npm run latchkey -- c2d send -d dev1 --data-file-path image.bin --ct application/octet-stream
  npm run latchkey -- c2d send -d dev1 --da 'hello' --ack full --wait     waits until the device has taken it
`;

/** `latchkey c2d`, in the words of `az iot device c2d-message`. */
export function addCloudToDeviceCommands(program: Command, context: CliContext): void {
  const c2d = program.command('c2d').description('Sends messages from the cloud to a device.').addHelpText('beforeAll', EXAMPLES);
  const send = c2d.command('send').description('Sends one message over AMQP, as az iot device c2d-message send does.').requiredOption('-d, --device-id <id>', 'the device');
  addHubOptions(send)
    .option('--da, --data <text>', 'the body (default: "Ping from Latchkey")')
    .option('--dfp, --data-file-path <file>', 'a file that holds the body')
    .option('-p, --props <list>', 'properties: name=value;name=value', propertyList)
    .option('--mid, --message-id <id>', '(default: a new one)')
    .option('--cid, --correlation-id <id>', 'passed on as it is')
    .option('--uid, --user-id <id>', 'passed on as it is')
    .option('--ct, --content-type <type>', 'passed on as it is')
    .option('--ce, --content-encoding <name>', 'passed on as it is')
    .addOption(new Option('--ack <kind>', 'which feedback the hub is to give').choices(ACKS))
    .option('--expiry, --expiry-time-utc <ms>', 'when it is no longer worth delivering, milliseconds since 1970', wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .option('-w, --wait', 'waits for the feedback and shows it; sets --ack full where none is given')
    .action((flags: SendFlags) => sendMessage(flags, context));
}

async function sendMessage(flags: SendFlags, context: CliContext): Promise<void> {
  if (flags.data !== undefined && flags.dataFilePath !== undefined) throw new CliError('ERR_FILE', EXIT.usage, '--data and --data-file-path cannot both be given', 'give one of them');
  const body = readBody(flags);
  await withClients(context, flags, async (clients) => {
    const message = makeMessage(clients, flags, body);
    const feedback = flags.wait === true ? await FeedbackWaiter.open(clients.client) : undefined;
    await clients.client.send(flags.deviceId, message);
    sayLine(context, `latchkey: message ${message.messageId} waits for ${flags.deviceId}`);
    if (feedback !== undefined) printResult(context, await feedback.of(message.messageId, context.interrupted), flags);
  });
}

function readBody({ data = 'Ping from Latchkey', dataFilePath }: SendFlags): Buffer {
  if (dataFilePath === undefined) return Buffer.from(data);
  try {
    return readFileSync(dataFilePath);
  } catch (cause) {
    const code = String((cause as { readonly code?: unknown }).code ?? cause);
    throw new CliError('ERR_FILE', EXIT.configuration, `cannot read ${dataFilePath}: ${code}`, 'check the path and that this user may read the file', { cause });
  }
}

function makeMessage({ createMessage }: ServiceClients, flags: SendFlags, body: Buffer): Message {
  const message = createMessage(body);
  const { messageId = randomUUID(), correlationId, userId, contentType, contentEncoding, ack, expiry, wait } = flags;
  const given = { messageId, correlationId, userId, contentType, contentEncoding, ack: ack ?? (wait === true ? 'full' : undefined), expiryTimeUtc: expiry };
  Object.assign(message, Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)));
  for (const [name, value] of flags.props ?? []) message.properties.add(name, value);
  return message;
}
