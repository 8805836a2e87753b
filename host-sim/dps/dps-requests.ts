/** What a device asks by publishing; `rid` is its own name for the request. */
export type DpsRequest =
  | { readonly kind: 'register'; readonly rid: string }
  | { readonly kind: 'status'; readonly rid: string; readonly operationId: string };

export const RESPONSES_FILTER = '$dps/registrations/res/#';

const REGISTER = '$dps/registrations/PUT/iotdps-register/';
const STATUS = '$dps/registrations/GET/iotdps-get-operationstatus/';
const MAX_RID = 128;

/** `undefined` for a topic that means nothing here. */
export function parseDpsTopic(topic: string): DpsRequest | undefined {
  const query = (path: string): Map<string, string> => new Map(topic.slice(path.length + 1).split('&').map((pair): [string, string] => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
  const [path] = [REGISTER, STATUS].filter((known) => topic.startsWith(`${known}?`));
  if (path === undefined) return undefined;
  const values = query(path);
  const rid = values.get('$rid');
  if (rid === undefined || rid === '' || rid.length > MAX_RID) return undefined;
  if (path === REGISTER) return { kind: 'register', rid };
  const operationId = values.get('operationId');
  return operationId === undefined ? undefined : { kind: 'status', rid, operationId };
}

/** Where an answer goes. */
export function responseTopic(status: number, rid: string, retryAfterSeconds?: number): string {
  return `$dps/registrations/res/${status}/?$rid=${rid}${retryAfterSeconds === undefined ? '' : `&retry-after=${retryAfterSeconds}`}`;
}

/** The body of a registration; `undefined` when it is none. */
export function readRegistration(payload: Uint8Array): { readonly registrationId: unknown; readonly modelId?: string } | undefined {
  try {
    const body: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
    if (typeof body !== 'object' || body === null) return undefined;
    const { registrationId, payload: custom } = body as { registrationId?: unknown; payload?: { modelId?: unknown } | null };
    return { registrationId, ...(typeof custom?.modelId === 'string' && { modelId: custom.modelId }) };
  } catch {
    return undefined;
  }
}
