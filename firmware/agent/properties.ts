import { LatchkeyError } from './errors.ts';

/** What travels beside a message, in its topic. */
export interface MessageProperties {
  /** `$.mid` */
  readonly messageId?: string | undefined;
  /** `$.cid` */
  readonly correlationId?: string | undefined;
  /** `$.uid` */
  readonly userId?: string | undefined;
  /** `$.to` */
  readonly to?: string | undefined;
  /** `$.ct`, such as `application/json` */
  readonly contentType?: string | undefined;
  /** `$.ce`, such as `utf-8`: with a JSON content type it lets IoT Hub route by the body. */
  readonly contentEncoding?: string | undefined;
  /** `$.sub`: the Plug and Play component that the telemetry is of. */
  readonly component?: string | undefined;
  /** The application's own; names must not be empty nor begin with `$`. */
  readonly application?: Readonly<Record<string, string>> | undefined;
}

/** A cloud-to-device message's properties. The names come from the cloud, so they are never made property names of an object. */
export interface ReceivedProperties {
  readonly messageId?: string;
  readonly correlationId?: string;
  readonly userId?: string;
  readonly to?: string;
  readonly contentType?: string;
  readonly contentEncoding?: string;
  /** `$.exp` */
  readonly expiryTimeUtc?: string;
  readonly application: ReadonlyMap<string, string>;
  /** Those beyond `MAX_RECEIVED_PROPERTIES`. */
  readonly droppedCount: number;
}

type SystemName = Exclude<keyof ReceivedProperties, 'application' | 'droppedCount'>;

/** In the order of Microsoft's Node SDK, as two lists: a message is formatted with every telemetry, and pairs cost twice the compute units. */
const SYSTEM_NAMES = ['messageId', 'correlationId', 'userId', 'to', 'contentType', 'contentEncoding', 'component'] as const;
const SYSTEM_KEYS = ['%24.mid', '%24.cid', '%24.uid', '%24.to', '%24.ct', '%24.ce', '%24.sub'] as const;

/** Bounds what a topic full of `&` costs: each property is a Map entry, some ten slots of heap. */
export const MAX_RECEIVED_PROPERTIES = 64;

/**
 * `k=v&…`, percent-encoded, as the last level of a telemetry topic; empty without properties. Empty system properties are left out.
 * @throws ERR_PROPERTY for a name that is empty or reserved, or text with half of a surrogate pair.
 */
export function formatProperties(properties: MessageProperties): string {
  let out = '';
  for (let i = 0; i < SYSTEM_NAMES.length; i++) {
    const name = SYSTEM_NAMES[i]!;
    const value = properties[name];
    if (value === undefined || value === '') continue;
    out += `${out === '' ? '' : '&'}${SYSTEM_KEYS[i]}=${encode(value, name)}`;
  }
  const application = properties.application;
  if (application === undefined) return out;
  for (const name of Object.keys(application)) {
    if (name === '' || name.startsWith('$')) {
      throw new LatchkeyError('ERR_PROPERTY', `"${name}" is no name of an application property: it is empty or begins with "$"; rename it`);
    }
    out += `${out === '' ? '' : '&'}${encode(name, name)}=${encode(application[name]!, name)}`;
  }
  return out;
}

/** Reads the last level of a cloud-to-device topic. What is not well percent-encoded is kept as it came. */
export function parseProperties(text: string): ReceivedProperties {
  const system: { -readonly [K in SystemName]?: string } = {};
  const application = new Map<string, string>();
  let count = 0;
  let droppedCount = 0;
  // No text, no properties.
  if (text === '') return { application, droppedCount };
  for (let start = 0; start < text.length; ) {
    const ampersand = text.indexOf('&', start);
    const end = ampersand < 0 ? text.length : ampersand;
    if (end > start) {
      if (count++ < MAX_RECEIVED_PROPERTIES) addProperty(text.slice(start, end), system, application);
      else droppedCount++;
    }
    start = end + 1;
  }
  return { ...system, application, droppedCount };
}

function addProperty(pair: string, system: { -readonly [K in SystemName]?: string }, application: Map<string, string>): void {
  const equals = pair.indexOf('=');
  const key = decode(equals < 0 ? pair : pair.slice(0, equals));
  const value = equals < 0 ? '' : decode(pair.slice(equals + 1));
  switch (key) {
    case '$.mid':
      system.messageId = value;
      return;
    case '$.cid':
      system.correlationId = value;
      return;
    case '$.uid':
      system.userId = value;
      return;
    case '$.to':
      system.to = value;
      return;
    case '$.ct':
      system.contentType = value;
      return;
    case '$.ce':
      system.contentEncoding = value;
      return;
    case '$.exp':
      system.expiryTimeUtc = value;
      return;
    default:
      application.set(key, value);
  }
}

function encode(text: string, name: string): string {
  try {
    return encodeURIComponent(text);
  } catch (cause) {
    throw new LatchkeyError('ERR_PROPERTY', `property ${JSON.stringify(name)} holds half of a surrogate pair: send bytes as base64`, { cause });
  }
}

function decode(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
