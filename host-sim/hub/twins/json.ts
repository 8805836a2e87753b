/** JSON as it is kept: objects have no prototype, so that `__proto__` and `constructor` are names like any other. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

export interface JsonObject {
  readonly [name: string]: JsonValue;
}

/** The same while it is being built. */
export type MutableJsonObject = Record<string, JsonValue>;

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** As objects of `Object.create(null)`, without inherited members, but kept by the engine as it keeps instances of a class. */
const Members = function () {} as unknown as new () => MutableJsonObject;
Object.defineProperty(Members, 'prototype', { value: Object.freeze(Object.create(null)) });

/** An empty object, or one with the members of `source`, without inherited ones. */
export function createJsonObject(source?: JsonObject): MutableJsonObject {
  return Object.assign(new Members(), source);
}

/** Takes JSON of our own as `JSON.parse` gives it; for what others wrote see `check-properties.ts`. */
export function restoreJson(value: unknown): JsonValue {
  if (Array.isArray(value)) return value.map(restoreJson);
  if (typeof value !== 'object' || value === null) return value as JsonValue;
  return restoreJsonObject(value);
}

export function restoreJsonObject(value: object): JsonObject {
  const restored = createJsonObject();
  for (const [name, item] of Object.entries(value)) restored[name] = restoreJson(item);
  return restored;
}
