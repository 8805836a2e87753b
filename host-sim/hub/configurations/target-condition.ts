import { argumentError } from '../query/query-error.ts';
import { parseCondition } from '../query/query.ts';
import type { Collection, JsonRow, Path } from '../query/syntax.ts';

/** Whom a configuration is for. */
export interface Target {
  readonly collection: Collection;
  /** Parts of the twin that decide: a change of another part changes nothing. */
  readonly reads: ReadonlySet<'tags' | 'reported'>;
  /** @param row ids, tags and reported properties */
  matches(row: JsonRow): boolean;
  /** The query that finds them; empty when there are none. */
  readonly query: string;
}

const NOBODY: Target = { collection: 'devices', reads: new Set(), matches: () => false, query: '' };

/** "The condition is based on twin tags or twin reported properties"; azure-iothub's typings add the device's id. */
const READABLE: ReadonlySet<string> = new Set(['deviceId', 'moduleId', 'tags', 'properties.reported']);

/**
 * Reads a target condition: `*`, a condition, or `FROM devices.modules WHERE` and a condition. An empty one targets nobody.
 * @param collection whose content the configuration has
 * @throws ServiceError 400
 */
export function parseTarget(text: string, collection: Collection): Target {
  const condition = text.trim();
  if (condition === '') return { ...NOBODY, collection };
  if (condition === '*') {
    if (collection === 'devices.modules') throw argumentError('Target condition: * cannot target modules; write FROM devices.modules WHERE and a condition.');
    return { collection, reads: new Set(), matches: () => true, query: 'select deviceId from devices' };
  }
  const { collection: named, paths, matches } = parseCondition(text);
  if (named !== collection) {
    throw argumentError(
      collection === 'devices.modules'
        ? 'Target condition: moduleContent is for modules; start with FROM devices.modules WHERE.'
        : 'Target condition: deviceContent is for devices; leave out FROM devices.modules WHERE.',
    );
  }
  return { collection, reads: new Set(paths.flatMap(readPart)), matches, query: formatQuery(condition, collection) };
}

function readPart({ segments, position }: Path): readonly ('tags' | 'reported')[] {
  const [first, second] = segments;
  const part = first === 'properties' ? `${String(first)}.${String(second)}` : String(first);
  if (!READABLE.has(part)) {
    throw argumentError(
      `Target condition: ${part} at character ${position + 1} cannot be a condition: a configuration must not depend on what it sets; use tags, properties.reported or ids.`,
    );
  }
  return part === 'tags' ? ['tags'] : part === 'properties.reported' ? ['reported'] : [];
}

function formatQuery(condition: string, collection: Collection): string {
  if (collection === 'devices.modules') return `select deviceId, moduleId ${condition}`;
  return /^from\s/i.test(condition) ? `select deviceId ${condition}` : `select deviceId from devices where ${condition}`;
}
