import type { Command } from 'commander';
import { Dps } from '../dps/dps.ts';
import { isRegistrationId, type Enrolment } from '../dps/enrolments.ts';
import { decodeKey, encodeKey, generateKeyPair } from '../hub/access/symmetric-key.ts';
import { HubError } from '../hub/hub-error.ts';
import type { Hub } from '../hub/hub.ts';
import type { Listener, ServerCredentials } from '../hub/listen.ts';
import { isTerminal, printJson, sayLine, type CliContext } from '../terminal/cli-context.ts';
import { port, repeated } from '../terminal/option-values.ts';
import { realClock } from '../time/real-clock.ts';

const DEFAULT_PORT = 18_884;
const DEFAULT_ID_SCOPE = '0ne0000C0DE';
const HIDDEN = '***';

export interface HubDpsFlags {
  readonly dpsGroup?: readonly string[];
  readonly dpsEnrolment?: readonly string[];
  readonly dpsScope: string;
  readonly dpsPort?: number;
  readonly port?: number;
  readonly address: string;
  readonly showSecrets?: true;
  readonly json?: true;
}

/** Options of a provisioning service beside the hub. */
export function addHubDpsOptions(command: Command): Command {
  return command
    .option('--dps-group <name[=key]>', 'a provisioning service with this enrolment group: devices register with keys derived from its key; may be repeated (a key on the command line is seen by everybody on this machine)', repeated((text) => text))
    .option('--dps-enrolment <id[=key]>', 'the same with an enrolment of one device; may be repeated', repeated((text) => text))
    .option('--dps-scope <id>', 'ID scope of the service', DEFAULT_ID_SCOPE)
    .option('--dps-port <n>', `its port (default: ${DEFAULT_PORT}; with --port 0 any free port)`, port);
}

export interface HubDps {
  readonly dps: Dps;
  readonly listener: Listener;
  /** Tells where it is, and its keys as `tellCredentials` does. */
  tell(context: CliContext): void;
}

/** Opens the service that the flags ask for; `undefined`: none. @throws ERR_ENROLMENT, ERR_ID_SCOPE, ERR_KEY, ERR_PORT_IN_USE, … */
export async function openHubDps(hub: Hub, tls: ServerCredentials, flags: HubDpsFlags): Promise<HubDps | undefined> {
  const { dpsGroup = [], dpsEnrolment = [], dpsScope: idScope, address } = flags;
  const options = [...dpsGroup.map((text) => parseEnrolment('group', text)), ...dpsEnrolment.map((text) => parseEnrolment('individual', text))];
  if (options.length === 0) return undefined;
  const dps = new Dps({ idScope, clock: realClock, hubs: [hub], emit: (event) => hub.emit(event) });
  for (const { enrolment } of options) dps.enrolments.set(enrolment);
  const listener = await dps.listen({ port: flags.dpsPort ?? (flags.port === 0 ? 0 : DEFAULT_PORT), address, tls });
  hub.emit({ event: 'listening', service: 'dps', address: listener.address, port: listener.port });
  return { dps, listener, tell: (context) => tell(options, { idScope, listener, flags }, context) };
}

interface EnrolmentOption {
  readonly enrolment: Enrolment;
  readonly isGenerated: boolean;
}

/** `ID` or `ID=KEY`: ids of enrolments hold no `=`. */
function parseEnrolment(type: Enrolment['type'], text: string): EnrolmentOption {
  const equals = text.indexOf('=');
  const id = equals < 0 ? text : text.slice(0, equals);
  // Errors do not quote it: who forgets the id gives the key in its place.
  if (equals >= 0 && !isRegistrationId(id)) throw new HubError('ERR_ENROLMENT', 'what stands before "=" is no id of an enrolment', 'give ID=KEY; an id has letters, digits and - . _ :');
  const generated = generateKeyPair();
  const keys = equals < 0 ? generated : { ...generated, primary: decodeKey(text.slice(equals + 1), 'an enrolment') };
  return { enrolment: { id, type, keys }, isGenerated: equals < 0 };
}

function tell(options: readonly EnrolmentOption[], { idScope, listener, flags }: { readonly idScope: string; readonly listener: Listener; readonly flags: HubDpsFlags }, context: CliContext): void {
  const isForPerson = isTerminal(context) && context.stderr.isTTY === true;
  const showSecrets = flags.showSecrets === true;
  const place = `${listener.address}:${listener.port}`;
  if (flags.json === true) printJson(context, { event: 'dps', idScope, place });
  else sayLine(context, `  ${'dps'.padEnd(8)}${place}  ID scope ${idScope}`);
  for (const { enrolment: { id, type, keys }, isGenerated } of options) {
    const key = showSecrets || (isForPerson && isGenerated) ? encodeKey(keys.primary) : HIDDEN;
    if (flags.json === true && showSecrets) printJson(context, { event: 'enrolment', type, id, key });
    else sayLine(context, `  ${(type === 'group' ? 'group' : 'device').padEnd(8)}${id} ${key}`);
  }
}
