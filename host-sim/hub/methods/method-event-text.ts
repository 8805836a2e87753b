import { line, printable, type EventLine } from '../event-text.ts';
import type { MethodEvent } from './method-events.ts';

/** One line about a direct method; `undefined` for what is told by the next event. */
export function describeMethodEvent(event: MethodEvent): EventLine | undefined {
  switch (event.event) {
    case 'methodSent':
      return undefined;
    case 'methodAnswered':
      return line(event, `method ${printable(event.method)} answered ${event.status}`, 'good');
    case 'methodFailed':
      return line(event, `method ${printable(event.method)} failed: ${event.detail} (${event.code})`, 'warning');
    case 'methodAnswerIgnored':
      return line(event, 'answered a method that nobody waits for', 'warning');
  }
}
