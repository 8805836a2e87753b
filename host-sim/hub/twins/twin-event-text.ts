import { line, type EventLine } from '../event-text.ts';
import type { TwinEvent } from './twin-events.ts';

/** One line about a twin; `undefined` for what is told by another event. */
export function describeTwinEvent(event: TwinEvent): EventLine | undefined {
  switch (event.event) {
    case 'twinChanged':
      if (event.part === 'tags') return line(event, `its tags were ${event.replaced ? 'replaced' : 'changed'}`, 'plain');
      return line(event, `${event.part} properties, version ${event.version}${event.replaced ? ', replaced' : ''}`, 'plain');
    case 'twinRead':
      return line(event, 'read its twin', 'plain');
    case 'desiredSent':
      return undefined;
    case 'twinRefused':
      return line(event, `${event.request === 'twin-get' ? 'may not read its twin' : 'reported properties are refused'}: ${event.detail} (${event.code})`, 'warning');
  }
}
