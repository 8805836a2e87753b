import type { AmqpError, Message, Receiver, Sender } from 'rhea';
import type { Resource } from '../access/resource-scope.ts';
import { REPLY_LINK } from './cbs-node.ts';
import type { EventLog } from './event-log.ts';
import { formatEventMessage } from './event-message.ts';
import { findStart, SELECTOR_FILTER, SELECTOR_FILTER_CODE } from './event-position.ts';
import type { AmqpNode, LinkHost, OutboundNode } from './link-node.ts';
import { propertiesOf, textOf } from './message-fields.ts';
import type { PartitionReader, PartitionReaders } from './partition-readers.ts';
import { types } from './rhea.ts';

/** Annotations and properties of the system, which an event carries beside its own bytes. */
const ENVELOPE_BYTES = 512;

/** Events that are encoded at a time: between two such steps others have their turn. */
const BATCH_EVENTS = 100;

/** A partition of the built-in events endpoint, as a reader attaches to it. */
export function createPartitionNode(log: EventLog, readers: PartitionReaders, partition: number, resources: readonly Resource[]): AmqpNode {
  return { resources, openOutbound: (sender, host) => new PartitionLink(sender, host, log, readers, partition) };
}

/** What a reader asks before it attaches to partitions. */
export function createManagementNode(log: EventLog, path: string, address: string, createdMs: number, resources: readonly Resource[]): AmqpNode {
  return {
    resources,
    openInbound: (receiver, host) => ({
      receive(request, delivery) {
        delivery.accept();
        answerManagement(receiver, host, address, request, readManagement(log, path, createdMs, request));
      },
    }),
    openOutbound: () => REPLY_LINK,
  };
}

class PartitionLink implements OutboundNode, PartitionReader {
  readonly epoch: number | undefined;
  readonly #sender: Sender;
  readonly #host: LinkHost;
  readonly #log: EventLog;
  readonly #readers: PartitionReaders;
  readonly #partition: number;
  readonly #stopListening: () => void;
  #nextSequenceNumber = 0;

  constructor(sender: Sender, host: LinkHost, log: EventLog, readers: PartitionReaders, partition: number) {
    this.#sender = sender;
    this.#host = host;
    this.#log = log;
    this.#readers = readers;
    this.epoch = readEpoch(sender.properties);
    this.#partition = partition;
    this.#stopListening = log.onAppend((appended) => void (appended === partition && this.pump()));
    const selector = readSelector(sender.source?.filter);
    const start = findStart(log, partition, selector);
    const error = start === undefined ? { condition: 'amqp:invalid-field', description: `no position: ${selector?.slice(0, 100) ?? ''}` } : readers.add(partition, this);
    if (error !== undefined) this.#refuse(error);
    else {
      this.#nextSequenceNumber = start ?? 0;
      if (selector !== undefined) sender.set_source({ address: sender.source.address, filter: { [SELECTOR_FILTER]: types.wrap_described(selector, SELECTOR_FILTER_CODE) } });
    }
  }

  pump(): void {
    for (const event of this.#log.read(this.#partition, this.#nextSequenceNumber, BATCH_EVENTS)) {
      if (!this.#host.canSend(this.#sender, event.bytes + ENVELOPE_BYTES)) return;
      this.#host.send(this.#sender, formatEventMessage(event), event.bytes + ENVELOPE_BYTES);
      this.#nextSequenceNumber = event.sequenceNumber + 1;
    }
  }

  settled(): void {
    // Reading takes nothing out of the log.
  }

  /** Another reader has the partition now. */
  eject(error: AmqpError): void {
    this.#host.detach(this.#sender, error);
  }

  close(): void {
    this.#stopListening();
    this.#readers.remove(this.#partition, this);
  }

  #refuse(error: AmqpError): void {
    this.close();
    this.#host.detach(this.#sender, error);
  }
}

/** The owner level that a reader asks for. */
const EPOCH = 'com.microsoft:epoch';

function readEpoch(properties: unknown): number | undefined {
  const epoch: unknown = typeof properties === 'object' && properties !== null ? (properties as Record<string, unknown>)[EPOCH] : undefined;
  return typeof epoch === 'number' && Number.isSafeInteger(epoch) ? epoch : undefined;
}

/** rhea gives a described value as an object that holds it. */
function readSelector(filter: unknown): string | undefined {
  if (typeof filter !== 'object' || filter === null) return undefined;
  const entry: unknown = (filter as Record<string, unknown>)[SELECTOR_FILTER];
  if (typeof entry === 'string') return entry;
  const value: unknown = typeof entry === 'object' && entry !== null ? (entry as { readonly value?: unknown }).value : undefined;
  return typeof value === 'string' ? value : undefined;
}

type ManagementAnswer = { readonly status: 200; readonly body: Record<string, unknown> } | { readonly status: number; readonly condition: string; readonly description: string };

function readManagement(log: EventLog, path: string, createdMs: number, request: Message): ManagementAnswer {
  const properties = propertiesOf(request);
  const isRead = properties.get('operation') === 'READ' && textOf(properties.get('name'))?.toLowerCase() === path.toLowerCase();
  if (!isRead) return { status: 400, condition: 'com.microsoft:argument-error', description: `the only operation is READ of ${path}` };
  if (properties.get('type') === 'com.microsoft:eventhub') {
    const ids = Array.from({ length: log.partitionCount }, (_, index) => String(index));
    const body = { name: path, type: 'com.microsoft:eventhub', created_at: new Date(createdMs), partition_count: types.wrap_int(ids.length), partition_ids: types.wrap_array(ids, STRING_CODE, undefined) };
    return { status: 200, body };
  }
  const partition = textOf(properties.get('partition')) ?? '';
  const state = properties.get('type') === 'com.microsoft:partition' && /^[0-9]{1,4}$/.test(partition) ? log.state(Number(partition)) : undefined;
  if (state === undefined) return { status: 400, condition: 'com.microsoft:argument-out-of-range', description: 'there is no such partition' };
  const body = {
    name: path,
    type: 'com.microsoft:partition',
    partition,
    begin_sequence_number: types.wrap_long(state.beginSequenceNumber),
    last_enqueued_sequence_number: types.wrap_long(state.lastSequenceNumber),
    last_enqueued_offset: String(state.lastOffset),
    last_enqueued_time_utc: new Date(Math.round(state.lastEnqueuedMs)),
    is_partition_empty: state.isEmpty,
  };
  return { status: 200, body };
}

/** AMQP 1.0, 1.6.20: the code of short strings. */
const STRING_CODE = 0xa1;

function answerManagement(receiver: Receiver, host: LinkHost, address: string, request: Message, answer: ManagementAnswer): void {
  const properties =
    'body' in answer
      ? { 'status-code': answer.status, 'status-description': 'OK' }
      : { 'status-code': answer.status, 'status-description': answer.description, 'error-condition': answer.condition };
  const correlation = request.message_id === undefined ? {} : { correlation_id: request.message_id };
  host.reply(receiver, address, textOf(request.reply_to), { ...correlation, application_properties: properties, body: 'body' in answer ? answer.body : null });
}
