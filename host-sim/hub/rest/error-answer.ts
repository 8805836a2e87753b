import { randomUUID } from 'node:crypto';
import { ServiceError } from '../service-error.ts';
import { ThrottlingError } from '../throttles/throttles.ts';

/**
 * The three shapes in which IoT Hub answers errors:
 * `coded` `{"Message":"ErrorCode:Name;text","ExceptionMessage":"Tracking ID:…"}`, which azure-iothub and the az CLI take apart;
 * `flat` `{"errorCode":409301,"message":…,"trackingId":…,"timestampUtc":…}`, of modules;
 * `nested`, the flat one as text in the `Message` of the first, of direct methods.
 */
export type ErrorForm = 'coded' | 'flat' | 'nested';

export interface ErrorAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What every peer that may not do what it asks for is told, whatever the reason. */
export const UNAUTHORIZED = new ServiceError(401, 401_002, 'IotHubUnauthorizedAccess', 'Unauthorized');

export function formatError(error: ServiceError, nowMs: number, form: ErrorForm = 'coded'): ErrorAnswer {
  const trackingId = randomUUID().replaceAll('-', '').toUpperCase();
  const date = new Date(nowMs);
  const headers = { 'iothub-errorcode': error.reason, ...(error.status === 429 ? { 'Retry-After': String(retryAfterSeconds(error)) } : {}) };
  if (form === 'coded') {
    const body = {
      Message: `ErrorCode:${error.reason};${error.message}`,
      ExceptionMessage: `Tracking ID:${trackingId}-G:0-TimeStamp:${formatUsDate(date)}`,
    };
    return { status: error.status, headers, body: JSON.stringify(body) };
  }
  const timestampUtc = date.toISOString();
  const flat = { errorCode: error.code, message: error.message, trackingId: `${trackingId}-G:0-TimeStamp:${timestampUtc}`, timestampUtc };
  if (form === 'flat') return { status: error.status, headers, body: JSON.stringify(flat) };
  return { status: error.status, headers, body: JSON.stringify({ Message: JSON.stringify({ ...flat, info: null }), ExceptionMessage: '' }) };
}

/** IoT Hub says "Wait 10 seconds and try again" where nothing better is known. */
const DEFAULT_RETRY_AFTER_SECONDS = 10;

function retryAfterSeconds(error: ServiceError): number {
  return error instanceof ThrottlingError ? Math.ceil(error.retryAfterMs / 1000) : DEFAULT_RETRY_AFTER_SECONDS;
}

/** `MM/DD/YYYY HH:MM:SS`, UTC. */
function formatUsDate(date: Date): string {
  const [year, month, day] = date.toISOString().slice(0, 10).split('-');
  return `${month}/${day}/${year} ${date.toISOString().slice(11, 19)}`;
}
