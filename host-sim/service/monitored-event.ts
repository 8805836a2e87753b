import { isUtf8 } from 'node:buffer';
import type { MonitoredEvent } from './event-monitor.ts';

/** Parts of a message that the az CLI shows on request: system and application properties, annotations. */
export const EVENT_PARTS = ['sys', 'app', 'anno', 'all'] as const;

export type EventPart = (typeof EVENT_PARTS)[number];

/** One message as `az iot hub monitor-events` shows it. */
export function formatMonitoredEvent(event: MonitoredEvent, parts: readonly EventPart[], contentType?: string): object {
  const has = (part: EventPart): boolean => parts.includes(part) || parts.includes('all');
  const properties = {
    ...(has('sys') ? { system: event.systemProperties } : {}),
    ...(has('app') ? { application: event.properties } : {}),
  };
  return {
    event: {
      origin: event.deviceId,
      module: event.moduleId ?? '',
      // The Plug and Play model; hubs of before named it otherwise.
      interface: textOf(event.annotations['dt-dataschema'] ?? event.annotations['iothub-interface-name']),
      component: textOf(event.annotations['dt-subject']),
      ...(Object.keys(properties).length > 0 ? { properties } : {}),
      ...(has('anno') ? { annotations: event.annotations } : {}),
      payload: readPayload(event, contentType ?? textOf(event.systemProperties['content_type'])),
    },
  };
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** JSON where its sender says so and it is; else text, as the az CLI has it; else base64. */
function readPayload({ payload }: MonitoredEvent, contentType: string): unknown {
  if (!isUtf8(payload)) return payload.toString('base64');
  const text = payload.toString();
  if (!/json/i.test(contentType)) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
