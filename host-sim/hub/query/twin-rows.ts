import { formatClientId, type Identity } from '../identity.ts';
import type { RowSource, SourceRow } from './run-query.ts';
import type { Collection, JsonRow } from './syntax.ts';

/** Where the twins of both collections are. */
export interface TwinRowsOptions {
  /** Everybody who has a twin. */
  readonly identities: () => Iterable<Identity>;
  /** The whole twin as the service sees it; `undefined` when it is gone. */
  readonly read: (identity: Identity) => object | undefined;
}

/** Devices and modules as documents of a query, in the order of their ids; each twin is made when its turn comes. */
export function createTwinRows({ identities, read }: TwinRowsOptions): RowSource {
  return (collection, after) => rowsOf(listKeys(identities(), collection, after), read);
}

function listKeys(identities: Iterable<Identity>, collection: Collection, after: string | undefined): readonly (readonly [key: string, identity: Identity])[] {
  const wantsModules = collection === 'devices.modules';
  const keys: [string, Identity][] = [];
  for (const identity of identities) {
    if ((identity.moduleId !== undefined) !== wantsModules) continue;
    const key = formatClientId(identity);
    if (after === undefined || key > after) keys.push([key, identity]);
  }
  return keys.sort(([one], [other]) => (one < other ? -1 : 1));
}

function* rowsOf(keys: readonly (readonly [string, Identity])[], read: TwinRowsOptions['read']): Iterable<SourceRow> {
  for (const [key, identity] of keys) {
    const twin = read(identity);
    // Twins are JSON: their types say so member by member.
    if (twin !== undefined) yield { key, row: twin as JsonRow };
  }
}
