import type { EventLine } from '../event-text.ts';
import type { AmqpEvent } from './amqp-events.ts';

/** One line about an event of the AMQP side for people; `undefined` for what only `--json` tells. */
export function describeAmqpEvent(event: AmqpEvent): EventLine | undefined {
  const who = `amqp #${event.connection}`;
  switch (event.event) {
    case 'amqpOpened':
    case 'amqpLinkClosed':
      return undefined;
    case 'amqpAuthorized':
      return { who, text: `authorized with the ${event.policy} policy's ${event.key} key`, tone: 'good' };
    case 'amqpLinkOpened':
      return event.address.endsWith('$cbs') ? undefined : { who, text: `attached to ${printable(event.address)}`, tone: 'plain' };
    case 'amqpRefused':
      return { who, text: `refused at ${printable(event.address)}: ${event.detail} (${event.reason}, ${event.code})`, tone: 'bad' };
    case 'amqpClosed':
      return { who, text: `closed: ${event.reason}${event.detail === undefined ? '' : ` (${printable(event.detail)})`}`, tone: event.reason === 'client-closed' ? 'plain' : 'warning' };
  }
}

/** What a stranger wrote, without what would act on a terminal. */
function printable(text: string): string {
  return text.slice(0, 200).replace(/[^\x20-\x7e]/g, '?');
}
