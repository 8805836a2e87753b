import { decodePercentOnce } from '../access/sas-token.ts';

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
  let system: Record<string, string> | undefined;
  let application: Record<string, string> | undefined;
  let bytes = 0;
  for (const pair of bag.split('&')) {
    const equals = pair.indexOf('=');
    const name = decodePercentOnce(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? '' : decodePercentOnce(pair.slice(equals + 1));
    if (name === undefined || name === '' || value === undefined) return undefined;
    if (name.startsWith('$.')) (system ??= createRecord())[name] = value;
    else {
      (application ??= createRecord())[name] = value;
      bytes += Buffer.byteLength(name);
    }
    bytes += Buffer.byteLength(value);
  }
  return { system: system ?? NO_PROPERTIES, application: application ?? NO_PROPERTIES, bytes };
}

/** Objects without inherited members, as of `Object.create(null)`, that the engine keeps as it keeps instances of a class: several times faster. */
const PropertyRecord = function () {} as unknown as new () => Record<string, string>;
Object.defineProperty(PropertyRecord, 'prototype', { value: Object.freeze(Object.create(null)) });

function createRecord(): Record<string, string> {
  return new PropertyRecord();
}
