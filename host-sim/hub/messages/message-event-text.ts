import { line, printable, type EventLine } from '../event-text.ts';
import type { DeliveryEvent } from '../mqtt/delivery-events.ts';
import type { MessageEvent } from './message-events.ts';

/** One line about a cloud-to-device message; `undefined` for what is told by the next event. */
export function describeMessageEvent(event: MessageEvent | DeliveryEvent): EventLine | undefined {
  const message = event.messageId === '' ? `message number ${event.sequenceNumber}` : `message ${printable(event.messageId)}`;
  if (event.event === 'cloudMessageSent') return line(event, `${event.dup ? 'sent again' : 'sent'}: ${message}, QoS ${event.qos}`, 'plain');
  switch (event.change) {
    case 'queued':
      return undefined;
    case 'Success':
      return line(event, `completed: ${message}`, 'good');
    case 'abandoned':
      return line(event, `gave back: ${message}`, 'warning');
    case 'Expired':
      return line(event, `expired before it was completed: ${message}`, 'warning');
    case 'DeliveryCountExceeded':
      return line(event, `gave back too often, dead-lettered: ${message}`, 'warning');
    case 'Rejected':
      return line(event, `rejected: ${message}`, 'warning');
    case 'Purged':
      return line(event, `purged: ${message}`, 'plain');
  }
}
