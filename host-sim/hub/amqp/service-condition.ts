import type { AmqpError } from 'rhea';
import { ServiceError } from '../service-error.ts';

/** IoT Hub's AMQP conditions by its error codes, as Microsoft's SDKs read them. */
const CONDITIONS: Readonly<Record<number, string>> = {
  403_004: 'amqp:resource-limit-exceeded',
  404_001: 'amqp:not-found',
  412_002: 'com.microsoft:message-lock-lost',
  413_001: 'amqp:link:message-size-exceeded',
};

/** ... and by status where the code has none of its own. */
const CONDITIONS_BY_STATUS: Readonly<Record<number, string>> = {
  400: 'com.microsoft:argument-error',
  401: 'amqp:unauthorized-access',
  403: 'amqp:not-allowed',
  404: 'amqp:not-found',
  412: 'com.microsoft:precondition-failed',
  429: 'com.microsoft:device-container-throttled',
  501: 'amqp:not-implemented',
};

/** An error as a client of AMQP sees it. */
export function toAmqpError(error: unknown): AmqpError {
  if (!(error instanceof ServiceError)) return { condition: 'amqp:internal-error', description: 'the hub failed' };
  return { condition: CONDITIONS[error.code] ?? CONDITIONS_BY_STATUS[error.status] ?? 'amqp:internal-error', description: `${error.code} ${error.reason}: ${error.message}` };
}
