/** Limits of a registration, each with its source. */

/** The service's name in the public cloud. */
export const DEFAULT_DPS_HOST = 'global.azure-devices-provisioning.net';
/** The newest of those that Microsoft's device SDKs send. */
export const DPS_API_VERSION = '2019-03-31';
/** Of registration ids. Source: Azure, "registration ID". */
export const MAX_REGISTRATION_ID = 128;
/** ID scopes have 11 characters today. */
export const MAX_ID_SCOPE = 64;
/** Operation ids have 55 characters today. */
export const MAX_OPERATION_ID = 128;

/** A registration's token serves minutes. */
export const DPS_TOKEN_SECONDS = 900;
/** From the first byte to the end; the service takes seconds, or a minute where an Azure Function allocates. */
export const REGISTRATION_LIMIT_MS = 5 * 60_000;
/** Each answer must come within this time. */
export const DPS_ANSWER_TIMEOUT_MS = 20_000;

/** What `retry-after` may say, and what holds where it says nothing: the service's own figure. */
export const MIN_RETRY_AFTER_SECONDS = 1;
export const MAX_RETRY_AFTER_SECONDS = 60;
export const DEFAULT_RETRY_AFTER_SECONDS = 3;
/** Waits are longer by up to this part, drawn uniformly: a fleet that was turned on together does not ask together. */
export const RETRY_JITTER = 0.25;

/** So many connections in a row that failed, and the service is asked whether the device has another hub. Source: Microsoft's guidance for reprovisioning. */
export const FAILURES_UNTIL_REGISTRATION = 10;
