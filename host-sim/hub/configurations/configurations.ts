import { isDeepStrictEqual } from 'node:util';

import type { Clock } from '../../time/clock.ts';
import { formatClientId, parseClientId, type Identity } from '../identity.ts';
import type { RowSource } from '../query/run-query.ts';
import { ServiceError } from '../service-error.ts';
import type { Durable, DurableRecord } from '../state/durable.ts';
import type { TwinChange, TwinDocument } from '../twins/twin-store.ts';
import { isSameApplied, NOTHING_APPLIED, planRollout, withoutEffect, type Applied } from './applied-settings.ts';
import type { ConfigurationEvent } from './configuration-events.ts';
import { formatConfiguration, formatConfigurationEtag, type Configuration, type ConfigurationJson, type ConfigurationStatus, type StoredConfiguration } from './configuration.ts';
import { Census } from './census.ts';
import { EvaluationQueue } from './evaluation-queue.ts';
import { MAX_CONFIGURATIONS } from './limits.ts';
import { MetricCounter, type Counts } from './metric-counter.ts';
import { collectionOf, parseConfiguration, parseSettings } from './parse-configuration.ts';
import { parseTarget } from './target-condition.ts';

/** Whose desired properties are set. `TwinStore` is one. */
export interface TwinsToConfigure {
  identities(): Iterable<Identity>;
  has(identity: Identity): boolean;
  read(identity: Identity): TwinDocument;
  patch(identity: Identity, update: { readonly properties: { readonly desired: unknown } }): unknown;
  onChange(listener: (change: TwinChange) => void): () => void;
}

export interface ConfigurationsOptions {
  readonly clock: Clock;
  readonly twins: TwinsToConfigure;
  /** As they were kept. */
  readonly records?: Iterable<DurableRecord>;
  readonly emit?: (event: ConfigurationEvent) => void;
  /** What the queries of metrics are run over. */
  readonly rows: RowSource;
}

/**
 * Automatic device and module configurations: what they want of the twins that they target is set soon after anything changes that they
 * depend on. "Run for the first time shortly after the configuration is created and then at five minute intervals" is IoT Hub's pace; here the first is the rule.
 * @see https://learn.microsoft.com/azure/iot-hub/iot-hub-automatic-device-management
 */
export class Configurations implements Durable {
  readonly prefix = 'configuration';
  readonly #options: ConfigurationsOptions;
  readonly #configurations = new Map<string, Configuration>();
  readonly #applied = new Map<string, Applied>();
  readonly #recordListeners = new Set<(key: string, value: unknown) => void>();
  /** How many twins each of them targets. */
  readonly #census = new Census();
  readonly #metrics: MetricCounter;
  readonly #queue: EvaluationQueue;
  readonly #stopListening: () => void;
  /** Strongest first. */
  #ranking: readonly Configuration[] = [];

  /** @throws TypeError for what is no record of a configuration */
  constructor(options: ConfigurationsOptions) {
    this.#options = options;
    this.#metrics = new MetricCounter(options.clock, options.rows);
    this.#queue = new EvaluationQueue(options.clock, (identity) => this.#evaluate(identity));
    for (const [key, value] of options.records ?? []) this.#restore(key, value);
    this.#rank();
    this.#stopListening = options.twins.onChange((change) => this.#heedChange(change));
    // What changed when the hub ended in the middle of it.
    if (this.#configurations.size + this.#applied.size > 0) this.#evaluateAll();
  }

  /** The ids of at most `top` of them, in their order. */
  ids(top: number = MAX_CONFIGURATIONS): readonly string[] {
    return [...this.#configurations.keys()].sort().slice(0, top);
  }

  /** Its metrics are counted at once: for a hub of few twins. @throws ServiceError 404 */
  read(id: string): ConfigurationJson {
    const configuration = this.#require(id);
    return this.#format(configuration, this.#metrics.countNow(Object.values(configuration.metricQueries)));
  }

  /** These, their metrics counted without keeping everybody else waiting. @throws ServiceError 404, as a rejection */
  async describe(ids: readonly string[]): Promise<readonly ConfigurationJson[]> {
    // As they are now: one may be gone when all is counted.
    const configurations = ids.map((id) => this.#require(id));
    const counts = await this.#metrics.count(configurations.flatMap(({ metricQueries }) => Object.values(metricQueries)));
    return configurations.map((configuration) => this.#format(configuration, counts));
  }

  /** What configurations are to a twin, as the service's twin has it; `undefined` when none concerns it. */
  statusOf(identity: Identity): Readonly<Record<string, { readonly status: ConfigurationStatus }>> | undefined {
    const applied = this.#applied.get(formatClientId(identity));
    if (applied === undefined) return undefined;
    return Object.fromEntries(Object.entries(applied.configurations).map(([id, status]) => [id, { status }]));
  }

  /** @param body anybody's JSON. @throws ServiceError 400, 403, 409, 413 */
  create(id: string, body: unknown): void {
    const parsed = parseConfiguration(body, id);
    if (this.#configurations.has(id)) {
      throw new ServiceError(409, 409_000, 'ConfigurationAlreadyExists', `There is a configuration ${id}; to change it, send its etag in If-Match.`);
    }
    if (this.#configurations.size >= MAX_CONFIGURATIONS) {
      throw new ServiceError(403, 403_000, 'ConfigurationCountLimitExceeded', `A hub has ${MAX_CONFIGURATIONS} configurations at most; delete one first.`);
    }
    const nowMs = this.#options.clock.now();
    const order = 1 + Math.max(0, ...this.#ranking.map((other) => other.order));
    this.#keep({ ...parsed, id, createdMs: nowMs, updatedMs: nowMs, order, version: 1 }, 'created');
  }

  /** Changes all but the content, which cannot be changed. @throws ServiceError 400, 404, 412 */
  update(id: string, body: unknown, ifMatch: string): void {
    const old = this.#require(id);
    checkEtag(old, ifMatch);
    const parsed = parseConfiguration(body, id);
    const hasContent = Object.keys(parsed.content).length > 0;
    if (hasContent && !isDeepStrictEqual(parsed.content, old.content)) {
      throw new ServiceError(400, 400_003, 'InvalidOperation', 'The content of a configuration cannot be changed; create another one with a higher priority.');
    }
    const { id: _, createdMs, order, version, content } = old;
    this.#keep({ ...parsed, content, id, createdMs, order, updatedMs: this.#options.clock.now(), version: version + 1 }, 'updated');
  }

  /** Its settings leave the twins, and weaker configurations have their turn. @throws ServiceError 404, 412 */
  delete(id: string, ifMatch?: string): void {
    const old = this.#require(id);
    if (ifMatch !== undefined) checkEtag(old, ifMatch);
    this.#configurations.delete(id);
    this.#rank();
    this.#tellRecord(definitionKey(id), undefined);
    this.#options.emit?.({ event: 'configurationChanged', change: 'deleted', configuration: id });
    this.#evaluateAll();
  }

  /** A twin that has been made. */
  addTwin(identity: Identity): void {
    if (this.#configurations.size > 0) this.#queue.add(identity);
  }

  /** A twin that is gone. */
  removeTwin(identity: Identity): void {
    this.#queue.forget(identity);
    const key = formatClientId(identity);
    const before = this.#applied.get(key);
    if (before === undefined) return;
    this.#applied.delete(key);
    this.#census.change(before, NOTHING_APPLIED);
    this.#tellRecord(appliedKey(key), undefined);
  }

  close(): void {
    this.#stopListening();
    this.#queue.close();
    this.#metrics.close();
  }

  *records(): Iterable<DurableRecord> {
    for (const configuration of this.#configurations.values()) yield [definitionKey(configuration.id), toStored(configuration)];
    for (const [clientId, applied] of this.#applied) yield [appliedKey(clientId), applied];
  }

  onRecord(listener: (key: string, value: unknown) => void): () => void {
    this.#recordListeners.add(listener);
    return () => this.#recordListeners.delete(listener);
  }

  #format(configuration: Configuration, counts: Counts): ConfigurationJson {
    const metrics = Object.entries(configuration.metricQueries).map(([name, query]) => [name, counts.get(query) ?? 0] as const);
    return formatConfiguration(configuration, { ...this.#census.of(configuration.id), metrics: Object.fromEntries(metrics) });
  }

  #heedChange({ identity, part }: TwinChange): void {
    if (part === 'desired') return;
    if (this.#ranking.some(({ target }) => target.reads.has(part))) this.#queue.add(identity);
  }

  #evaluateAll(): void {
    for (const identity of this.#options.twins.identities()) this.#queue.add(identity);
    // A twin may be gone while its record is still there: stores that were kept may be of different age.
    for (const clientId of this.#applied.keys()) this.#queue.add(parseClientId(clientId)!);
  }

  /** @returns whether the twin was changed */
  #evaluate(identity: Identity): boolean {
    const { twins, emit } = this.#options;
    if (!twins.has(identity)) {
      this.removeTwin(identity);
      return false;
    }
    const key = formatClientId(identity);
    const before = this.#applied.get(key) ?? NOTHING_APPLIED;
    const { applied, patch } = planRollout(identity, twins.read(identity), before, this.#ranking);
    if (patch === undefined) {
      this.#keepApplied(key, before, applied);
      return false;
    }
    const configurations = Object.keys(applied.configurations);
    try {
      twins.patch(identity, { properties: { desired: patch } });
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      this.#keepApplied(key, before, withoutEffect(applied, before));
      emit?.({ event: 'configurationsRefused', ...identity, configurations, code: error.code, detail: error.message });
      return false;
    }
    this.#keepApplied(key, before, applied);
    emit?.({ event: 'configurationsApplied', ...identity, configurations });
    return true;
  }

  #keepApplied(key: string, before: Applied, applied: Applied): void {
    if (isSameApplied(before, applied)) return;
    const isNothing = isSameApplied(applied, NOTHING_APPLIED);
    this.#census.change(before, isNothing ? NOTHING_APPLIED : applied);
    if (isNothing) this.#applied.delete(key);
    else this.#applied.set(key, applied);
    this.#tellRecord(appliedKey(key), isNothing ? undefined : applied);
  }

  #keep(stored: StoredConfiguration, change: 'created' | 'updated'): void {
    this.#configurations.set(stored.id, understand(stored));
    this.#rank();
    this.#tellRecord(definitionKey(stored.id), stored);
    this.#options.emit?.({ event: 'configurationChanged', change, configuration: stored.id });
    this.#evaluateAll();
  }

  /** "The highest numerical value is considered the highest priority. If two have the same, the one that was created most recently wins." */
  #rank(): void {
    this.#ranking = [...this.#configurations.values()].sort((one, other) => other.priority - one.priority || other.order - one.order);
  }

  #require(id: string): Configuration {
    const found = this.#configurations.get(id);
    if (found !== undefined) return found;
    throw new ServiceError(404, 404_000, 'ConfigurationNotFound', `There is no configuration ${JSON.stringify(id.slice(0, 128))}.`);
  }

  #tellRecord(key: string, value: unknown): void {
    for (const listener of this.#recordListeners) listener(key, value);
  }

  #restore(key: string, value: unknown): void {
    const [, kind, ...rest] = key.split('/');
    const id = rest.join('/');
    if (kind === 'definition') this.#configurations.set(id, understand(value as StoredConfiguration));
    else if (kind === 'applied' && parseClientId(id) !== undefined) {
      this.#applied.set(id, value as Applied);
      this.#census.change(NOTHING_APPLIED, value as Applied);
    }
    else throw new TypeError(`no record of a configuration: ${JSON.stringify(key)}`);
  }
}

const definitionKey = (id: string): string => `configuration/definition/${id}`;
const appliedKey = (clientId: string): string => `configuration/applied/${clientId}`;

function understand(stored: StoredConfiguration): Configuration {
  return { ...stored, target: parseTarget(stored.targetCondition, collectionOf(stored.content)), settings: parseSettings(stored.content) };
}

function toStored({ target: _target, settings: _settings, ...stored }: Configuration): StoredConfiguration {
  return stored;
}

/** RFC 9110, 13.1.1, for one etag; the SDKs send it with and without quotes. */
function checkEtag({ version }: Configuration, ifMatch: string): void {
  const etag = formatConfigurationEtag(version);
  const given = ifMatch.trim();
  if (given === '*' || given === etag || given === `"${etag}"` || given === '"*"') return;
  throw new ServiceError(412, 412_001, 'PreconditionFailed', `Precondition failed: the etag of the configuration is ${etag}.`);
}
