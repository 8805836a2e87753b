import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import type { Client, Registry } from 'azure-iothub';
import type { Message } from 'azure-iothub/dist/common-core/message.js';
import { formatConnectionString } from '../terminal/connection-string.ts';
import { LOCAL_SERVER_NAME, type HubPlace } from './hub-place.ts';
import type { MonitorOptions } from './event-monitor.ts';
import type { ServiceLogin } from './service-login.ts';

/** Microsoft's clients of a hub, pointed at Azure's or at one on this machine. */
export interface ServiceClients {
  readonly hubName: string;
  /** Set for a hub on this machine. */
  readonly place: HubPlace | undefined;
  /** Identities, twins, queries. */
  readonly registry: Registry;
  /** Direct methods and, over AMQP, cloud-to-device messages. */
  readonly client: Client;
  /** A cloud-to-device message, whose other fields are set afterwards. */
  createMessage(body: Buffer): Message;
  /** What the reader of events needs to know. */
  readonly monitorTarget: Pick<MonitorOptions, 'hubName' | 'policy' | 'place'>;
  close(): Promise<void>;
}

export async function openServiceClients({ connection, place }: ServiceLogin): Promise<ServiceClients> {
  const { default: sdk } = await import('azure-iothub');
  // The package's main module leaves it out.
  const { Message: SdkMessage } = await import('azure-iothub/dist/common-core/message.js');
  const text = formatConnectionString(connection);
  const registry = sdk.Registry.fromConnectionString(text);
  const client = sdk.Client.fromConnectionString(text);
  const local = place === undefined ? undefined : pointAt(place, registry, client);
  return {
    hubName: connection.HostName,
    place,
    registry,
    client,
    createMessage: (body) => new SdkMessage(body),
    monitorTarget: {
      hubName: connection.HostName,
      policy: { name: connection.SharedAccessKeyName, key: connection.SharedAccessKey },
      ...(local === undefined ? {} : { place: { address: local.place.address, port: local.place.amqpPort, ca: local.ca } }),
    },
    async close() {
      local?.agent.destroy();
      await client.close().catch(() => {});
    },
  };
}

interface RestClient {
  setOptions(options: object): void;
}

interface AmqpBase {
  connect(config: object, done: (error?: Error) => void): void;
}

/** What of the SDK's insides there is no public way to: where it connects to, and which root it trusts there. */
interface Insides {
  readonly _restApiClient: RestClient;
  readonly _transport: { readonly _amqp: AmqpBase };
}

/** The certificate is checked as ever, for `localhost` and up to the hub's own root. */
function pointAt(place: HubPlace, registry: Registry, client: Client): { readonly agent: Agent; readonly ca: string; readonly place: HubPlace } {
  const ca = readFileSync(place.rootFile, 'utf8');
  const agent = new Agent({ host: place.address, port: place.httpsPort, ca, servername: LOCAL_SERVER_NAME, keepAlive: true });
  for (const { _restApiClient } of [registry, client] as unknown as readonly Insides[]) _restApiClient.setOptions({ http: { agent } });
  const { _amqp: amqp } = (client as unknown as Insides)._transport;
  const connect = amqp.connect.bind(amqp);
  amqp.connect = (config, done) =>
    connect({ ...config, uri: `amqps://${place.address}:${place.amqpPort}`, sslOptions: { ca }, policyOverride: { hostname: place.hubName, servername: LOCAL_SERVER_NAME } }, done);
  return { agent, ca, place };
}
