import { EventHubConsumerClient, earliestEventPosition } from '@azure/event-hubs';
import { Client } from 'azure-iothub';
import { encodeKey } from '../../host-sim/hub/access/symmetric-key.ts';
import type { AmqpEvent } from '../../host-sim/hub/amqp/amqp-events.ts';
import { eventHubName } from '../../host-sim/hub/amqp/node-directory.ts';
import type { HubEvent } from '../../host-sim/hub/events.ts';
import type { HubOptions } from '../../host-sim/hub/hub.ts';
import { DEFAULT_LIMITS } from '../../host-sim/hub/limits.ts';
import { listenTls } from '../../host-sim/hub/listen.ts';
import { FeedbackQueue } from '../../host-sim/hub/messages/feedback-queue.ts';
import { realClock } from '../../host-sim/time/real-clock.ts';
import { HUB_NAME, openLocalHub, type LocalHub } from './local-hub.ts';

/** A hub whose AMQP endpoint is on a free port, and Microsoft's clients of it. */
export interface LocalAmqp extends LocalHub {
  readonly amqpPort: number;
  amqpEvents(): readonly AmqpEvent[];
  readonly feedback: FeedbackQueue;
  /** Of a policy, base64. */
  keyOf(policy: string): string;
  serviceClient(policy: string, key?: string): Client;
  eventsClient(policy: string, key?: string): EventHubConsumerClient;
}

export async function openLocalAmqp(graceMs = 0, options: Partial<HubOptions> = {}): Promise<LocalAmqp> {
  const feedback = new FeedbackQueue(realClock, { batchIntervalMs: 0 });
  const local = await openLocalHub({ feedback, graceMs, ...options });
  const { hub, pki } = local;
  const sink = { accept: hub.acceptAmqp.bind(hub), failed: () => {} };
  const listener = await listenTls({ port: 0, tls: { certificateChain: pki.serverChainPem, privateKey: pki.server.privateKeyPem } }, DEFAULT_LIMITS, sink);
  hub.serveAmqpAt(listener.port);
  const keyOf = (policy: string): string => encodeKey(hub.registry.findPolicy(policy)!.keys.primary);
  return {
    ...local,
    amqpPort: listener.port,
    amqpEvents: () => local.events.filter((event): event is HubEvent & AmqpEvent => event.event.startsWith('amqp')),
    feedback,
    keyOf,
    serviceClient: (policy, key = keyOf(policy)) => {
      const client = Client.fromConnectionString(`HostName=${HUB_NAME};SharedAccessKeyName=${policy};SharedAccessKey=${key}`);
      redirect(client, { uri: `amqps://localhost:${listener.port}`, ca: pki.root.certificatePem });
      return client;
    },
    eventsClient: (policy, key = keyOf(policy)) => {
      const endpoint = `Endpoint=sb://${HUB_NAME}/;SharedAccessKeyName=${policy};SharedAccessKey=${key};EntityPath=${eventHubName(HUB_NAME)}`;
      const client = new EventHubConsumerClient('$Default', endpoint, { customEndpointAddress: `sb://localhost:${listener.port}`, retryOptions: { maxRetries: 0, timeoutInMs: 45_000 } });
      trust(client, pki.root.certificatePem);
      return client;
    },
    close: async () => {
      await listener.close();
      await local.close();
    },
  };
}

export { earliestEventPosition };

interface AmqpBase {
  connect(config: object, done: (error?: Error) => void): void;
}

/** The SDK has no way to a port or a root of one's own but this: the address that its transport connects to. */
export function redirect(client: Client, { uri, ca, hostname = HUB_NAME }: { readonly uri: string; readonly ca: string; readonly hostname?: string }): void {
  const base = (client as unknown as { readonly _transport: { readonly _amqp: AmqpBase } })._transport._amqp;
  const connect = base.connect.bind(base);
  base.connect = (config, done) => connect({ ...config, uri, sslOptions: { ca }, policyOverride: { hostname } }, done);
}

/** As NODE_EXTRA_CA_CERTS would, without a process of its own. */
export function trust(client: EventHubConsumerClient, ca: string): void {
  const { connection } = (client as unknown as { readonly _context: { readonly connection: { readonly _connection: { readonly options: Record<string, unknown> } } } })._context;
  connection._connection.options['ca'] = ca;
}
