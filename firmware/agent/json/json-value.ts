export type JsonValue = null | boolean | number | string | JsonObject | readonly JsonValue[];

export interface JsonObject {
  readonly [name: string]: JsonValue;
}

/** Whether a merge patch goes into it (RFC 7396): an object, no array. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Without a prototype: on the chip Object.prototype is frozen, and a member named `toString` could not be assigned. */
export function emptyObject(): Record<string, JsonValue> {
  return Object.create(null) as Record<string, JsonValue>;
}
