import type { EventLine } from '../event-text.ts';
import type { RestEvent } from './rest-events.ts';

/** One line about an event of the REST side for people; `undefined` for what only `--json` tells. */
export function describeRestEvent(event: RestEvent): EventLine | undefined {
  switch (event.event) {
    case 'requestAnswered': {
      const who = event.deviceId === undefined ? (event.policy ?? 'rest') : event.moduleId === undefined ? event.deviceId : `${event.deviceId}/${event.moduleId}`;
      const asked = `${event.method} ${event.route}`;
      if (event.code === undefined) return { who, text: `${asked}: ${event.status}`, tone: 'plain' };
      return { who, text: `${asked}: ${event.detail ?? event.status} (${event.code})`, tone: 'warning' };
    }
    case 'requestRefused':
      return { who: event.peer, text: `${event.method} ${event.route ?? 'of an unknown path'} refused: ${event.detail} (${event.reason}, ${event.code})`, tone: 'bad' };
    case 'requestBroken':
      return { who: event.peer, text: `HTTP connection closed: ${event.reason}${event.detail === undefined ? '' : ` (${event.detail})`}`, tone: 'warning' };
    case 'requestFailed':
      return { who: event.peer, text: `${event.method} ${event.route} failed in this hub: ${event.detail}`, tone: 'bad' };
  }
}
