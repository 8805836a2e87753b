import type { JsonRefusal } from './json-refusal.ts';
import type { JsonParsed } from './parse-bounded.ts';
import type { PropertyNames } from './property-names.ts';

/** What is kept of `desired` or `reported`. */
export interface TwinSection {
  /** `$version` */
  readonly version: number;
  /** The registered properties that stand there. `null` stays `null`: in a patch it means deleted. */
  readonly values: ReadonlyMap<string, unknown>;
  /** The registered properties whose value was refused, too large or too deep for instance. */
  readonly refused: ReadonlyMap<string, JsonRefusal>;
}

/** Digits of the largest integer that a number holds exactly. */
export const MAX_VERSION_BYTES = 16;

/** A section that is being read. Of members with the same name the last one wins, as in `JSON.parse`. */
export class TwinSectionReader {
  readonly names: PropertyNames | undefined;
  version: number | undefined;
  readonly values = new Map<string, unknown>();
  readonly refused = new Map<string, JsonRefusal>();

  constructor(names: PropertyNames | undefined) {
    this.names = names;
  }

  /** `json` is the whole value, or `undefined` where it was above the limit. */
  setVersion(json: Uint8Array | undefined): void {
    this.version = json === undefined ? undefined : wholeNumberOf(json);
  }

  setValue(name: string, parsed: JsonParsed): void {
    if (parsed.ok) {
      this.values.set(name, parsed.value);
      this.refused.delete(name);
    } else {
      this.values.delete(name);
      this.refused.set(name, parsed.code);
    }
  }

  finish(): TwinSection | undefined {
    const { version, values, refused } = this;
    return version === undefined ? undefined : { version, values, refused };
  }
}

function wholeNumberOf(json: Uint8Array): number | undefined {
  let number = 0;
  for (const byte of json) {
    const digit = byte - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    number = 10 * number + digit;
  }
  return Number.isSafeInteger(number) ? number : undefined;
}
