import type { ReportedOptions } from './copy-reported.ts';
import { emptyObject, isJsonObject, type JsonObject, type JsonValue } from './json-value.ts';
import { MAX_REPORTED_BYTES } from './reported-limits.ts';
import { reportedSize, reportedSizeBound } from './reported-size.ts';

interface Pair {
  readonly merged: Record<string, JsonValue>;
  readonly pending: JsonObject;
  readonly patch: JsonObject;
}

/**
 * One patch that does what `pending` and then `patch` do, whatever the reported properties are (RFC 7396); both were made by
 * `copyReported` and stay as they are. `null` is kept: it deletes at the hub.
 *
 * Returns `undefined` where there is no such patch, or it would be above the limit: then `patch` must follow by itself. There is
 * none when `pending` gives a property a plain value or deletes it and `patch` gives it members: as one patch these would
 * join the members that the property had before.
 */
export function mergeReported(pending: JsonObject, patch: JsonObject, { maxBytes = MAX_REPORTED_BYTES }: ReportedOptions = {}): JsonObject | undefined {
  const merged = emptyObject();
  const pairs: Pair[] = [{ merged, pending, patch }];
  for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
    for (const name of Object.keys(pair.pending)) pair.merged[name] = pair.pending[name]!;
    for (const name of Object.keys(pair.patch)) {
      const earlier = Object.hasOwn(pair.pending, name) ? pair.pending[name] : undefined;
      const later = pair.patch[name]!;
      if (!isJsonObject(later) || earlier === undefined) {
        pair.merged[name] = later;
        continue;
      }
      if (!isJsonObject(earlier)) return undefined;
      const inner = emptyObject();
      pair.merged[name] = inner;
      pairs.push({ merged: inner, pending: earlier, patch: later });
    }
  }
  return reportedSizeBound(merged) <= maxBytes || reportedSize(merged) <= maxBytes ? merged : undefined;
}
