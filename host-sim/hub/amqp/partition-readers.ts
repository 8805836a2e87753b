import type { AmqpError } from 'rhea';

/** One who reads a partition. */
export interface PartitionReader {
  /** Its owner level ("epoch"); `undefined` for one that shares. */
  readonly epoch: number | undefined;
  eject(error: AmqpError): void;
}

/** Event Hubs has five readers without an epoch for each partition of a consumer group. */
const MAX_SHARING_READERS = 5;

/**
 * Who reads which partition: one with an epoch reads alone, and gives way to one with the same or a higher epoch.
 * @see https://learn.microsoft.com/azure/event-hubs/event-hubs-event-processor-host#processor-ownership-tracking
 */
export class PartitionReaders {
  readonly #readers = new Map<number, Set<PartitionReader>>();

  /** Takes a reader in, and ejects whom it takes the place of. @returns why it may not read */
  add(partition: number, reader: PartitionReader): AmqpError | undefined {
    const others = this.#readers.get(partition) ?? new Set();
    this.#readers.set(partition, others);
    const owner = [...others].find(({ epoch }) => epoch !== undefined);
    if (owner?.epoch !== undefined && (reader.epoch === undefined || reader.epoch < owner.epoch)) return stolen(owner.epoch);
    if (reader.epoch === undefined && others.size >= MAX_SHARING_READERS) {
      return { condition: 'amqp:resource-limit-exceeded', description: `a partition has at most ${MAX_SHARING_READERS} readers without an owner level` };
    }
    if (reader.epoch !== undefined) {
      for (const other of [...others]) {
        others.delete(other);
        other.eject(stolen(reader.epoch));
      }
    }
    others.add(reader);
    return undefined;
  }

  remove(partition: number, reader: PartitionReader): void {
    this.#readers.get(partition)?.delete(reader);
  }
}

function stolen(epoch: number): AmqpError {
  return { condition: 'amqp:link:stolen', description: `a reader with owner level ${epoch} has this partition` };
}
