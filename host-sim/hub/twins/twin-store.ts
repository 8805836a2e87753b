import type { Clock } from '../../time/clock.ts';
import { bareIdentity, formatClientId, parseClientId, type Identity } from '../identity.ts';
import { matchesEtag } from '../if-match.ts';
import { ServiceError } from '../service-error.ts';
import type { Durable, DurableRecord } from '../state/durable.ts';
import { checkProperties, checkSize, type TwinPartName } from './check-properties.ts';
import { createJsonObject, isJsonObject, restoreJsonObject, type JsonObject } from './json.ts';
import { mergeProperties, type StampedProperties } from './merge-properties.ts';

/** A twin as it was when it was read: it does not change, a later one shares what stayed the same. */
export interface TwinDocument {
  readonly tags: JsonObject;
  readonly desired: JsonObject;
  readonly reported: JsonObject;
  /** `$version` of the desired properties. */
  readonly desiredVersion: number;
  readonly reportedVersion: number;
  /** `$metadata`, as the service sees it. */
  readonly desiredMetadata: JsonObject;
  readonly reportedMetadata: JsonObject;
  /** Counts every change of the twin. */
  readonly version: number;
  /** Changes with tags and desired properties, as IoT Hub's does; without quotes. */
  readonly etag: string;
}

/** What a service may write. A part that is missing stays as it is, `null` empties it. */
export interface TwinUpdate {
  readonly tags?: unknown;
  readonly properties?: { readonly desired?: unknown };
}

export interface TwinChange {
  readonly identity: Identity;
  readonly part: TwinPartName;
  /** As it was applied: with its nulls, without `$metadata` and `$version`; the whole part when `replaced`. */
  readonly patch: JsonObject;
  readonly replaced: boolean;
  /** Of that part, from 1. */
  readonly version: number;
}

interface Twin {
  readonly identity: Identity;
  readonly document: TwinDocument;
  readonly tagsVersion: number;
  /** Counts what `etag` shows. */
  readonly serviceVersion: number;
}

const FIRST_VERSION = 1;
/** What a new twin has in IoT Hub: one for each of its two versioned parts. */
const FIRST_TWIN_VERSION = 2;
const ETAG_BYTES = 8;

/** Every device's and module's twin. Listeners hear of a change before the call that made it returns. */
export class TwinStore implements Durable {
  readonly prefix = 'twin';
  readonly #clock: Clock;
  readonly #twins = new Map<string, Twin>();
  readonly #listeners = new Set<(change: TwinChange) => void>();
  readonly #recordListeners = new Set<(key: string, value: unknown) => void>();

  /** @param records as they were kept; @throws TypeError for what is no twin */
  constructor(clock: Clock, records: Iterable<DurableRecord> = []) {
    this.#clock = clock;
    for (const [key, value] of records) this.#restore(key, value);
  }

  /** An empty twin, unless there is one. */
  create(identity: Identity): void {
    const clientId = formatClientId(identity);
    if (this.#twins.has(clientId)) return;
    const metadata = createJsonObject({ $lastUpdated: this.#now() });
    this.#keep(clientId, {
      identity: bareIdentity(identity),
      tagsVersion: FIRST_VERSION,
      serviceVersion: FIRST_VERSION,
      document: {
        tags: createJsonObject(),
        desired: createJsonObject(),
        reported: createJsonObject(),
        desiredVersion: FIRST_VERSION,
        reportedVersion: FIRST_VERSION,
        desiredMetadata: metadata,
        reportedMetadata: metadata,
        version: FIRST_TWIN_VERSION,
        etag: formatEtag(FIRST_VERSION),
      },
    });
  }

  delete(identity: Identity): void {
    const clientId = formatClientId(identity);
    if (this.#twins.delete(clientId)) this.#tellRecord(clientId, undefined);
  }

  has(identity: Identity): boolean {
    return this.#twins.has(formatClientId(identity));
  }

  /** Everybody who has a twin. */
  *identities(): Iterable<Identity> {
    for (const { identity } of this.#twins.values()) yield identity;
  }

  /** @throws ServiceError 404001, 404010 */
  read(identity: Identity): TwinDocument {
    return this.#require(identity).document;
  }

  /** Merges tags and desired properties. @param ifMatch an etag, `*` or nothing. @throws ServiceError 400004, 404001, 404010, 412001, 413001 */
  patch(identity: Identity, update: TwinUpdate, ifMatch?: string): TwinDocument {
    return this.#update(identity, update, ifMatch, false);
  }

  /** Puts other tags and desired properties in place of those that are there. @throws as `patch` */
  replace(identity: Identity, update: TwinUpdate, ifMatch?: string): TwinDocument {
    return this.#update(identity, update, ifMatch, true);
  }

  /** Merges reported properties. @returns their new version. @throws ServiceError 400004, 404001, 404010, 413001 */
  report(identity: Identity, patch: unknown): number {
    const twin = this.#require(identity);
    const { document } = twin;
    const checked = checkProperties(patch, 'reported', 'refused');
    const merged = mergeProperties({ value: document.reported, metadata: document.reportedMetadata }, checked, { lastUpdated: this.#now() });
    checkSize(merged.value, 'reported');
    const reportedVersion = document.reportedVersion + 1;
    this.#keep(formatClientId(identity), {
      ...twin,
      document: { ...document, reported: merged.value, reportedMetadata: merged.metadata, reportedVersion, version: document.version + 1 },
    });
    this.#tell({ identity: twin.identity, part: 'reported', patch: checked, replaced: false, version: reportedVersion });
    return reportedVersion;
  }

  *records(): Iterable<DurableRecord> {
    for (const [clientId, twin] of this.#twins) yield [this.#keyOf(clientId), toRecord(twin)];
  }

  onRecord(listener: (key: string, value: unknown) => void): () => void {
    this.#recordListeners.add(listener);
    return () => this.#recordListeners.delete(listener);
  }

  onChange(listener: (change: TwinChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** All or nothing: every part is checked before one is kept. */
  #update(identity: Identity, update: TwinUpdate, ifMatch: string | undefined, replaced: boolean): TwinDocument {
    const twin = this.#require(identity);
    const { document } = twin;
    if (ifMatch !== undefined && !matchesEtag(ifMatch, document.etag)) {
      throw new ServiceError(412, 412_001, 'PreconditionFailed', `Precondition failed: the etag of the twin is ${document.etag}.`);
    }
    const desiredVersion = document.desiredVersion + 1;
    const tags = this.#merge({ value: document.tags, metadata: createJsonObject() }, update.tags, 'tags', replaced);
    const desired = this.#merge({ value: document.desired, metadata: document.desiredMetadata }, update.properties?.desired, 'desired', replaced, desiredVersion);
    if (tags === undefined && desired === undefined) return document;
    const tagsVersion = twin.tagsVersion + (tags === undefined ? 0 : 1);
    const next: TwinDocument = {
      ...document,
      ...(tags === undefined ? {} : { tags: tags.merged.value }),
      ...(desired === undefined ? {} : { desired: desired.merged.value, desiredMetadata: desired.merged.metadata, desiredVersion }),
      version: document.version + 1,
      etag: formatEtag(twin.serviceVersion + 1),
    };
    this.#keep(formatClientId(identity), { identity: twin.identity, document: next, tagsVersion, serviceVersion: twin.serviceVersion + 1 });
    if (tags !== undefined) this.#tell({ identity: twin.identity, part: 'tags', patch: tags.patch, replaced: tags.replaced, version: tagsVersion });
    if (desired !== undefined) this.#tell({ identity: twin.identity, part: 'desired', patch: desired.patch, replaced: desired.replaced, version: desiredVersion });
    return next;
  }

  #merge(
    target: StampedProperties, update: unknown, part: TwinPartName, replaced: boolean, version?: number,
  ): { readonly merged: StampedProperties; readonly patch: JsonObject; readonly replaced: boolean } | undefined {
    if (update === undefined) return undefined;
    const replaces = replaced || update === null;
    const patch = checkProperties(update ?? {}, part, 'ignored');
    const merged = mergeProperties(replaces ? undefined : target, patch, { lastUpdated: this.#now(), ...(version === undefined ? {} : { version }) });
    checkSize(merged.value, part);
    return { merged, patch: replaces ? merged.value : patch, replaced: replaces };
  }

  #require(identity: Identity): Twin {
    const twin = this.#twins.get(formatClientId(identity));
    if (twin !== undefined) return twin;
    if (identity.moduleId === undefined) throw new ServiceError(404, 404_001, 'DeviceNotFound', `Device ${identity.deviceId} not registered.`);
    throw new ServiceError(404, 404_010, 'ModuleNotFound', `Module ${identity.moduleId} on device ${identity.deviceId} not registered.`);
  }

  #now(): string {
    return new Date(this.#clock.now()).toISOString();
  }

  #keep(clientId: string, twin: Twin): void {
    this.#twins.set(clientId, twin);
    this.#tellRecord(clientId, twin);
  }

  #tell(change: TwinChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  #tellRecord(clientId: string, twin: Twin | undefined): void {
    if (this.#recordListeners.size === 0) return;
    const value = twin === undefined ? undefined : toRecord(twin);
    for (const listener of this.#recordListeners) listener(this.#keyOf(clientId), value);
  }

  #keyOf(clientId: string): string {
    return `${this.prefix}/${clientId}`;
  }

  #restore(key: string, value: unknown): void {
    const clientId = key.slice(this.prefix.length + 1);
    const identity = parseClientId(clientId);
    const record = typeof value === 'object' && value !== null ? restoreJsonObject(value) : undefined;
    if (!key.startsWith(`${this.prefix}/`) || identity === undefined || record === undefined) throw new TypeError(`no record of a twin: ${JSON.stringify(key)}`);
    const objectOf = (name: string): JsonObject => {
      const item = record[name];
      if (isJsonObject(item)) return item;
      throw new TypeError(`the twin of ${clientId} has no ${name}`);
    };
    const versionOf = (name: string): number => {
      const item = record[name];
      if (typeof item === 'number' && Number.isSafeInteger(item) && item >= FIRST_VERSION) return item;
      throw new TypeError(`the twin of ${clientId} has no ${name}`);
    };
    const serviceVersion = versionOf('serviceVersion');
    this.#twins.set(clientId, {
      identity,
      serviceVersion,
      tagsVersion: versionOf('tagsVersion'),
      document: {
        tags: objectOf('tags'),
        desired: objectOf('desired'),
        reported: objectOf('reported'),
        desiredVersion: versionOf('desiredVersion'),
        reportedVersion: versionOf('reportedVersion'),
        desiredMetadata: objectOf('desiredMetadata'),
        reportedMetadata: objectOf('reportedMetadata'),
        version: versionOf('version'),
        etag: formatEtag(serviceVersion),
      },
    });
  }
}

/** Not copied: a document does not change. */
function toRecord({ document: { etag: _, ...document }, tagsVersion, serviceVersion }: Twin): object {
  return { ...document, tagsVersion, serviceVersion };
}

/** Eight bytes, most significant first, in base64: the form of IoT Hub's. */
function formatEtag(serviceVersion: number): string {
  const bytes = Buffer.alloc(ETAG_BYTES);
  bytes.writeBigUInt64BE(BigInt(serviceVersion));
  return bytes.toString('base64');
}
