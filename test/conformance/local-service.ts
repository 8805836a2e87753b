import { Agent } from 'node:https';

import { Registry as ServiceRegistry } from 'azure-iothub';

import { encodeKey } from '../../host-sim/hub/access/symmetric-key.ts';
import { DEFAULT_LIMITS } from '../../host-sim/hub/limits.ts';
import { listenTls } from '../../host-sim/hub/listen.ts';
import { HUB_NAME, openLocalHub, type LocalHub } from './local-hub.ts';

/** A hub whose service API is on a free port too, and Microsoft's registry client of it. */
export interface LocalService extends LocalHub {
  registryOf(policy: string): ServiceRegistry;
}

export async function openLocalService(): Promise<LocalService> {
  const local = await openLocalHub();
  const { hub, pki } = local;
  const sink = { accept: hub.acceptHttps.bind(hub), failed: () => {} };
  const listener = await listenTls({ port: 0, tls: { certificateChain: pki.serverChainPem, privateKey: pki.server.privateKeyPem } }, DEFAULT_LIMITS, sink);
  const agent = new Agent({ host: '127.0.0.1', port: listener.port, ca: pki.root.certificatePem, servername: 'localhost', keepAlive: true });
  return {
    ...local,
    registryOf: (policy) => {
      const key = encodeKey(hub.registry.findPolicy(policy)!.keys.primary);
      const registry = ServiceRegistry.fromConnectionString(`HostName=${HUB_NAME};SharedAccessKeyName=${policy};SharedAccessKey=${key}`);
      // The SDK has no other way to a port of one's own: see its http options.
      (registry as unknown as { _restApiClient: { setOptions(options: object): void } })._restApiClient.setOptions({ http: { agent } });
      return registry;
    },
    close: async () => {
      agent.destroy();
      await listener.close();
      await local.close();
    },
  };
}
