/** What IoT Hub takes as reported properties. Source: "Tags and properties format" and "Device twin size" in its guide to device twins. */

/** Of the section: names and values as UTF-8 without control characters, a number 8 bytes, a boolean 4. */
export const MAX_REPORTED_BYTES = 32 * 1024;
export const MAX_REPORTED_NAME_BYTES = 1024;
export const MAX_REPORTED_STRING_BYTES = 4 * 1024;
/** Objects inside one another below the section; arrays are counted, too. */
export const MAX_REPORTED_DEPTH = 10;
export const MIN_REPORTED_INTEGER = -4503599627370496;
export const MAX_REPORTED_INTEGER = 4503599627370495;
/** From here on `JSON.stringify` writes a number with an exponent: it is no integer for the hub. */
export const FIRST_EXPONENT = 1e21;

export const NUMBER_BYTES = 8;
export const BOOLEAN_BYTES = 4;
