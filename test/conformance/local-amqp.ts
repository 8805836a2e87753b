import { EventHubConsumerClient, earliestEventPosition } from '@azure/event-hubs';
import { Client } from 'azure-iothub';
import { encodeKey, generateKeyPair } from '../../host-sim/hub/access/symmetric-key.ts';
import type { AmqpEvent } from '../../host-sim/hub/amqp/amqp-events.ts';
import { createAmqpService, type AmqpService } from '../../host-sim/hub/amqp/amqp-service.ts';
import { EventLog } from '../../host-sim/hub/amqp/event-log.ts';
import type { AmqpLimits } from '../../host-sim/hub/amqp/limits.ts';
import { eventHubName } from '../../host-sim/hub/amqp/node-directory.ts';
import { createTokenAuthorizer } from '../../host-sim/hub/amqp/token-authorizer.ts';
import { DEFAULT_LIMITS } from '../../host-sim/hub/limits.ts';
import { listenTls } from '../../host-sim/hub/listen.ts';
import { FeedbackQueue } from '../../host-sim/hub/messages/feedback-queue.ts';
import { realClock } from '../../host-sim/time/real-clock.ts';
import { HUB_NAME, openLocalHub, type LocalHub } from './local-hub.ts';

/** A hub whose AMQP endpoint is on a free port, and Microsoft's clients of it. */
export interface LocalAmqp extends LocalHub {
  readonly amqp: AmqpService;
  readonly amqpPort: number;
  readonly amqpEvents: readonly AmqpEvent[];
  readonly feedback: FeedbackQueue;
  connectionString(policy: string, key?: string): string;
  serviceClient(policy: string, key?: string): Client;
  eventsClient(policy: string, key?: string): EventHubConsumerClient;
}

export interface LocalAmqpOptions {
  readonly limits?: Partial<AmqpLimits>;
  readonly graceMs?: number;
}

export async function openLocalAmqp(options: LocalAmqpOptions = {}): Promise<LocalAmqp> {
  const local = await openLocalHub();
  const { hub, pki } = local;
  const events = new EventLog();
  hub.onEvent((event) => events.observe(event));
  const feedback = new FeedbackQueue(realClock, { batchIntervalMs: 0 });
  hub.messages.onFeedback((record) => feedback.add(record));
  const amqpEvents: AmqpEvent[] = [];
  const dummyKeys = generateKeyPair();
  const amqp = createAmqpService({
    hubName: HUB_NAME, clock: realClock, messages: hub.messages, feedback, events, graceMs: options.graceMs ?? 0,
    authorize: createTokenAuthorizer(() => ({ registry: hub.registry, dummyKeys, nowMs: hub.now() })),
    now: () => hub.now(),
    emit: (event) => void amqpEvents.push(event),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const sink = { accept: amqp.accept.bind(amqp), failed: () => {} };
  const listener = await listenTls({ port: 0, tls: { certificateChain: pki.serverChainPem, privateKey: pki.server.privateKeyPem } }, DEFAULT_LIMITS, sink);
  const keyOf = (policy: string): string => encodeKey(hub.registry.findPolicy(policy)!.keys.primary);
  const connectionString = (policy: string, key = keyOf(policy)): string => `HostName=${HUB_NAME};SharedAccessKeyName=${policy};SharedAccessKey=${key}`;
  return {
    ...local,
    amqp, amqpPort: listener.port, amqpEvents, feedback, connectionString,
    serviceClient: (policy, key) => {
      const client = Client.fromConnectionString(connectionString(policy, key));
      redirect(client, { uri: `amqps://localhost:${listener.port}`, ca: pki.root.certificatePem });
      return client;
    },
    eventsClient: (policy, key = keyOf(policy)) => {
      const path = eventHubName(HUB_NAME);
      const endpoint = `Endpoint=sb://${HUB_NAME}/;SharedAccessKeyName=${policy};SharedAccessKey=${key};EntityPath=${path}`;
      const client = new EventHubConsumerClient('$Default', endpoint, { customEndpointAddress: `sb://localhost:${listener.port}`, retryOptions: { maxRetries: 0, timeoutInMs: 15_000 } });
      trust(client, pki.root.certificatePem);
      return client;
    },
    close: async () => {
      amqp.close();
      feedback.close();
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
function redirect(client: Client, { uri, ca }: { readonly uri: string; readonly ca: string }): void {
  const base = (client as unknown as { readonly _transport: { readonly _amqp: AmqpBase } })._transport._amqp;
  const connect = base.connect.bind(base);
  base.connect = (config, done) => connect({ ...config, uri, sslOptions: { ca }, policyOverride: { hostname: HUB_NAME } }, done);
}

/** As NODE_EXTRA_CA_CERTS would, without a process of its own. */
function trust(client: EventHubConsumerClient, ca: string): void {
  const { connection } = (client as unknown as { readonly _context: { readonly connection: { readonly _connection: { readonly options: Record<string, unknown> } } } })._context;
  connection._connection.options['ca'] = ca;
}
