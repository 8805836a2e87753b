import { CliError, EXIT } from './cli-error.ts';
import { nearestWord } from './did-you-mean.ts';

/** A device's or a policy's connection string, in IoT Hub's spelling. The keys in it are secret: never print one of these whole. */
export interface ConnectionString {
  readonly HostName: string;
  readonly DeviceId?: string;
  readonly ModuleId?: string;
  readonly SharedAccessKey?: string;
  readonly SharedAccessKeyName?: string;
  readonly SharedAccessSignature?: string;
  readonly GatewayHostName?: string;
  readonly x509?: string;
}

const NAMES = ['HostName', 'DeviceId', 'ModuleId', 'SharedAccessKey', 'SharedAccessKeyName', 'SharedAccessSignature', 'GatewayHostName', 'x509'] as const;

type Name = (typeof NAMES)[number];

const isName = (text: string): text is Name => (NAMES as readonly string[]).includes(text);

/** Longest text that is looked at; a real one with a token has some 500 characters. */
const MAX_LENGTH = 8192;

/**
 * Reads `Name=value;Name=value`. A value may hold `=` but no `;`.
 *
 * @param source where it came from, for the error text
 * @throws ERR_CONNECTION_STRING; the text holds names of parts, never a value
 */
export function parseConnectionString(text: string, source: string): ConnectionString {
  const trimmed = text.trim();
  if (trimmed === '') throw refused(source, 'is empty', 'copy the whole connection string of the device: HostName=…;DeviceId=…;SharedAccessKey=…');
  if (trimmed.length > MAX_LENGTH) throw refused(source, `has more than ${MAX_LENGTH} characters`, 'give one connection string and nothing else');
  const parts = new Map<Name, string>();
  for (const part of trimmed.split(';')) {
    if (part.trim() === '') continue;
    const equals = part.indexOf('=');
    if (equals < 1) throw refused(source, `has a part without "=" (part ${parts.size + 1})`, 'parts are Name=value, separated by ";"; in a shell, put the whole string in single quotes');
    const name = part.slice(0, equals).trim();
    const value = part.slice(equals + 1).trim();
    if (!isName(name)) {
      // A name that is not near a known one may be a piece of a key that was cut in two: it is not repeated.
      const near = nearestWord(name, NAMES);
      if (near === undefined) throw refused(source, `has an unknown part (part ${parts.size + 1})`, `the known parts are ${NAMES.join(', ')}`);
      throw refused(source, `has an unknown part "${name}"`, `did you mean "${near}"?`);
    }
    if (parts.has(name)) throw refused(source, `has ${name} twice`, 'give one connection string and nothing else');
    if (value === '') throw refused(source, `has an empty ${name}`, 'copy the whole connection string; in a shell, put it in single quotes');
    parts.set(name, value);
  }
  const HostName = parts.get('HostName');
  if (HostName === undefined) throw refused(source, 'has no HostName', 'copy the whole connection string; in a shell, put it in single quotes, or ";" ends the command');
  return { ...Object.fromEntries(parts), HostName };
}

/** What a device needs: who it is, and one way to prove it. */
export interface DeviceConnectionString extends ConnectionString {
  readonly DeviceId: string;
}

/** @throws ERR_CONNECTION_STRING when `DeviceId` or the credential is missing */
export function requireDevice(connection: ConnectionString, source: string): DeviceConnectionString {
  const { DeviceId, SharedAccessKey, SharedAccessSignature } = connection;
  if (DeviceId === undefined) throw refused(source, 'has no DeviceId', 'use the connection string of a device, not the one of the hub');
  if (connection.x509 !== undefined) throw refused(source, 'asks for X.509', 'certificates of devices are not supported yet: use a device with symmetric keys');
  if (SharedAccessKey === undefined && SharedAccessSignature === undefined) {
    throw refused(source, 'has neither SharedAccessKey nor SharedAccessSignature', 'copy the whole connection string; in a shell, put it in single quotes, or ";" ends the command');
  }
  return { ...connection, DeviceId };
}

/** The string with its secrets masked, for people. */
export function maskConnectionString(connection: ConnectionString): string {
  return formatConnectionString({
    ...connection,
    ...(connection.SharedAccessKey !== undefined && { SharedAccessKey: '***' }),
    ...(connection.SharedAccessSignature !== undefined && { SharedAccessSignature: '***' }),
  });
}

export function formatConnectionString(connection: ConnectionString): string {
  return NAMES.flatMap((name) => (connection[name] === undefined ? [] : [`${name}=${connection[name]}`])).join(';');
}

function refused(source: string, fault: string, remedy: string): CliError {
  return new CliError('ERR_CONNECTION_STRING', EXIT.configuration, `the connection string from ${source} ${fault}`, remedy);
}
