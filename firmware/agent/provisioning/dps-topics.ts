import { parseWhole, queryValue } from '../topics.ts';

/** @see https://learn.microsoft.com/azure/iot/iot-mqtt-connect-to-iot-dps */
export const DPS_RESPONSES_FILTER = '$dps/registrations/res/#';

const RESPONSE_PREFIX = '$dps/registrations/res/';

/** An answer of the service. */
export interface DpsResponseTopic {
  readonly status: number;
  readonly requestId: string;
  /** Whole seconds, as they came; absent where there are none that can be read. */
  readonly retryAfterSeconds: number | undefined;
}

/** Publishing here asks for a hub. */
export function registerTopic(requestId: number): string {
  return `$dps/registrations/PUT/iotdps-register/?$rid=${requestId}`;
}

/** Publishing here asks what has become of that. */
export function operationTopic(requestId: number, operationId: string): string {
  return `$dps/registrations/GET/iotdps-get-operationstatus/?$rid=${requestId}&operationId=${operationId}`;
}

/** `$dps/registrations/res/{status}/?$rid={requestId}[&retry-after={seconds}]`; `undefined` for any other topic. */
export function parseDpsResponse(topic: string): DpsResponseTopic | undefined {
  if (!topic.startsWith(RESPONSE_PREFIX)) return undefined;
  const statusEnd = topic.indexOf('/', RESPONSE_PREFIX.length);
  const status = statusEnd < 0 ? undefined : parseWhole(topic.slice(RESPONSE_PREFIX.length, statusEnd));
  const requestId = queryValue(topic, statusEnd + 1, '$rid');
  if (status === undefined || requestId === undefined || requestId === '') return undefined;
  const retryAfter = queryValue(topic, statusEnd + 1, 'retry-after') ?? queryValue(topic, statusEnd + 1, 'Retry-After');
  return { status, requestId, retryAfterSeconds: parseWhole(retryAfter) };
}
