import { isUtf8 } from 'node:buffer';
import { describeDpsEvent } from '../dps/dps-events.ts';
import { describeAmqpEvent } from './amqp/amqp-event-text.ts';
import { describeConfigurationEvent } from './configurations/configuration-event-text.ts';
import type { HubEvent } from './events.ts';
import { describeFaultEvent } from './faults/fault-event-text.ts';
import { formatClientId } from './identity.ts';
import { describeMessageEvent } from './messages/message-event-text.ts';
import { describeMethodEvent } from './methods/method-event-text.ts';
import { describeRestEvent } from './rest/rest-event-text.ts';
import { describeTlsFailure } from './tls-failure-text.ts';
import { describeTwinEvent } from './twins/twin-event-text.ts';

/** One JSON object for one event: times in whole milliseconds, the payload as text, or base64 where it is none. */
export function toJsonEvent(event: HubEvent): object {
  const rounded = { ...event, at: Math.round(event.at), monotonicMs: Math.round(event.monotonicMs) };
  if (rounded.event !== 'messageReceived') return rounded;
  const { payload, ...rest } = rounded;
  const body = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  return isUtf8(body) ? { ...rest, payload: body.toString() } : { ...rest, payloadBase64: body.toString('base64') };
}

/** How bad a line is: shown green, yellow, red, or as it is. */
export type Tone = 'good' | 'warning' | 'bad' | 'plain';

export interface EventLine {
  readonly who: string;
  readonly text: string;
  readonly tone: Tone;
}

/** One line about an event for people; `undefined` for what is told otherwise or by the next event. */
export function describeHubEvent(event: HubEvent): EventLine | undefined {
  switch (event.event) {
    case 'connected':
      return line(event, `connected with its ${event.policy === undefined ? '' : `${event.policy} policy's `}${event.key} key, token until ${formatSeconds(event.expirySeconds)}`, 'good');
    case 'refused':
      return { who: printable(event.clientId), text: `refused: ${event.detail} (${event.reason}, ${event.code})`, tone: 'bad' };
    case 'evicted':
      return line(event, `replaced by its newer connection (${event.code})`, 'plain');
    case 'expired':
      return line(event, `the token ended at ${formatSeconds(event.expirySeconds)}, the grace time is over`, 'warning');
    case 'disconnected':
      if (event.reason === 'evicted' || event.reason === 'refused') return undefined;
      return { who: event.deviceId === undefined ? `#${event.connection}` : formatClientId({ ...event, deviceId: event.deviceId }), text: `disconnected: ${event.reason}${event.detail === undefined ? '' : ` (${event.detail})`}`, tone: event.reason === 'client-disconnected' ? 'plain' : 'warning' };
    case 'subscribed':
      return line(event, event.grantedQos === 128 ? `may not subscribe to ${printable(event.filter)}` : `subscribed to ${event.filter}`, event.grantedQos === 128 ? 'warning' : 'plain');
    case 'twinChanged':
    case 'twinRead':
    case 'twinRefused':
    case 'desiredSent':
      return describeTwinEvent(event);
    case 'configurationChanged':
    case 'configurationsApplied':
    case 'configurationsRefused':
      return describeConfigurationEvent(event);
    case 'methodSent':
    case 'methodAnswered':
    case 'methodFailed':
    case 'methodAnswerIgnored':
      return describeMethodEvent(event);
    case 'cloudMessage':
    case 'cloudMessageSent':
      return describeMessageEvent(event);
    case 'requestAnswered':
    case 'requestRefused':
    case 'requestBroken':
    case 'requestFailed':
      return describeRestEvent(event);
    case 'amqpOpened':
    case 'amqpAuthorized':
    case 'amqpRefused':
    case 'amqpLinkOpened':
    case 'amqpLinkClosed':
    case 'amqpClosed':
      return describeAmqpEvent(event);
    case 'faultSet':
    case 'faultHit':
    case 'faultEnded':
      return describeFaultEvent(event);
    case 'dpsRegistering':
    case 'dpsAssigned':
    case 'dpsFailed':
    case 'dpsRefused':
      return describeDpsEvent(event, printable);
    case 'tlsFailed':
      return { who: event.peer, text: describeTlsFailure(event.code, event.detail), tone: 'warning' };
    case 'connectionRejected':
      return { who: event.peer, text: `rejected: ${event.limit} connections are open`, tone: 'warning' };
    case 'registryChanged':
      return { who: event.deviceId === undefined ? (event.policy ?? 'registry') : formatClientId({ ...event, deviceId: event.deviceId }), text: event.change, tone: 'plain' };
    case 'stateNotSaved':
      return { who: 'state', text: `${event.detail}; ${event.remedy}`, tone: 'bad' };
    default:
      return undefined;
  }
}

export function line(event: { readonly deviceId: string; readonly moduleId?: string }, text: string, tone: Tone): EventLine {
  return { who: formatClientId(event), text, tone };
}

function formatSeconds(seconds: number): string {
  const atMs = seconds * 1000;
  // Dates end in the year 275,760; a token may go further.
  return atMs > 8.64e15 ? `${seconds} s` : new Date(atMs).toISOString().replace('.000', '');
}

/** What a stranger wrote, without what would act on a terminal. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}
