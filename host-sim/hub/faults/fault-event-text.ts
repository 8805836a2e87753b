import { line, type EventLine } from '../event-text.ts';
import type { FaultEvent } from './fault-events.ts';

export function describeFaultEvent(event: FaultEvent): EventLine {
  switch (event.event) {
    case 'faultSet': {
      const { kind, deviceId = 'all', moduleId, id } = event.fault;
      return { who: 'fault', text: `${id} set: ${kind}, for ${moduleId === undefined ? deviceId : `${deviceId}/${moduleId}`}`, tone: 'warning' };
    }
    case 'faultHit':
      return line(event, `fault ${event.fault}: ${event.kind}`, 'warning');
    case 'faultEnded':
      return { who: 'fault', text: `${event.fault} is over: ${event.kind}, ${event.reason}, it happened ${event.hits} times`, tone: 'plain' };
  }
}
