import { CliError, EXIT } from '../terminal/cli-error.ts';

type Json = Readonly<Record<string, unknown>>;

/** What of a twin a service may change. */
export interface TwinPatch {
  readonly tags?: Json;
  readonly properties?: { readonly desired: Json };
}

export interface PatchSources {
  readonly tags?: Json | undefined;
  readonly desired?: Json | undefined;
  /** `path=value`; the value is JSON, or text as it stands. */
  readonly set?: readonly string[] | undefined;
  /** Paths. */
  readonly remove?: readonly string[] | undefined;
}

const PATHS = 'a path begins with tags. or properties.desired., such as tags.room or properties.desired.targetTemperature';
const MAX_DEPTH = 12;

/** Puts a patch together; what is named later counts where two name the same. @throws ERR_JSON */
export function buildTwinPatch({ tags, desired, set = [], remove = [] }: PatchSources): TwinPatch {
  const parts: { tags: Json; desired: Json } = { tags: tags ?? {}, desired: desired ?? {} };
  const changes = [...set.map(parseAssignment), ...remove.map((path) => ({ path, value: null }))];
  for (const { path, value } of changes) {
    const { part, names } = parsePath(path);
    parts[part] = put(parts[part], names, value);
  }
  const isTouched = (part: 'tags' | 'desired'): boolean => Object.keys(parts[part]).length > 0;
  if (!isTouched('tags') && !isTouched('desired')) throw new CliError('ERR_JSON', EXIT.usage, 'there is nothing to change', 'give --desired, --tags, --set or --remove');
  return { ...(isTouched('tags') ? { tags: parts.tags } : {}), ...(isTouched('desired') ? { properties: { desired: parts.desired } } : {}) };
}

function parseAssignment(text: string): { readonly path: string; readonly value: unknown } {
  const equals = text.indexOf('=');
  if (equals < 1) throw new CliError('ERR_JSON', EXIT.usage, `--set needs PATH=VALUE, got ${JSON.stringify(text)}`, PATHS);
  const written = text.slice(equals + 1);
  let value: unknown = written;
  try {
    value = JSON.parse(written);
  } catch {
    // Text needs no quotes.
  }
  return { path: text.slice(0, equals), value };
}

function parsePath(path: string): { readonly part: 'tags' | 'desired'; readonly names: readonly string[] } {
  const [first, ...rest] = path.split('.');
  const part = first === 'tags' ? 'tags' : first === 'properties' && rest[0] === 'desired' ? 'desired' : undefined;
  const names = part === 'desired' ? rest.slice(1) : rest;
  if (part === undefined || names.length === 0 || names.length > MAX_DEPTH || names.some((name) => name === '')) {
    throw new CliError('ERR_JSON', EXIT.usage, `no path of a twin: ${JSON.stringify(path)}`, PATHS);
  }
  return { part, names };
}

/** A copy with `value` at the end of `names`. */
function put(parent: Json, [name = '', ...rest]: readonly string[], value: unknown): Json {
  const child = Object.hasOwn(parent, name) ? parent[name] : undefined;
  const inner = typeof child === 'object' && child !== null && !Array.isArray(child) ? (child as Json) : {};
  const entries = Object.entries(parent).filter(([other]) => other !== name);
  return Object.fromEntries([...entries, [name, rest.length === 0 ? value : put(inner, rest, value)]]);
}
