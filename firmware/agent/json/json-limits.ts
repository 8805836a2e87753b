/** Limits of what is kept of JSON from the cloud. Times a few slots of 16 bytes each they are what it costs in heap. */

export interface JsonLimits {
  /** Of the whole text. */
  readonly maxBytes: number;
  /** Objects and arrays inside one another, 32 at most: `JSON.parse` calls itself for each on a small C stack. */
  readonly maxDepth: number;
  /** Members of objects and elements of arrays, together. */
  readonly maxMembers: number;
  /** Of one name, in UTF-8, without escapes. */
  readonly maxNameBytes: number;
}

/** IoT Hub documents no depth for methods and messages; a twin's limit is 10. */
export const DEFAULT_JSON_LIMITS: JsonLimits = { maxBytes: 8 * 1024, maxDepth: 16, maxMembers: 256, maxNameBytes: 64 };

export interface TwinLimits extends Omit<JsonLimits, 'maxBytes'> {
  /** Of one registered property, as JSON: a text of 4 KB, which a twin may have, and what stands around it. */
  readonly maxValueBytes: number;
  /** Of all that are kept of one document. */
  readonly maxTotalBytes: number;
}

export const DEFAULT_TWIN_LIMITS: TwinLimits = { ...DEFAULT_JSON_LIMITS, maxValueBytes: 4 * 1024 + 64, maxTotalBytes: 8 * 1024 };

/** Names that a program may learn from the cloud in its whole life, and their bytes. */
export const DEFAULT_MAX_NAMES = 128;
export const DEFAULT_MAX_NAMES_BYTES = 4 * 1024;

/** The XS engine's `JSON.parse` copies a number into a buffer of 256 bytes. Source: `nameBuffer` in xsAll.h of XS 13.3. */
export const MAX_NUMBER_BYTES = 255;
/** An escape has six bytes for one of the name. */
export const MAX_ESCAPED_LENGTH = 6;
