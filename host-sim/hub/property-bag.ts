import { decodePercentOnce } from './sas-token.ts';

/** The properties of a message, decoded. Both records have no prototype. */
export interface MessageProperties {
  /** Names with `$.`: `$.mid`, `$.cid`, `$.ct`, `$.ce`, `$.to`, `$.uid`, … */
  readonly system: Readonly<Record<string, string>>;
  readonly application: Readonly<Record<string, string>>;
  /** What counts towards the message's size: system values, application names and values. */
  readonly bytes: number;
}

const NO_PROPERTIES: Readonly<Record<string, string>> = Object.freeze(Object.create(null) as Record<string, string>);
const EMPTY: MessageProperties = { system: NO_PROPERTIES, application: NO_PROPERTIES, bytes: 0 };

/**
 * Reads the last part of a telemetry topic: `name=value&name=value`, percent-encoded. The SDKs end a module's with a slash.
 * @returns `undefined` when an escape is broken or a name is empty
 */
export function parsePropertyBag(text: string): MessageProperties | undefined {
  const bag = text.endsWith('/') ? text.slice(0, -1) : text;
  if (bag === '') return EMPTY;
  const system = Object.create(null) as Record<string, string>;
  const application = Object.create(null) as Record<string, string>;
  let bytes = 0;
  for (const pair of bag.split('&')) {
    const equals = pair.indexOf('=');
    const name = decodePercentOnce(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? '' : decodePercentOnce(pair.slice(equals + 1));
    if (name === undefined || name === '' || value === undefined) return undefined;
    const isSystem = name.startsWith('$.');
    (isSystem ? system : application)[name] = value;
    bytes += Buffer.byteLength(value) + (isSystem ? 0 : Buffer.byteLength(name));
  }
  return { system, application, bytes };
}
