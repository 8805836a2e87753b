import type { Collection, Path } from './syntax.ts';
import type { TokenReader } from './token-reader.ts';

const RESERVED: ReadonlySet<string> = new Set(['SELECT', 'TOP', 'AS', 'FROM', 'WHERE', 'GROUP', 'BY', 'AND', 'OR', 'NOT', 'IN', 'NIN', 'TRUE', 'FALSE', 'NULL', 'UNDEFINED']);

/** The members of a twin in their own spelling: a query may write them in any case (the documentation has `DeviceId`, `LastActivityTime`). */
const TWIN_MEMBERS: ReadonlyMap<string, string> = new Map(
  [
    'deviceId', 'moduleId', 'etag', 'deviceEtag', 'status', 'statusReason', 'statusUpdateTime', 'connectionState', 'lastActivityTime',
    'cloudToDeviceMessageCount', 'authenticationType', 'x509Thumbprint', 'modelId', 'version', 'tags', 'properties', 'configurations',
    'capabilities', 'deviceScope', 'parentScopes', 'managedBy', 'connectionStateUpdatedTime', 'statusUpdatedTime',
  ].map((name) => [name.toLowerCase(), name]),
);

/** A path that named its collection: `devices.deviceId`. */
export interface PrefixedPath extends Path {
  readonly prefix?: Collection;
}

/** Reads `tags.location.region`, `tags['a name']`, `tags.[[a name]]`, `tags.list[0]`, each also behind `devices.` or `devices.modules.` */
export function parsePath(reader: TokenReader): PrefixedPath {
  const { position } = reader.next;
  if (reader.next.kind !== 'name' || RESERVED.has(reader.next.text.toUpperCase())) {
    throw reader.error(`${reader.describeNext()} instead of a property`, 'write one as tags.location or properties.reported.state');
  }
  const segments: (string | number)[] = [reader.take().text];
  for (;;) {
    if (reader.skipSymbol('.')) segments.push(readName(reader));
    else if (reader.skipSymbol('[')) segments.push(readIndex(reader));
    else break;
  }
  const prefix = findPrefix(segments);
  const own = segments.slice(prefix === undefined ? 0 : prefix.split('.').length);
  const [first, ...rest] = own;
  const member = typeof first === 'string' ? (TWIN_MEMBERS.get(first.toLowerCase()) ?? first) : (first as number);
  return { kind: 'path', segments: [member, ...rest], position, ...(prefix === undefined ? {} : { prefix }) };
}

function findPrefix(segments: readonly (string | number)[]): Collection | undefined {
  const [first, second] = segments.map((segment) => String(segment).toLowerCase());
  if (first !== 'devices' || segments.length < 2) return undefined;
  return second === 'modules' && segments.length > 2 ? 'devices.modules' : 'devices';
}

function readName(reader: TokenReader): string {
  const { kind } = reader.next;
  if (kind !== 'name' && kind !== 'quoted-name') {
    throw reader.error(`${reader.describeNext()} instead of a name`, 'names with other characters stand in brackets, as tags.[[a name]]');
  }
  return reader.take().text;
}

function readIndex(reader: TokenReader): string | number {
  const token = reader.take();
  const index = token.kind === 'string' ? token.text : token.kind === 'number' ? token.value : undefined;
  if (index === undefined || (typeof index === 'number' && !Number.isInteger(index))) {
    throw reader.error('brackets without a name or an index', "write them as tags['a name'] or tags.list[0]", token.position);
  }
  reader.expectSymbol(']', 'close the bracket');
  return index;
}
