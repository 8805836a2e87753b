import { Option, type Command } from 'commander';
import type { DeniedSharedAccess } from '../hub/access/authorize.ts';
import { encodeKey, generateKeyPair } from '../hub/access/symmetric-key.ts';
import { openAdminServer, type AdminServer } from '../hub/faults/admin-server.ts';
import { createHub, type Hub } from '../hub/hub.ts';
import { openHubServices, STANDARD_PORTS, type HubServices, type ServicePorts } from '../hub/hub-services.ts';
import type { Identity } from '../hub/identity.ts';
import { Ledger } from '../hub/ledger.ts';
import { LOOPBACK } from '../hub/listen.ts';
import { checkMachineClock } from '../hub/machine-clock.ts';
import { openRegistry, restoring } from '../hub/open-registry.ts';
import { parseDeviceOption, type DeviceOption } from '../hub/registry/device-option.ts';
import { parsePolicyOption } from '../hub/registry/policy-option.ts';
import type { Registry } from '../hub/registry/registry.ts';
import { StateFile } from '../hub/state/state-file.ts';
import { Throttles } from '../hub/throttles/throttles.ts';
import { certificateSwitch } from '../simulation/fault-certificates.ts';
import { openLocalPki, type LocalPki } from '../simulation/local-pki.ts';
import { makeStyle, printJson, printLine, sayLine, type CliContext, type Style } from '../terminal/cli-context.ts';
import { EXIT } from '../terminal/cli-error.ts';
import { tellCredentials } from '../terminal/hub-credentials.ts';
import { jsonView, linesView } from '../terminal/hub-view.ts';
import { durationMs, durationOption, port, repeated } from '../terminal/option-values.ts';
import { announceHub } from '../service/hub-place.ts';
import { formatConnectionString } from '../terminal/connection-string.ts';
import { realClock } from '../time/real-clock.ts';
import { addHubDpsOptions, openHubDps, type HubDps, type HubDpsFlags } from './hub-dps.ts';

const DAY_MS = 24 * 3600 * 1000;
const DEFAULT_PORTS: ServicePorts = { mqtt: 18_883, https: 18_443, amqp: 15_671, ntp: 0 };
const DEFAULT_DEVICE = 'dev1';
/** RFC 2606 keeps `.test` for this: no token goes to a stranger when a client is not pointed here. */
const DEFAULT_HUB_NAME = 'latchkey-hub.test';
/** The policy that azure-iothub's samples are given. */
const OWNER_POLICY = 'iothubowner';

const DENIED = { policies: { policies: true }, devices: { devices: true }, modules: { modules: true }, all: { policies: true, devices: true, modules: true } } as const satisfies Record<string, DeniedSharedAccess>;

interface HubFlags extends HubDpsFlags {
  readonly port?: number;
  readonly httpsPort?: number;
  readonly amqpPort?: number;
  readonly address: string;
  readonly hubName: string;
  readonly device?: readonly string[];
  readonly policy?: readonly string[];
  readonly denySharedAccess?: keyof typeof DENIED;
  readonly throttles?: true;
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
  npm run latchkey -- hub --state hub.state                   the same devices, twins and messages again next time
  npm run latchkey -- hub --dps-group fleet                   and a provisioning service: devices with keys derived from the group's
  npm run latchkey -- hub --policy ops=RegistryRead,ServiceConnect --show-secrets
`;

export function addHubCommand(program: Command, context: CliContext): void {
  addHubDpsOptions(program.command('hub'))
    .description("Runs a local hub: devices connect by MQTT over TLS, services by HTTPS and AMQP.")
    .addHelpText('before', EXAMPLES)
    .option('--port <n>', `MQTT over TLS, 0 for any free port (default: ${DEFAULT_PORTS.mqtt})`, port)
    .option('--https-port <n>', `the service API and the time over HTTPS (default: ${DEFAULT_PORTS.https}; with --port 0 any free port)`, port)
    .option('--amqp-port <n>', `AMQP for services (default: ${DEFAULT_PORTS.amqp}; with --port 0 any free port)`, port)
    .option('--address <ip>', 'listen on this address', LOOPBACK)
    .option('--hub-name <name>', 'the HostName of connection strings and tokens', DEFAULT_HUB_NAME)
    .option('--device <id[=key]>', 'a device, or a module as DEVICE/MODULE, with its primary key; may be repeated (a key on the command line is seen by everybody on this machine)', repeated((text) => text))
    .option('--policy <name=permissions>', 'a shared access policy with generated keys, its permissions joined by commas; may be repeated', repeated((text) => text))
    .addOption(new Option('--deny-shared-access [whose]', 'take no tokens of shared access policies, or of devices or modules themselves').choices(Object.keys(DENIED)).preset('policies'))
    .option('--throttles', 'the rates of one S1 unit of IoT Hub')
    .option('--san <name>', 'a further name or address in the certificate; may be repeated', repeated((text) => text))
    .option('--standard-ports', `MQTT on ${STANDARD_PORTS.mqtt}, HTTPS on ${STANDARD_PORTS.https}, AMQP on ${STANDARD_PORTS.amqp}, NTP on ${STANDARD_PORTS.ntp}, as a real hub has them`)
    .addOption(durationOption('--grace <time>', 'how long a connection outlives its token', durationMs(0, DAY_MS), '5m'))
    .option('--state <file>', 'keep devices, keys, twins, messages and configurations in this file')
    .option('--show-secrets', 'show connection strings with their keys, also where stdout is no terminal')
    .option('--json', 'one JSON object a line on stdout, the summary last')
    .action((flags: HubFlags, command: Command) => {
      for (const [name, option] of [['port', '--port'], ['httpsPort', '--https-port'], ['amqpPort', '--amqp-port']] as const) {
        if (flags.standardPorts !== true || flags[name] === undefined) continue;
        command.error(`error: ${option} and --standard-ports cannot both be given`, { exitCode: EXIT.usage });
      }
      return runHub(flags, context);
    });
}

async function runHub(flags: HubFlags, context: CliContext): Promise<void> {
  checkMachineClock(realClock.now());
  const devices = (flags.device ?? []).map(parseDeviceOption);
  const policies = (flags.policy ?? []).map(parsePolicyOption);
  // The hub hears of it as soon as there is one.
  const told: { hub?: Hub } = {};
  const path = flags.state;
  const state = path === undefined ? undefined : new StateFile(path, {
    clock: realClock,
    onSaved: (error) => told.hub?.emit(error === undefined ? { event: 'stateSaved', path } : { event: 'stateNotSaved', path, code: error.code, detail: error.message, remedy: error.remedy }),
  });
  try {
    if (state !== undefined && state.droppedBytes > 0) sayLine(context, `latchkey: the last ${state.droppedBytes} bytes of ${state.path} were not whole and are gone`);
    const registry = openRegistry(state, () => realClock.now());
    const oldPolicies = new Set(state === undefined ? [] : [...state.recordsOf('policy')].map(([key]) => key.slice('policy/'.length)));
    const newIdentities = register(registry, devices);
    for (const { name, permissions } of policies) registry.policies.set(name, permissions);
    const hub = restoring(state, () => createHub({
      hubName: flags.hubName, clock: realClock, registry, graceMs: flags.grace,
      ...(state === undefined ? {} : { records: (prefix: string) => state.recordsOf(prefix) }),
      ...(flags.denySharedAccess === undefined ? {} : { deniedAccess: DENIED[flags.denySharedAccess] }),
      ...(flags.throttles === undefined ? {} : { throttles: new Throttles(realClock) }),
    }));
    told.hub = hub;
    // In the order in which they are restored.
    state?.keep([registry.policies, registry, ...hub.durables]);
    await serve(hub, flags, context, {
      newIdentities,
      newPolicies: registry.policies.list().map(({ name }) => name).filter((name) => !oldPolicies.has(name)),
      shownPolicies: [OWNER_POLICY, ...policies.map(({ name }) => name)],
    });
  } finally {
    state?.close();
  }
}

async function serve(hub: Hub, flags: HubFlags, context: CliContext, whose: Pick<Parameters<typeof tellCredentials>[0], 'newIdentities' | 'newPolicies' | 'shownPolicies'>): Promise<void> {
  const ledger = new Ledger();
  const view = flags.json === true ? jsonView(context) : linesView(context);
  hub.onEvent((event) => {
    ledger.observe(event);
    view(event);
  });
  const names = [...new Set([flags.hubName, 'localhost', LOOPBACK, flags.address, ...(flags.san ?? [])])];
  const pki = await openLocalPki(names, realClock.now(), `hub-${names.join('+').replace(/[^A-Za-z0-9.+-]/g, '_').slice(0, 100)}`);
  const services = await openHubServices(hub, { clock: realClock, ports: choosePorts(flags), address: flags.address, tls: pki.tls });
  let withdraw = (): void => {};
  let admin: AdminServer | undefined;
  let provisioning: HubDps | undefined;
  try {
    provisioning = await openHubDps(hub, pki.tls, flags);
    admin = await openAdminServer(hub, realClock, pki.tls);
    hub.faults.useCertificates(certificateSwitch(services, pki, names, () => realClock.now()));
    withdraw = announceHub(context.env, {
      processId: process.pid, hubName: hub.hubName, address: services.mqtt.address, rootFile: pki.rootFile,
      mqttPort: services.mqtt.port, httpsPort: services.https.port, amqpPort: services.amqp.port,
      serviceConnectionString: ownerConnectionString(hub), adminPort: admin.port, adminToken: admin.token,
    });
    if (flags.json === true) printJson(context, { event: 'started', hubName: flags.hubName, ...formatPlaces(services), rootFile: pki.rootFile });
    else sayLine(context, describeStart(services, pki, flags, makeStyle(context)));
    if (flags.address !== LOOPBACK) sayLine(context, 'latchkey: others on the network can reach this hub');
    const { registry, hubName } = hub;
    tellCredentials({ registry, hubName, mqttPort: services.mqtt.port, showSecrets: flags.showSecrets === true, json: flags.json === true, ...whose }, context);
    provisioning?.tell(context);
    await waitForInterrupt(context.interrupted);
  } finally {
    withdraw();
    await provisioning?.dps.close();
    await admin?.close();
    await services.close();
  }
  const counts = ledger.counts();
  if (flags.json === true) printJson(context, { event: 'summary', ...counts });
  else printLine(context, `received ${counts.received}, duplicated ${counts.duplicated}, connects ${counts.connects}, renewals ${counts.renewals}, refused ${counts.refused}`);
  context.exitCode = EXIT.interrupted;
}

function ownerConnectionString({ hubName, registry }: Hub): string {
  const owner = registry.findPolicy(OWNER_POLICY);
  return formatConnectionString({ HostName: hubName, SharedAccessKeyName: OWNER_POLICY, SharedAccessKey: owner === undefined ? '' : encodeKey(owner.keys.primary) });
}

function choosePorts(flags: HubFlags): ServicePorts {
  if (flags.standardPorts === true) return STANDARD_PORTS;
  const mqtt = flags.port ?? DEFAULT_PORTS.mqtt;
  const others = mqtt === 0 ? { https: 0, amqp: 0, ntp: 0 } : DEFAULT_PORTS;
  return { ...others, mqtt, https: flags.httpsPort ?? others.https, amqp: flags.amqpPort ?? others.amqp };
}

/** @returns the devices whose keys nobody but this program has seen */
function register(registry: Registry, options: readonly DeviceOption[]): readonly Identity[] {
  const generated: Identity[] = [];
  const isEmpty = registry.deviceCount === 0;
  for (const { identity, key } of options.length === 0 && isEmpty ? [parseDeviceOption(DEFAULT_DEVICE)] : options) {
    const known = registry.find(identity);
    const keys = key === undefined ? undefined : { ...(known?.keys ?? generateKeyPair()), primary: key };
    if (keys === undefined) generated.push(identity);
    if (known === undefined) registry.add(identity, keys === undefined ? {} : { keys });
    else if (keys !== undefined) registry.setKeys(identity, keys);
  }
  return generated;
}

function formatPlaces({ mqtt, https, amqp, ntp }: HubServices): { readonly hub: string; readonly https: string; readonly amqp: string; readonly events: string; readonly date: string; readonly ntp: readonly string[] } {
  const format = ({ address, port: number }: { readonly address: string; readonly port: number }): string => (address.includes(':') ? `[${address}]:${number}` : `${address}:${number}`);
  return { hub: format(mqtt), https: format(https), amqp: format(amqp), events: `sb://localhost:${amqp.port}`, date: format(https), ntp: ntp.addresses.map((address) => format({ address, port: ntp.port })) };
}

function describeStart(services: HubServices, pki: LocalPki, flags: HubFlags, style: Style): string {
  const { hub, https, amqp, ntp } = formatPlaces(services);
  const rows: [string, string][] = [
    ['hub', `${hub}  ${flags.hubName}`],
    ['api', `https://${https}, amqps://${amqp}`],
    ['events', `customEndpointAddress sb://localhost:${services.amqp.port} of @azure/event-hubs`],
    ['time', `NTP ${ntp.join(', ')}; HTTPS date ${https}`],
    ['root', pki.rootFile],
    ['faults', 'latchkey faults set KIND, list, clear'],
    ...(flags.state === undefined ? [] : [['state', flags.state] as [string, string]]),
  ];
  return [style.bold('Latchkey hub: Ctrl-C ends it'), ...rows.map(([name, value]) => `  ${style.cyan(name.padEnd(8))}${value}`)].join('\n');
}

function waitForInterrupt(interrupted: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (interrupted.aborted) resolve();
    else interrupted.addEventListener('abort', () => resolve(), { once: true });
  });
}
