/** "The payload for method requests and responses is a JSON document up to 128 KB." */
export const METHOD_PAYLOAD_BYTES = 128 * 1024;

/** "The allowed range is 5 to 300 seconds"; 30 when nothing is said. */
export const MIN_RESPONSE_TIMEOUT_SECONDS = 5;
export const MAX_RESPONSE_TIMEOUT_SECONDS = 300;
export const DEFAULT_RESPONSE_TIMEOUT_SECONDS = 30;

/** "The allowed range is 0 to 300 seconds": 0 asks for a device that is there now. */
export const MAX_CONNECT_TIMEOUT_SECONDS = 300;

/** Ours: names that fit a topic next to a request id, by far longer than any in use. */
export const METHOD_NAME_BYTES = 1_024;

/** Ours: calls to one device that wait for it or for its answer. S1 allows 40 calls a second for all devices together. */
export const PENDING_CALLS = 100;
