import { createJsonObject, isJsonObject, type JsonObject, type MutableJsonObject } from './json.ts';

/** When, and by which version of its part, a property was written last; the version is kept for desired properties only, as in IoT Hub. */
export interface Stamp {
  /** ISO 8601 in UTC. */
  readonly lastUpdated: string;
  readonly version?: number;
}

/** A document, and a tree of the same shape with `$lastUpdated` (and `$lastUpdatedVersion`) on every level and leaf. */
export interface StampedProperties {
  readonly value: JsonObject;
  readonly metadata: JsonObject;
}

/**
 * Merges a patch: objects member by member, `null` deletes, all else (arrays too) replaces (RFC 7396). What is not touched is
 * shared with `target`, which stays as it is; the cost is that of the objects along the patch.
 */
export function mergeProperties(target: StampedProperties | undefined, patch: JsonObject, stamp: Stamp): StampedProperties {
  const value = createJsonObject(target?.value);
  const metadata = stampInto(createJsonObject(target?.metadata), stamp);
  for (const name of Object.keys(patch)) {
    const item = patch[name];
    if (item === undefined) continue;
    if (item === null) {
      delete value[name];
      delete metadata[name];
    } else if (isJsonObject(item)) {
      const old = value[name];
      const oldMetadata = metadata[name];
      const merged = mergeProperties(isJsonObject(old) && isJsonObject(oldMetadata) ? { value: old, metadata: oldMetadata } : undefined, item, stamp);
      value[name] = merged.value;
      metadata[name] = merged.metadata;
    } else {
      value[name] = item;
      metadata[name] = stampInto(createJsonObject(), stamp);
    }
  }
  return { value, metadata };
}

/** `$` stands in no name of a property: these cannot collide. */
function stampInto(metadata: MutableJsonObject, stamp: Stamp): MutableJsonObject {
  metadata['$lastUpdated'] = stamp.lastUpdated;
  if (stamp.version !== undefined) metadata['$lastUpdatedVersion'] = stamp.version;
  return metadata;
}
