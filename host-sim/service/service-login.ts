import type { CliContext } from '../terminal/cli-context.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { parseConnectionString, type ConnectionString } from '../terminal/connection-string.ts';
import { HUBS_FOLDER_VARIABLE, runningHubs, type HubPlace } from './hub-place.ts';

export const LOGIN_VARIABLE = 'IOTHUB_CONNECTION_STRING';

/** A policy's connection string, complete. */
export interface PolicyConnectionString extends ConnectionString {
  readonly SharedAccessKeyName: string;
  readonly SharedAccessKey: string;
}

/** Which hub, with which rights. */
export interface ServiceLogin {
  readonly connection: PolicyConnectionString;
  /** Set for a hub on this machine; every other is reached by its name. */
  readonly place: HubPlace | undefined;
}

export interface LoginFlags {
  /** `--login`; `-` reads stdin. */
  readonly login?: string;
  /** `--hub-name`. */
  readonly hubName?: string;
}

const REMEDY = `start one with "latchkey hub", or name Azure's by --login - (the connection string on stdin) or ${LOGIN_VARIABLE}`;

/**
 * Flag, then environment, then the hub that runs on this machine. `--hub-name` leaves out what has another name.
 * @throws ERR_NO_HUB, ERR_CONNECTION_STRING
 */
export async function findLogin(context: CliContext, { login, hubName }: LoginFlags): Promise<ServiceLogin> {
  const hubs = runningHubs(context.env);
  const at = (connection: PolicyConnectionString): ServiceLogin => ({ connection, place: hubs.find((place) => isSame(place.hubName, connection.HostName)) });
  if (login !== undefined) {
    const connection = parsePolicy(login === '-' ? await readStdin(context) : login, login === '-' ? 'stdin' : '--login');
    if (hubName === undefined || isMeant(connection.HostName, hubName)) return at(connection);
    throw new CliError('ERR_NO_HUB', EXIT.configuration, `--login is for ${connection.HostName}, --hub-name for ${hubName}`, 'leave --hub-name out, or give the connection string of that hub');
  }
  const text = context.env[LOGIN_VARIABLE];
  if (text !== undefined && text !== '') {
    const connection = parsePolicy(text, LOGIN_VARIABLE);
    if (hubName === undefined || isMeant(connection.HostName, hubName)) return at(connection);
  }
  return at(parsePolicy(chooseHub(hubs, hubName).serviceConnectionString, 'the running hub'));
}

/** The hub on this machine that is meant. @throws ERR_NO_HUB */
export function findLocalHub(context: CliContext, hubName: string | undefined): HubPlace {
  return chooseHub(runningHubs(context.env), hubName);
}

function chooseHub(hubs: readonly HubPlace[], hubName: string | undefined): HubPlace {
  const meant = hubName === undefined ? hubs : hubs.filter((place) => isMeant(place.hubName, hubName));
  const [hub, another] = meant;
  if (hub === undefined) throw new CliError('ERR_NO_HUB', EXIT.configuration, hubName === undefined ? 'there is no hub' : `there is no hub ${hubName}`, `${REMEDY}; ${HUBS_FOLDER_VARIABLE} names another folder of running hubs`);
  if (another !== undefined) throw new CliError('ERR_NO_HUB', EXIT.configuration, `${meant.length} hubs run here: ${meant.map((place) => place.hubName).join(', ')}`, 'say which by --hub-name');
  return hub;
}

const isSame = (name: string, other: string): boolean => name.toLowerCase() === other.toLowerCase();

/** The az CLI takes a hub's name without its domain. */
const isMeant = (hostName: string, hubName: string): boolean => isSame(hostName, hubName) || isSame(hostName.split('.')[0] ?? '', hubName);

/** @throws ERR_CONNECTION_STRING */
function parsePolicy(text: string, source: string): PolicyConnectionString {
  const connection = parseConnectionString(text, source);
  const { SharedAccessKeyName, SharedAccessKey } = connection;
  if (SharedAccessKeyName === undefined || SharedAccessKey === undefined) {
    throw new CliError('ERR_CONNECTION_STRING', EXIT.configuration, `the connection string from ${source} is none of a shared access policy`, 'copy it from the hub\'s policies: HostName=…;SharedAccessKeyName=…;SharedAccessKey=…');
  }
  return { ...connection, SharedAccessKeyName, SharedAccessKey };
}

const MAX_STDIN_BYTES = 65_536;

async function readStdin({ stdin }: CliContext): Promise<string> {
  const chunks: Buffer[] = [];
  let byteCount = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk as Uint8Array | string);
    byteCount += bytes.length;
    if (byteCount > MAX_STDIN_BYTES) throw new CliError('ERR_CONNECTION_STRING', EXIT.configuration, 'stdin is too long for a connection string', 'pipe in one connection string');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
