import type { Command } from 'commander';
import { DateServer } from '../hub/time-servers/date-server.ts';
import { parseDeviceOption, type DeviceOption } from '../hub/registry/device-option.ts';
import { describeHubEvent, toJsonEvent, type Tone } from '../hub/event-text.ts';
import type { HubEvent } from '../hub/events.ts';
import { createHub, type Hub } from '../hub/hub.ts';
import { formatClientId, type Identity } from '../hub/identity.ts';
import { Ledger } from '../hub/ledger.ts';
import { DEFAULT_LIMITS } from '../hub/limits.ts';
import { listenTls, LOOPBACK, type Listener } from '../hub/listen.ts';
import { checkMachineClock } from '../hub/machine-clock.ts';
import { openNtpServer, type NtpServer } from '../hub/time-servers/ntp-server.ts';
import { Registry } from '../hub/registry/registry.ts';
import { keepState, loadState, saveState } from '../hub/state-file.ts';
import { encodeKey, generateKeyPair } from '../hub/access/symmetric-key.ts';
import { openLocalPki, type LocalPki } from '../simulation/local-pki.ts';
import { isTerminal, makeStyle, printJson, printLine, sayLine, type CliContext, type Style } from '../terminal/cli-context.ts';
import { EXIT } from '../terminal/cli-error.ts';
import { formatConnectionString } from '../terminal/connection-string.ts';
import { durationMs, durationOption, port, repeated } from '../terminal/option-values.ts';
import { realClock } from '../time/real-clock.ts';

const DAY_MS = 24 * 3600 * 1000;
const DEFAULT_PORT = 18_883;
const DEFAULT_DEVICE = 'dev1';
/** RFC 2606 keeps `.test` for this: no token goes to a stranger when a client is not pointed here. */
const DEFAULT_HUB_NAME = 'latchkey-hub.test';
const STANDARD_PORTS = { mqtt: 8883, date: 443, ntp: 123 } as const;
/** Telemetry is told as one line a second. */
const TELEMETRY_EVERY_MS = 1_000;

interface HubFlags {
  readonly port: number;
  readonly address: string;
  readonly hubName: string;
  readonly device?: readonly string[];
  readonly san?: readonly string[];
  readonly standardPorts?: true;
  readonly grace: number;
  readonly state?: string;
  readonly showSecrets?: true;
  readonly json?: true;
}

const EXAMPLES = `Examples:
  npm run latchkey -- hub                                     one device with a key of its own, until Ctrl-C
  npm run latchkey -- hub --device dev1=$KEY --device dev2    a device with your key, one with a generated key
  npm run latchkey -- hub --state hub.json                    the same devices again next time
`;

export function addHubCommand(program: Command, context: CliContext): void {
  program
    .command('hub')
    .description('Runs a local hub that devices, Microsoft\'s SDKs and mosquitto clients connect to by MQTT over TLS.')
    .addHelpText('before', EXAMPLES)
    .option('--port <n>', 'MQTT over TLS, 0 for any free port', port, DEFAULT_PORT)
    .option('--address <ip>', 'listen on this address', LOOPBACK)
    .option('--hub-name <name>', 'the HostName of connection strings and tokens', DEFAULT_HUB_NAME)
    .option('--device <id[=key]>', 'a device, or a module as DEVICE/MODULE, with its primary key; may be repeated (a key on the command line is seen by everybody on this machine)', repeated((text) => text))
    .option('--san <name>', 'a further name or address in the certificate; may be repeated', repeated((text) => text))
    .option('--standard-ports', `MQTT on ${STANDARD_PORTS.mqtt}, HTTPS on ${STANDARD_PORTS.date}, NTP on ${STANDARD_PORTS.ntp}, as a real hub has them`)
    .addOption(durationOption('--grace <time>', 'how long a connection outlives its token', durationMs(0, DAY_MS), '5m'))
    .option('--state <file>', 'keep devices and keys in this file')
    .option('--show-secrets', 'show connection strings with their keys, also where stdout is no terminal')
    .option('--json', 'one JSON object a line on stdout, the summary last')
    .action((flags: HubFlags, command: Command) => {
      if (flags.standardPorts === true && command.getOptionValueSource('port') === 'cli') {
        command.error("error: --port and --standard-ports cannot both be given", { exitCode: EXIT.usage });
      }
      return runHub(flags, context);
    });
}

async function runHub(flags: HubFlags, context: CliContext): Promise<void> {
  checkMachineClock(realClock.now());
  const devices = (flags.device ?? []).map(parseDeviceOption);
  const registry = new Registry(flags.state === undefined ? undefined : loadState(flags.state));
  const generated = register(registry, devices);
  const hub = createHub({ hubName: flags.hubName, clock: realClock, registry, graceMs: flags.grace });
  const ledger = new Ledger();
  const view = flags.json === true ? jsonView(context) : linesView(context);
  hub.onEvent((event) => {
    ledger.observe(event);
    view(event);
  });
  if (flags.state !== undefined) openState(hub, flags.state);
  const names = [...new Set([flags.hubName, 'localhost', LOOPBACK, flags.address, ...(flags.san ?? [])])];
  const pki = await openLocalPki(names, realClock.now(), `hub-${names.join('+').replace(/[^A-Za-z0-9.+-]/g, '_').slice(0, 100)}`);
  const services = await openServices(hub, pki, flags);
  try {
    if (flags.json === true) printJson(context, { event: 'started', hubName: flags.hubName, ...formatPlaces(services), rootFile: pki.rootFile });
    else sayLine(context, describeStart(services, pki, flags, makeStyle(context)));
    if (flags.address !== LOOPBACK) sayLine(context, 'latchkey: others on the network can reach this hub');
    tellDevices(registry, generated, flags, services.mqtt.port, context);
    await waitForInterrupt(context.interrupted);
  } finally {
    await services.close();
  }
  const counts = ledger.counts();
  if (flags.json === true) printJson(context, { event: 'summary', ...counts });
  else printLine(context, `received ${counts.received}, duplicated ${counts.duplicated}, connects ${counts.connects}, renewals ${counts.renewals}, refused ${counts.refused}`);
  context.exitCode = EXIT.interrupted;
}

/** @returns the devices whose keys nobody but this program has seen */
function register(registry: Registry, options: readonly DeviceOption[]): readonly Identity[] {
  const generated: Identity[] = [];
  const isEmpty = registry.contents().identities.length === 0;
  for (const { identity, key } of options.length === 0 && isEmpty ? [parseDeviceOption(DEFAULT_DEVICE)] : options) {
    const known = registry.find(identity);
    const keys = key === undefined ? undefined : { ...(known?.keys ?? generateKeyPair()), primary: key };
    if (keys === undefined) generated.push(identity);
    if (known === undefined) registry.add(identity, keys === undefined ? {} : { keys });
    else if (keys !== undefined) registry.setKeys(identity, keys);
  }
  return generated;
}

/** Saves now, so that a disk that is full is told before anything starts, and at every change. @throws ERR_STATE_WRITE */
function openState(hub: Hub, path: string): void {
  saveState(path, hub.registry.contents());
  keepState(hub.registry, path, (error) =>
    hub.emit(error === undefined ? { event: 'stateSaved', path } : { event: 'stateNotSaved', path, code: error.code, detail: error.message, remedy: error.remedy }),
  );
}

interface Services {
  readonly mqtt: Listener;
  readonly date: Listener;
  readonly ntp: NtpServer;
  close(): Promise<void>;
}

async function openServices(hub: Hub, pki: LocalPki, flags: HubFlags): Promise<Services> {
  const ports = flags.standardPorts === true ? STANDARD_PORTS : { mqtt: flags.port, date: 0, ntp: 0 };
  const { address } = flags;
  const open: { close(): Promise<void> }[] = [hub];
  const close = async (): Promise<void> => void (await Promise.all(open.map((service) => service.close())));
  try {
    const mqtt = await hub.listen({ port: ports.mqtt, address, tls: pki.tls });
    const dates = new DateServer(realClock);
    const date = await listenTls({ port: ports.date, address, tls: pki.tls }, DEFAULT_LIMITS, {
      accept: (stream) => dates.acceptHttps(stream),
      failed: (peer, code, detail) => hub.emit({ event: 'tlsFailed', peer, code, detail }),
    });
    open.push(date);
    hub.emit({ event: 'listening', service: 'date', address: date.address, port: date.port });
    const ntp = await openNtpServer({ port: ports.ntp, clock: realClock, ...(address === LOOPBACK ? {} : { addresses: [address] }) });
    open.push(ntp);
    for (const each of ntp.addresses) hub.emit({ event: 'listening', service: 'ntp', address: each, port: ntp.port });
    return { mqtt, date, ntp, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function formatPlaces({ mqtt, date, ntp }: Services): { readonly hub: string; readonly date: string; readonly ntp: readonly string[] } {
  const format = ({ address, port: number }: { readonly address: string; readonly port: number }): string => (address.includes(':') ? `[${address}]:${number}` : `${address}:${number}`);
  return { hub: format(mqtt), date: format(date), ntp: ntp.addresses.map((address) => format({ address, port: ntp.port })) };
}

function describeStart(services: Services, pki: LocalPki, flags: HubFlags, style: Style): string {
  const { hub, date, ntp } = formatPlaces(services);
  const rows: [string, string][] = [
    ['hub', `${hub}  ${flags.hubName}`],
    ['time', `NTP ${ntp.join(', ')}; HTTPS date ${date}`],
    ['root', pki.rootFile],
    ...(flags.state === undefined ? [] : [['state', flags.state] as [string, string]]),
  ];
  return [style.bold('Latchkey hub: Ctrl-C ends it'), ...rows.map(([name, value]) => `  ${style.cyan(name.padEnd(8))}${value}`)].join('\n');
}

/** Connection strings: keys that this program generated on a terminal only, all others when asked for. */
function tellDevices(registry: Registry, generated: readonly Identity[], flags: HubFlags, port: number, context: CliContext): void {
  const isForPerson = isTerminal(context) && context.stderr.isTTY === true;
  const own = new Set(generated.map(formatClientId));
  for (const { keys, ...identity } of registry.contents().identities) {
    const isShown = flags.showSecrets === true || (isForPerson && own.has(formatClientId(identity)));
    const connection = formatConnectionString({
      HostName: flags.hubName,
      DeviceId: identity.deviceId,
      ...(identity.moduleId === undefined ? {} : { ModuleId: identity.moduleId }),
      SharedAccessKey: isShown ? encodeKey(keys.primary) : '***',
      GatewayHostName: `localhost:${port}`,
    });
    if (flags.json === true && flags.showSecrets === true) printJson(context, { event: 'device', deviceId: identity.deviceId, ...(identity.moduleId === undefined ? {} : { moduleId: identity.moduleId }), connectionString: connection });
    else sayLine(context, `  ${'device'.padEnd(8)}${connection}`);
  }
}

function jsonView(context: CliContext): (event: HubEvent) => void {
  return (event) => printJson(context, toJsonEvent(event));
}

function linesView(context: CliContext): (event: HubEvent) => void {
  const style = makeStyle(context);
  const paint: Record<Tone, (text: string) => string> = { good: style.green, warning: style.yellow, bad: style.red, plain: (text) => text };
  const print = (atMs: number, who: string, text: string): void => printLine(context, `${style.dim(new Date(atMs).toISOString().slice(11, 23))}  ${who.padEnd(12)}  ${text}`);
  let received = 0;
  let shownMs = -Infinity;
  return (event) => {
    if (event.event === 'messageReceived') {
      received += 1;
      if (event.monotonicMs - shownMs < TELEMETRY_EVERY_MS) return;
      shownMs = event.monotonicMs;
      return print(event.at, formatClientId(event), `telemetry, ${event.bytes} bytes${event.mid === undefined ? '' : `, mid ${JSON.stringify(event.mid)}`}; ${received} in all`);
    }
    const line = describeHubEvent(event);
    if (line !== undefined) print(event.at, line.who, paint[line.tone](line.text));
  };
}

function waitForInterrupt(interrupted: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (interrupted.aborted) resolve();
    else interrupted.addEventListener('abort', () => resolve(), { once: true });
  });
}
