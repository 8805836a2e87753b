import type { TextCodec } from '../text-codec.ts';
import { DEFAULT_JSON_LIMITS, type JsonLimits, MAX_ESCAPED_LENGTH, MAX_NUMBER_BYTES } from './json-limits.ts';
import type { JsonRefusal } from './json-refusal.ts';
import { JsonScanner, MORE, NAME_BEGAN, NAME_ENDED, REFUSED } from './json-scanner.ts';
import type { NameBudget } from './name-budget.ts';
import { isSame } from './property-names.ts';
import { unescapeJson } from './unescape-json.ts';

export interface JsonContext {
  readonly text: Pick<TextCodec, 'decodeUtf8'>;
  /** The one of the program. */
  readonly names: NameBudget;
  readonly limits?: Partial<JsonLimits> | undefined;
}

export type JsonParsed = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly code: JsonRefusal };

/** `__proto__`: copying a value that has it would set a prototype. */
const PROTO = Uint8Array.from('__proto__', (character) => character.charCodeAt(0));

/**
 * `JSON.parse` for bytes from the cloud: the text is checked against the grammar and the limits before a single object or
 * property name is made of it. Of members with the same name the last one wins, as in `JSON.parse`.
 */
export function parseBounded(json: Uint8Array, { text, names, limits }: JsonContext): JsonParsed {
  const { maxBytes, maxDepth, maxMembers, maxNameBytes } = { ...DEFAULT_JSON_LIMITS, ...limits };
  if (json.length > maxBytes) return { ok: false, code: 'ERR_JSON_SIZE' };
  const scanner = new JsonScanner({ maxDepth, maxMembers, maxNumberBytes: MAX_NUMBER_BYTES, namesTo: Infinity });
  names.begin();
  const code = scan(json, scanner, names, maxNameBytes);
  if (code !== undefined) {
    names.rollBack();
    return { ok: false, code };
  }
  try {
    return { ok: true, value: JSON.parse(text.decodeUtf8(json)) as unknown };
  } catch {
    // What the scanner passes the engine takes; were it otherwise, nothing may be thrown at whoever reads a socket.
    return { ok: false, code: 'ERR_JSON_SYNTAX' };
  }
}

function scan(json: Uint8Array, scanner: JsonScanner, names: NameBudget, maxNameBytes: number): JsonRefusal | undefined {
  let nameBegan = 0;
  scanner.feed(json);
  for (;;) {
    switch (scanner.next()) {
      case NAME_BEGAN:
        nameBegan = scanner.mark;
        break;
      case NAME_ENDED: {
        const code = admit(json, nameBegan, scanner.mark, scanner.escaped, names, maxNameBytes);
        if (code !== undefined) return code;
        break;
      }
      case MORE:
      case REFUSED:
        return scanner.end();
    }
  }
}

function admit(json: Uint8Array, start: number, end: number, escaped: boolean, names: NameBudget, maxNameBytes: number): JsonRefusal | undefined {
  if (escaped) {
    if (end - start > MAX_ESCAPED_LENGTH * maxNameBytes) return 'ERR_JSON_NAME';
    const name = unescapeJson(json, start, end);
    return admit(name, 0, name.length, false, names, maxNameBytes);
  }
  if (end - start > maxNameBytes || isSame(PROTO, json, start, end)) return 'ERR_JSON_NAME';
  return names.admit(json, start, end) ? undefined : 'ERR_JSON_NAMES';
}
