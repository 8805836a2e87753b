import type { EventContext, Message, Receiver } from 'rhea';
import { AmqpClient, toError, types, type AmqpClientError, type AmqpPlace } from './amqp-client.ts';
import { createServiceToken, type ServicePolicy } from './service-token.ts';

/** A message of a device, as a reader of the built-in events endpoint gets it. */
export interface MonitoredEvent {
  readonly deviceId: string;
  readonly moduleId: string | undefined;
  readonly partition: string;
  readonly sequenceNumber: number;
  /** Milliseconds since 1970. */
  readonly enqueuedMs: number;
  readonly payload: Buffer;
  /** What the device's application set. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** message_id, correlation_id, content_type, content_encoding …, where set. */
  readonly systemProperties: Readonly<Record<string, unknown>>;
  /** `iothub-…`, `x-opt-…`, `dt-…`. */
  readonly annotations: Readonly<Record<string, unknown>>;
}

export interface MonitorOptions {
  /** HostName of the hub's connection string. */
  readonly hubName: string;
  /** With ServiceConnect. */
  readonly policy: ServicePolicy;
  /** Where the hub is reached. Default: its name, port 5671. */
  readonly place?: Pick<AmqpPlace, 'address' | 'port' | 'ca'>;
  /** Default `$Default`. */
  readonly consumerGroup?: string;
  /** Events after this moment, milliseconds since 1970. Default: from now on. */
  readonly fromMs?: number;
  onEvent(event: MonitoredEvent): void;
  /** The connection ended without `close`. */
  onEnd?(error: AmqpClientError | undefined): void;
}

export interface EventMonitor {
  /** Partitions that are read. */
  readonly partitions: readonly string[];
  close(): void;
}

const AMQPS_PORT = 5_671;
const TOKEN_SECONDS = 3_600;
const RENEW_MS = 45 * 60_000;
const CREDIT = 100;
const SYSTEM_FIELDS = ['message_id', 'correlation_id', 'content_type', 'content_encoding', 'user_id', 'to', 'creation_time'] as const;

/** The Event Hubs-compatible endpoint behind a hub. */
interface EventsEndpoint {
  readonly place: AmqpPlace;
  readonly entity: string;
}

/**
 * Reads what devices send, at the hub's built-in events endpoint: asks the hub where it is (it answers with a redirect, as IoT Hub
 * does), asks there for the partitions, and reads them all.
 * @throws AmqpClientError
 */
export async function monitorEvents(options: MonitorOptions): Promise<EventMonitor> {
  const endpoint = await findEventsEndpoint(options);
  const { place, entity } = endpoint;
  const audience = `sb://${place.hostName}/${entity}`;
  let isClosed = false;
  const token = (): string => createServiceToken({ resource: audience, policy: options.policy, expirySeconds: Math.ceil(Date.now() / 1_000) + TOKEN_SECONDS, dialect: 'event-hubs' });
  const client = await AmqpClient.open(place, undefined, (error) => {
    clearInterval(renewal);
    if (!isClosed) options.onEnd?.(error);
  });
  const close = (): void => {
    isClosed = true;
    clearInterval(renewal);
    client.close();
  };
  const fail = (error: unknown): void => {
    if (isClosed) return;
    close();
    options.onEnd?.(toError(error, place.hostName));
  };
  const renewal = setInterval(() => void client.putToken(audience, token()).catch(fail), RENEW_MS);
  try {
    await client.putToken(audience, token());
    const partitions = await readPartitions(client, entity);
    await Promise.all(partitions.map((partition) => readPartition(client, entity, partition, options, fail)));
    return { partitions, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** @throws AmqpClientError */
async function findEventsEndpoint({ hubName, policy, place: given }: MonitorOptions): Promise<EventsEndpoint> {
  const place: AmqpPlace = { hostName: hubName, port: AMQPS_PORT, ...given };
  const password = createServiceToken({ resource: hubName, policy, expirySeconds: Math.ceil(Date.now() / 1_000) + TOKEN_SECONDS, dialect: 'iot-hub' });
  const client = await AmqpClient.open(place, { userName: `${policy.name}@sas.root.${hubName.split('.')[0] ?? hubName}`, password }, () => {});
  try {
    const info = await readRedirect(client, hubName);
    const [, entity = ''] = info.address.replace(/^amqps?:\/\//, '').split('/');
    // A hub that was pointed at by address is at the same address for its events.
    return { entity, place: given?.address === undefined ? { ...place, hostName: info.hostname, port: info.port } : { ...place, hostName: info.hostname } };
  } finally {
    client.close();
  }
}

interface RedirectInfo {
  readonly hostname: string;
  readonly port: number;
  readonly address: string;
}

function readRedirect(client: AmqpClient, hubName: string): Promise<RedirectInfo> {
  return new Promise((resolve, reject) => {
    const receiver = client.connection.open_receiver({ source: { address: `amqps://${hubName}/messages/events/$management` } });
    receiver.on('receiver_error', () => {
      const error = receiver.error as { readonly condition?: string; readonly info?: Readonly<Record<string, unknown>> } | undefined;
      const { hostname, port, address } = error?.info ?? {};
      if (error?.condition !== 'amqp:link:redirect' || typeof hostname !== 'string' || typeof address !== 'string') return reject(toError(error, hubName));
      resolve({ hostname, port: typeof port === 'number' ? port : AMQPS_PORT, address });
    });
    client.connection.on('disconnected', () => reject(toError(undefined, hubName)));
  });
}

async function readPartitions(client: AmqpClient, entity: string): Promise<readonly string[]> {
  const answer = await client.request(`${entity}/$management`, { application_properties: { operation: 'READ', name: entity, type: 'com.microsoft:eventhub' }, body: '' });
  const ids: unknown = (answer.body as Readonly<Record<string, unknown>> | null)?.['partition_ids'];
  if (!Array.isArray(ids)) throw toError({ condition: 'amqp:not-found', description: `${entity} tells of no partitions` }, entity);
  return ids.map(String);
}

function readPartition(client: AmqpClient, entity: string, partition: string, options: MonitorOptions, fail: (error: unknown) => void): Promise<void> {
  const selector = options.fromMs === undefined ? "amqp.annotation.x-opt-offset > '@latest'" : `amqp.annotation.x-opt-enqueued-time > '${Math.trunc(options.fromMs)}'`;
  const receiver: Receiver = client.connection.open_receiver({
    source: {
      address: `${entity}/ConsumerGroups/${options.consumerGroup ?? '$Default'}/Partitions/${partition}`,
      filter: { 'apache.org:selector-filter:string': types.wrap_described(selector, 0x468c00000004) },
    },
    credit_window: CREDIT,
  });
  receiver.on('message', ({ message }: EventContext) => options.onEvent(readEvent(message as Message, partition)));
  return new Promise((resolve, reject) => {
    receiver.on('receiver_open', () => resolve());
    receiver.on('receiver_error', () => {
      reject(toError(receiver.error, entity));
      fail(receiver.error);
    });
  });
}

function readEvent(message: Message, partition: string): MonitoredEvent {
  const annotations = (message.message_annotations ?? {}) as Readonly<Record<string, unknown>>;
  const fields = message as unknown as Readonly<Record<string, unknown>>;
  const text = (name: string): string | undefined => (typeof annotations[name] === 'string' ? annotations[name] : undefined);
  const enqueued: unknown = annotations['iothub-enqueuedtime'] ?? annotations['x-opt-enqueued-time'];
  const content: unknown = (message.body as { readonly content?: unknown } | undefined)?.content ?? message.body;
  return {
    deviceId: text('iothub-connection-device-id') ?? '',
    moduleId: text('iothub-connection-module-id'),
    partition,
    sequenceNumber: Number(annotations['x-opt-sequence-number'] ?? -1),
    enqueuedMs: enqueued instanceof Date ? enqueued.getTime() : Number(enqueued ?? 0),
    payload: Buffer.isBuffer(content) ? content : Buffer.from(typeof content === 'string' ? content : ''),
    properties: (message.application_properties ?? {}) as Readonly<Record<string, unknown>>,
    systemProperties: Object.fromEntries(SYSTEM_FIELDS.flatMap((name) => (fields[name] === undefined || fields[name] === null ? [] : [[name, fields[name]]]))),
    annotations,
  };
}
