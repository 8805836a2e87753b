import type { AmqpError } from 'rhea';
import { parseResource, type Resource } from '../access/resource-scope.ts';
import type { FeedbackQueue } from '../messages/feedback-queue.ts';
import type { MessageQueues } from '../messages/message-queues.ts';
import type { Throttles } from '../throttles/throttles.ts';
import { CBS_ADDRESS, cbsNode } from './cbs-node.ts';
import { createDeviceboundNode, DEVICEBOUND_ADDRESS } from './devicebound-node.ts';
import type { EventLog } from './event-log.ts';
import { createManagementNode, createPartitionNode } from './events-node.ts';
import { createFeedbackNode, createFileNotificationsNode, FEEDBACK_ADDRESS, FILE_NOTIFICATIONS_ADDRESS } from './feedback-node.ts';
import type { AmqpNode, NodeDirectory } from './link-node.ts';
import { PartitionReaders } from './partition-readers.ts';
import { types } from './rhea.ts';

export interface NodeDirectoryOptions {
  readonly hubName: string;
  readonly messages: MessageQueues;
  readonly feedback: FeedbackQueue;
  readonly events: EventLog;
  /** The hub's rates; none when not given. */
  readonly throttles?: Throttles | undefined;
  readonly createdMs: number;
  /** Where a reader of events finds this hub, for the redirect. */
  port(): number;
}

const SCHEME_AND_HOST = /^amqps?:\/\/[^/]*/i;

const HUB_EVENTS = /^\/messages\/events(\/.*)?$/i;

const PARTITION = /^\/consumergroups\/\$default\/partitions\/([0-9]{1,4})$/i;

const MANAGEMENT = '/$management';

/** The Event Hubs-compatible name of a hub's built-in endpoint. */
export function eventHubName(hubName: string): string {
  return `iothub-ehub-${(hubName.split('.')[0] ?? hubName).toLowerCase()}`;
}

/** Every address of the hub's AMQP endpoint: the service's of IoT Hub, and those of its built-in events endpoint. */
export function createNodeDirectory(options: NodeDirectoryOptions): NodeDirectory {
  const { hubName } = options;
  const path = eventHubName(hubName);
  const readers = new PartitionReaders();
  const fixed = new Map<string, AmqpNode>([
    [`/${CBS_ADDRESS}`, cbsNode],
    [DEVICEBOUND_ADDRESS, createDeviceboundNode(hubName, options.messages, options.throttles)],
    [FEEDBACK_ADDRESS, createFeedbackNode(hubName, options.feedback)],
    [FILE_NOTIFICATIONS_ADDRESS, createFileNotificationsNode(hubName)],
  ]);
  return {
    find(address, hostName) {
      const text = address.replace(SCHEME_AND_HOST, '');
      const named = text.startsWith('/') ? text : `/${text}`;
      // Event Hubs clients attach to the bare name: the entity is in their requests and in their token.
      const local = named.toLowerCase() === MANAGEMENT ? `/${path}${named}` : named;
      const known = fixed.get(local.toLowerCase());
      if (known !== undefined) return known;
      const events = HUB_EVENTS.exec(local);
      if (events !== null) return createRedirect(hubName, `${path}${events[1] ?? ''}`, hostName ?? hubName, options.port());
      return findEventsNode(options, readers, path, address, local, hostName);
    },
  };
}

function findEventsNode(options: NodeDirectoryOptions, readers: PartitionReaders, path: string, address: string, local: string, hostName: string | undefined): AmqpNode | undefined {
  const isBelowPath = local.toLowerCase().startsWith(`/${path}/`);
  const rest = local.slice(path.length + 1);
  if (!isBelowPath) return undefined;
  const resources = eventResources(options.hubName, hostName, local);
  if (rest.toLowerCase() === MANAGEMENT) return createManagementNode(options.events, path, address, options.createdMs, resources);
  const partition = Number(PARTITION.exec(rest)?.[1] ?? -1);
  return partition >= 0 && partition < options.events.partitionCount ? createPartitionNode(options.events, readers, partition, resources) : undefined;
}

/** Event Hubs clients sign for `sb://{host}/…`, the host being what they call the endpoint; a token for the hub's own events opens them too. */
function eventResources(hubName: string, hostName: string | undefined, local: string): readonly Resource[] {
  const hosts = [...new Set([hostName ?? hubName, hubName])];
  return [...hosts.map((host) => parseResource(`sb://${host}${local}`)), { host: hubName, segments: ['messages', 'events'] }];
}

/** IoT Hub sends readers of its own events address to the Event Hubs-compatible one. */
function createRedirect(hubName: string, target: string, hostName: string, port: number): AmqpNode {
  const info = { hostname: hostName, 'network-host': hostName, port: types.wrap_uint(port), address: `amqps://${hostName}:${port}/${target}` };
  const elsewhere: AmqpError = { condition: 'amqp:link:redirect', description: 'read events at the Event Hubs-compatible endpoint', info };
  return { resources: [{ host: hubName, segments: ['messages', 'events'] }], elsewhere };
}
