import { encodeKey } from '../hub/access/symmetric-key.ts';
import { eventHubName } from '../hub/amqp/node-directory.ts';
import { formatClientId, type Identity } from '../hub/identity.ts';
import type { Registry } from '../hub/registry/registry.ts';
import { isTerminal, printJson, sayLine, type CliContext } from './cli-context.ts';
import { formatConnectionString } from './connection-string.ts';

export interface CredentialsView {
  readonly registry: Registry;
  readonly hubName: string;
  readonly mqttPort: number;
  /** Whose keys nobody but this program has seen. */
  readonly newIdentities: readonly Identity[];
  readonly newPolicies: readonly string[];
  /** Which policies are worth a line for people. */
  readonly shownPolicies: readonly string[];
  readonly showSecrets: boolean;
  readonly json: boolean;
}

const HIDDEN = '***';
/** Lines for people; a hub that was kept may have tens of thousands of devices. */
const SHOWN_IDENTITIES = 20;

/** Tells connection strings: keys that this program generated on a terminal only, all others when asked for. */
export function tellCredentials(view: CredentialsView, context: CliContext): void {
  const { registry, hubName, mqttPort, showSecrets } = view;
  const isForPerson = isTerminal(context) && context.stderr.isTTY === true;
  const isShown = (isNew: boolean): boolean => showSecrets || (isForPerson && isNew);
  const newClientIds = new Set(view.newIdentities.map(formatClientId));
  const { identities } = registry.contents();
  for (const [index, { deviceId, moduleId, keys }] of identities.entries()) {
    if (!(view.json && showSecrets) && index >= SHOWN_IDENTITIES && !newClientIds.has(formatClientId({ deviceId, ...(moduleId === undefined ? {} : { moduleId }) }))) continue;
    const identity: Identity = moduleId === undefined ? { deviceId } : { deviceId, moduleId };
    const connectionString = formatConnectionString({
      HostName: hubName,
      DeviceId: deviceId,
      ...(moduleId === undefined ? {} : { ModuleId: moduleId }),
      SharedAccessKey: isShown(newClientIds.has(formatClientId(identity))) ? encodeKey(keys.primary) : HIDDEN,
      GatewayHostName: `localhost:${mqttPort}`,
    });
    if (view.json && showSecrets) printJson(context, { event: 'device', ...identity, connectionString });
    else sayLine(context, `  ${'device'.padEnd(8)}${connectionString}`);
  }
  const hiddenCount = identities.slice(SHOWN_IDENTITIES).filter((identity) => !newClientIds.has(formatClientId(identity))).length;
  if (hiddenCount > 0 && !(view.json && showSecrets)) sayLine(context, `  ${'device'.padEnd(8)}and ${hiddenCount} more: latchkey device show -d ID --connection-string`);
  for (const { name, permissions, keys } of registry.policies.list()) {
    const SharedAccessKey = isShown(view.newPolicies.includes(name)) ? encodeKey(keys.primary) : HIDDEN;
    const connectionString = formatConnectionString({ HostName: hubName, SharedAccessKeyName: name, SharedAccessKey });
    const eventsConnectionString = permissions.includes('ServiceConnect') ? formatEventsConnectionString(hubName, name, SharedAccessKey) : undefined;
    if (view.json && showSecrets) printJson(context, { event: 'policy', policy: name, permissions, connectionString, ...(eventsConnectionString === undefined ? {} : { eventsConnectionString }) });
    else if (view.shownPolicies.includes(name)) {
      sayLine(context, `  ${'service'.padEnd(8)}${connectionString}`);
      if (eventsConnectionString !== undefined) sayLine(context, `  ${'events'.padEnd(8)}${eventsConnectionString}`);
    }
  }
}

/** What a client of Event Hubs takes for the built-in events endpoint; where it listens is told beside it (`customEndpointAddress`). */
function formatEventsConnectionString(hubName: string, policy: string, key: string): string {
  return `Endpoint=sb://${hubName}/;SharedAccessKeyName=${policy};SharedAccessKey=${key};EntityPath=${eventHubName(hubName)}`;
}
