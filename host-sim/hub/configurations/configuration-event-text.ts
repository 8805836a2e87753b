import { line, type EventLine } from '../event-text.ts';
import type { ConfigurationEvent } from './configuration-events.ts';

/** One line about automatic configurations. */
export function describeConfigurationEvent(event: ConfigurationEvent): EventLine {
  switch (event.event) {
    case 'configurationChanged':
      return { who: 'hub', text: `configuration ${event.configuration} was ${event.change}`, tone: 'plain' };
    case 'configurationsApplied':
      return line(event, event.configurations.length === 0 ? 'is configured by nothing any more' : `is configured by ${event.configurations.join(', ')}`, 'good');
    case 'configurationsRefused':
      return line(event, `cannot take ${event.configurations.join(', ')}: ${event.detail} (${event.code})`, 'warning');
  }
}
