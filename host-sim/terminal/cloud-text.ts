import { formatDuration } from './duration.ts';

type Fields = Readonly<Record<string, unknown>>;

/** How a line reads: news, good or bad, or something to watch. */
export interface CloudText {
  readonly tone: 'plain' | 'warning' | 'bad';
  readonly text: string;
}

/** Why the agent answered a direct method itself. */
const METHOD_REFUSALS: Readonly<Record<number, string>> = {
  400: 'its payload cannot be read',
  413: 'its payload is too large',
  429: 'too many are open',
  500: 'its handler failed',
  501: 'there is no such method',
};

/** What a device says of its twin, methods, messages, tokens and clock, for people; `undefined` for other events. */
export function describeCloudEvent(event: string, fields: Fields): CloudText | undefined {
  return describeTwin(event, fields) ?? describeMethod(event, fields) ?? describeMessage(event, fields) ?? describeTrouble(event, fields);
}

function describeTwin(event: string, { version, request, status, names, retryMs, code }: Fields): CloudText | undefined {
  const isReading = request === 'get';
  switch (event) {
    case 'reported':
      return plain(`reported properties are at the hub${version === undefined ? '' : `, version ${version}`}`);
    case 'twin-refused':
      return bad(`the hub refused ${isReading ? 'to give the twin' : `the reported properties ${listNames(names)}`} (${status})`);
    case 'twin-delayed': {
      const what = isReading ? 'the twin was asked for' : 'properties were reported';
      const why = status === undefined ? 'the hub did not answer' : `the hub answered ${status}`;
      return warning(`${what}, ${why}; again in ${duration(retryMs)}`);
    }
    case 'twin-unreadable':
      return warning(`what came of the twin cannot be read (${code}); it is asked for again`);
    default:
      return undefined;
  }
}

function describeMethod(event: string, { name, status, reason }: Fields): CloudText | undefined {
  switch (event) {
    case 'method-refused':
      return warning(`method ${name} was answered ${status}: ${METHOD_REFUSALS[Number(status)] ?? 'by the agent itself'}`);
    case 'method-dropped':
      return warning(`method ${name} stays without an answer: ${reason === 'flood' ? 'too many came at once' : 'the application gave none in time'}`);
    default:
      return undefined;
  }
}

function describeMessage(event: string, { byteCount, topic, count, tries, dropped, message }: Fields): CloudText | undefined {
  switch (event) {
    case 'message':
      return plain(`a message from the cloud, ${byteCount} ${byteCount === 1 ? 'byte' : 'bytes'}`);
    case 'message-failed':
      return dropped === true
        ? bad(`a message from the cloud is given up, ${tries === 1 ? 'too many others failed' : `its handler failed ${tries} times`}: ${topic}`)
        : warning(`a message from the cloud waits for the next connection, its handler failed: ${topic}`);
    case 'oversize':
      return warning(`${byteCount} bytes on ${topic} are more than this device takes: passed over`);
    case 'ignored':
      return warning(`passed over ${count} ${count === 1 ? 'message' : 'messages'} that nobody asked for, the last on ${topic}`);
    case 'handler-failed':
      return bad(`a handler of the application failed: ${message}`);
    default:
      return undefined;
  }
}

function describeTrouble(event: string, { topic, code, detail }: Fields): CloudText | undefined {
  switch (event) {
    case 'subscription-refused':
      return bad(`the hub refused the subscription to ${topic}`);
    case 'token-needed':
      return warning('the token ends, and there is no key to sign another: give the next one');
    case 'sign-failed':
      return bad(`no token can be signed (${code})`);
    case 'clock-trouble':
      return warning(`a check of the clock failed (${code}${Number(detail) === 0 ? '' : `, ${detail}`})`);
    default:
      return undefined;
  }
}

const plain = (text: string): CloudText => ({ tone: 'plain', text });
const warning = (text: string): CloudText => ({ tone: 'warning', text });
const bad = (text: string): CloudText => ({ tone: 'bad', text });

const listNames = (names: unknown): string => (Array.isArray(names) ? names.join(', ') : '');

const duration = (value: unknown): string => (typeof value === 'number' ? formatDuration(value) : '?');
