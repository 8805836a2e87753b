/** "Query expressions can have a maximum length of 8192 characters." @see https://learn.microsoft.com/azure/iot-hub/query-twins#twin-query-limitations */
export const MAX_QUERY_CHARACTERS = 8_192;

/** Parentheses, NOT, signs, arrays and calls within each other. Ours: IoT Hub names no number, and a person needs five. */
export const MAX_NESTING = 32;

/** A string that a function makes. Ours: 16 times the longest string that a twin may hold. */
export const MAX_STRING_CHARACTERS = 65_536;

/** `x-ms-max-item-count` when a request has none, and at most. */
export const DEFAULT_PAGE_ROWS = 100;
export const MAX_PAGE_ROWS = 1_000;

/** A continuation token that the hub takes back: two ids of 128 characters in JSON in base64 stay below half of it. */
export const MAX_CONTINUATION_CHARACTERS = 1_024;
