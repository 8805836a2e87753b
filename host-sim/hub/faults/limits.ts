const DAY_MS = 24 * 3600 * 1000;

/** Faults at a time: each packet asks all of them. */
export const MAX_FAULTS = 100;
/** More often than anybody counts. */
export const MAX_FAULT_COUNT = 1_000_000;
export const MAX_FAULT_DURATION_MS = DAY_MS;
/** Longer than any client waits. */
export const MAX_FAULT_DELAY_MS = 60_000;
/** Tokens live a year at most. */
export const MAX_OFFSET_MS = 400 * DAY_MS;
/** What one connection may have on its way while it is delayed; above it nothing is read from the client. */
export const MAX_DELAYED_BYTES = 512 * 1024;
/** Body of a request of the admin API. */
export const MAX_ADMIN_BODY_BYTES = 4 * 1024;
