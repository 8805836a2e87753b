import type { EventLog, LoggedEvent } from './event-log.ts';

/** The filter by which Event Hubs clients say where to start; its value is a comparison as text. */
export const SELECTOR_FILTER = 'apache.org:selector-filter:string';
export const SELECTOR_FILTER_CODE = 0x468c00000004;

const SELECTOR = /^amqp\.annotation\.x-opt-(offset|sequence-number|enqueued-time|enqueuedtimeutc) (>=?) '?(@latest|-?[0-9]{1,16})'?$/;

/** Where a reader starts: at the sequence number of the first event that it wants; `undefined` for a filter that is none. */
export function findStart(log: EventLog, partition: number, selector: string | undefined): number | undefined {
  if (selector === undefined) return log.findFirst(partition, () => true);
  const [, field, operator, text = ''] = SELECTOR.exec(selector.trim()) ?? [];
  if (field === undefined) return undefined;
  if (text === '@latest') return field === 'offset' ? log.findFirst(partition, () => false) : undefined;
  const bound = Number(text);
  const isInclusive = operator === '>=';
  return log.findFirst(partition, (event) => {
    const value = valueOf(event, field);
    return isInclusive ? value >= bound : value > bound;
  });
}

function valueOf(event: LoggedEvent, field: string): number {
  if (field === 'offset') return event.offset;
  return field === 'sequence-number' ? event.sequenceNumber : event.enqueuedMs;
}
