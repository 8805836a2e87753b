import { createJsonObject, isJsonObject, type JsonObject, type JsonValue, type MutableJsonObject } from '../twins/json.ts';

/** One entry of a configuration's content: a place below `properties.desired`, and what is to be there. */
export interface Setting {
  /** At least one name. */
  readonly path: readonly string[];
  /** `null`: nothing is to be there. */
  readonly value: JsonValue;
}

/** What a configuration wants of a twin that it targets. */
export interface Claim {
  readonly id: string;
  readonly settings: readonly Setting[];
}

export interface ChosenSetting extends Setting {
  /** The configuration that wants it. */
  readonly id: string;
}

export const formatSettingPath = (path: readonly string[]): string => path.join('.');

/**
 * Settles between configurations: "If two or more configurations target the same twin path, the content from the highest priority configuration
 * will apply." A setting below the path of a stronger one falls away with it; one above stays, and the stronger one lies in it.
 * @param claims strongest first
 * @returns weakest first, in the order in which they are to be written
 */
export function chooseSettings(claims: readonly Claim[]): readonly ChosenSetting[] {
  const taken = new Set<string>();
  const chosen: ChosenSetting[] = [];
  for (const { id, settings } of claims) {
    const own = settings.filter(({ path }) => !path.some((_, index) => taken.has(formatSettingPath(path.slice(0, index + 1)))));
    // Within one configuration the longer path goes into the shorter one.
    for (const setting of [...own].sort((one, other) => other.path.length - one.path.length)) chosen.push({ ...setting, id });
    for (const { path } of own) taken.add(formatSettingPath(path));
  }
  return chosen.reverse();
}

/** The desired properties with `settings` in them, and without what stands at `removed`. What stays the same is shared. */
export function applySettings(desired: JsonObject, removed: readonly (readonly string[])[], settings: readonly Setting[]): JsonObject {
  let next = desired;
  for (const path of removed) next = withValue(next, path, null);
  for (const { path, value } of settings) next = withValue(next, path, withoutNulls(value));
  return next;
}

function withValue(target: JsonObject, [name, ...rest]: readonly string[], value: JsonValue): JsonObject {
  if (name === undefined) return target;
  const old = target[name];
  const isGone = value === null && (rest.length === 0 ? old === undefined : !isJsonObject(old));
  if (isGone) return target;
  const copy = createJsonObject(target);
  if (rest.length > 0) copy[name] = withValue(isJsonObject(old) ? old : createJsonObject(), rest, value);
  else if (value === null) delete copy[name];
  else copy[name] = value;
  return copy;
}

/** A twin holds no null: in what is to be set it means that there is nothing. */
function withoutNulls(value: JsonValue): JsonValue {
  if (!isJsonObject(value)) return value;
  const kept = createJsonObject();
  for (const [name, item] of Object.entries(value)) {
    if (item !== null) kept[name] = withoutNulls(item);
  }
  return kept;
}

/** The merge patch that makes `from` into `to`; `undefined` when they are the same. */
export function diffProperties(from: JsonObject, to: JsonObject): JsonObject | undefined {
  if (from === to) return undefined;
  const patch: MutableJsonObject = createJsonObject();
  for (const name of Object.keys(from)) {
    if (!Object.hasOwn(to, name)) patch[name] = null;
  }
  for (const name of Object.keys(to)) {
    const wanted = to[name] as JsonValue;
    const difference = diffValue(from[name], wanted);
    if (difference !== undefined) patch[name] = difference;
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

function diffValue(from: JsonValue | undefined, to: JsonValue): JsonValue | undefined {
  if (isJsonObject(from) && isJsonObject(to)) return diffProperties(from, to);
  return from !== undefined && isSame(from, to) ? undefined : to;
}

function isSame(one: JsonValue, other: JsonValue): boolean {
  return one === other || (typeof one === 'object' && JSON.stringify(one) === JSON.stringify(other));
}
