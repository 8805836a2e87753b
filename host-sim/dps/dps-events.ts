import type { EventLine } from '../hub/event-text.ts';

/** What happens at the provisioning service, in the stream of its hub. No event holds a key or a token. */
export type DpsEvent =
  /** `token`: a digest of it. */
  | { readonly event: 'dpsRegistering'; readonly registrationId: string; readonly enrolment: string; readonly token: string; readonly modelId?: string }
  | { readonly event: 'dpsAssigned'; readonly registrationId: string; readonly deviceId: string; readonly hubName: string; readonly substatus: string }
  | { readonly event: 'dpsFailed'; readonly registrationId: string; readonly status: 'failed' | 'disabled'; readonly code: number; readonly detail: string }
  /** A CONNECT or a registration was refused; the device hears `code` at most. */
  | { readonly event: 'dpsRefused'; readonly registrationId: string; readonly code: number; readonly detail: string };

/** @param printable makes what a stranger wrote harmless */
export function describeDpsEvent(event: DpsEvent, printable: (text: string) => string): EventLine | undefined {
  const who = printable(event.registrationId);
  switch (event.event) {
    case 'dpsRegistering':
      return { who, text: `registers by the enrolment ${event.enrolment}`, tone: 'plain' };
    case 'dpsAssigned':
      return { who, text: `assigned to ${event.hubName} as ${event.deviceId} (${event.substatus})`, tone: 'good' };
    case 'dpsFailed':
      return { who, text: `registration ${event.status}: ${event.detail} (${event.code})`, tone: 'bad' };
    case 'dpsRefused':
      return { who, text: `registration refused: ${event.detail} (${event.code})`, tone: 'bad' };
  }
}
