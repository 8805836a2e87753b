import { CliError, EXIT } from '../terminal/cli-error.ts';

interface Remedy {
  readonly matches: RegExp;
  readonly remedy: string;
}

/** By IoT Hub's name of the error, or the SDK's; the first that fits. */
const REMEDIES: readonly Remedy[] = [
  { matches: /DeviceNotFound/, remedy: '"latchkey device list" shows what there is; "latchkey device create -d ID" makes one' },
  { matches: /ModuleNotFound/, remedy: '"latchkey device list -d ID" shows the modules of a device; "latchkey device create -d ID -m MODULE" makes one' },
  { matches: /AlreadyExists/, remedy: 'choose another id, or delete it first' },
  { matches: /DeviceNotOnline/, remedy: 'start the device, or wait for it with --connect-timeout' },
  { matches: /GatewayTimeout/, remedy: 'the device got the call and did not answer in time: give it longer with --timeout' },
  { matches: /Precondition|InvalidEtag/, remedy: 'somebody else has changed it: read it again, and give its etag now' },
  { matches: /Unauthorized/, remedy: 'check the policy: its key, and that it has the rights for this (RegistryRead, RegistryWrite, ServiceConnect)' },
  { matches: /QueueDepthExceeded/, remedy: 'the device has 50 messages that wait: let it take some, or purge them' },
  { matches: /MessageTooLarge/, remedy: 'a message may have 64 KB with its properties: send less, or a link to it' },
  { matches: /^Argument/, remedy: "correct what it names; an id has 1 to 128 letters, digits and - : . + % _ # * ? ! ( ) , = @ $ '" },
  { matches: /Throttling/, remedy: 'wait ten seconds and try again' },
];

const GENERAL_REMEDY = 'see "IoT Hub common error codes" in Microsoft\'s documentation';
/** IoT Hub writes its errors as `ErrorCode:Name;text`, modules' as JSON with `errorCode` and `message`. */
const CODED = /^ErrorCode:(\w+);(.*)$/s;
const MAX_DEPTH = 3;

/** What a failed call of azure-iothub means to the user; a `CliError` stays as it is. */
export function explainFailure(failure: unknown, hubName: string): unknown {
  // By its shape: an error may come out of another realm.
  if (!isError(failure) || 'remedy' in failure) return failure;
  const { responseBody, code, amqpError } = failure;
  if (typeof responseBody === 'string') return refuse(hubName, describeBody(responseBody) ?? { name: failure.name, text: failure.message }, failure);
  if (typeof code === 'string' && /^(E[A-Z_]+|CERT_|UNABLE_|SELF_|DEPTH_)/.test(code)) return unreachable(hubName, code, failure);
  if (failure.name === 'NotConnectedError') return unreachable(hubName, 'no connection', failure);
  // The SDK wraps what AMQP says where it has no class for it.
  const inner = isError(amqpError) ? amqpError : failure;
  return refuse(hubName, { name: inner.name, text: inner.message }, failure);
}

interface SdkError extends Error {
  readonly responseBody?: unknown;
  readonly code?: unknown;
  readonly amqpError?: unknown;
}

function isError(value: unknown): value is SdkError {
  return typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string' && 'name' in value && typeof value.name === 'string';
}

interface Refusal {
  readonly name: string;
  readonly text: string;
}

function refuse(hubName: string, { name, text }: Refusal, cause: Error): CliError {
  const remedy = REMEDIES.find(({ matches }) => matches.test(name))?.remedy ?? GENERAL_REMEDY;
  return new CliError('ERR_HUB_REFUSED', EXIT.failed, `${hubName} refused: ${name}${text === '' || text === name ? '' : `, ${firstLine(text)}`}`, remedy, { cause });
}

function unreachable(hubName: string, detail: string, cause: Error): CliError {
  const isTrust = /^(CERT_|UNABLE_|SELF_|DEPTH_|ERR_TLS)/.test(detail);
  const remedy = isTrust ? 'its certificate is not trusted here: is it the hub that you mean?' : 'check the name in the connection string and the network; a local hub must be running ("latchkey hub")';
  return new CliError('ERR_HUB_UNREACHABLE', EXIT.unreachable, `cannot reach ${hubName}: ${detail}`, remedy, { cause });
}

const firstLine = (text: string): string => (text.split('\n')[0] ?? '').trim();

/** The hub's own words; direct methods have them nested in the `Message` of another answer. */
function describeBody(body: string, depth = 0): Refusal | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { Message, message, errorCode } = value as Readonly<Record<string, unknown>>;
  if (typeof message === 'string') return { name: NAMES[Number(errorCode)] ?? String(errorCode ?? ''), text: message };
  if (typeof Message !== 'string') return undefined;
  const [, name, text] = CODED.exec(Message) ?? [];
  if (name !== undefined) return { name, text: text ?? '' };
  return depth < MAX_DEPTH ? (describeBody(Message, depth + 1) ?? { name: Message, text: '' }) : undefined;
}

/** Names of the codes that come without one. */
const NAMES: Readonly<Record<number, string>> = {
  401_002: 'IotHubUnauthorizedAccess',
  404_001: 'DeviceNotFound',
  404_010: 'ModuleNotFound',
  404_103: 'DeviceNotOnline',
  409_301: 'ModuleAlreadyExistsOnDevice',
  412_001: 'PreconditionFailed',
  429_001: 'ThrottlingException',
  504_101: 'GatewayTimeout',
};
