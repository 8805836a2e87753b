import { Agent } from 'node:https';

import { Client as ServiceClient, Registry as ServiceRegistry } from 'azure-iothub';

import { encodeKey } from '../../host-sim/hub/access/symmetric-key.ts';
import type { HubOptions } from '../../host-sim/hub/hub.ts';
import { DEFAULT_LIMITS } from '../../host-sim/hub/limits.ts';
import { listenTls } from '../../host-sim/hub/listen.ts';
import { HUB_NAME, openLocalHub, type LocalHub } from './local-hub.ts';

/** A hub whose service API is on a free port too, and Microsoft's clients of it. */
export interface LocalService extends LocalHub {
  readonly httpsPort: number;
  registryOf(policy: string): ServiceRegistry;
  /** For direct methods. */
  clientOf(policy: string): ServiceClient;
}

export async function openLocalService(options: Partial<HubOptions> = {}): Promise<LocalService> {
  const local = await openLocalHub(options);
  const { hub, pki } = local;
  const sink = { accept: hub.acceptHttps.bind(hub), failed: () => {} };
  const listener = await listenTls({ port: 0, tls: { certificateChain: pki.serverChainPem, privateKey: pki.server.privateKeyPem } }, DEFAULT_LIMITS, sink);
  const agent = new Agent({ host: '127.0.0.1', port: listener.port, ca: pki.root.certificatePem, servername: 'localhost', keepAlive: true });
  const connectionString = (policy: string): string =>
    `HostName=${HUB_NAME};SharedAccessKeyName=${policy};SharedAccessKey=${encodeKey(hub.registry.findPolicy(policy)!.keys.primary)}`;
  return {
    ...local,
    httpsPort: listener.port,
    registryOf: (policy) => pointTo(agent, ServiceRegistry.fromConnectionString(connectionString(policy))),
    clientOf: (policy) => pointTo(agent, ServiceClient.fromConnectionString(connectionString(policy))),
    close: async () => {
      agent.destroy();
      await listener.close();
      await local.close();
    },
  };
}

/** The SDK has no other way to a port of one's own: see its http options. */
function pointTo<T extends ServiceRegistry | ServiceClient>(agent: Agent, client: T): T {
  (client as unknown as { _restApiClient: { setOptions(options: object): void } })._restApiClient.setOptions({ http: { agent } });
  return client;
}
