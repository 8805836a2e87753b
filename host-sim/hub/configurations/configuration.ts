import type { JsonObject } from '../twins/json.ts';
import type { Setting } from './desired-settings.ts';
import type { Target } from './target-condition.ts';

/** What somebody asked for: a configuration without what the hub adds. */
export interface ConfigurationBody {
  readonly schemaVersion: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly content: ConfigurationContent;
  readonly targetCondition: string;
  readonly priority: number;
  /** By name. */
  readonly metricQueries: Readonly<Record<string, string>>;
}

/** Paths below `properties.desired`, each with what is to be there. */
export interface ConfigurationContent {
  readonly deviceContent?: JsonObject;
  readonly moduleContent?: JsonObject;
}

/** What is kept of a configuration. */
export interface StoredConfiguration extends ConfigurationBody {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  readonly updatedMs: number;
  /** Counts creations of all configurations: of two with one priority the later one wins, also within a millisecond. */
  readonly order: number;
  /** Counts its own changes, from 1. */
  readonly version: number;
}

/** A configuration that is understood. */
export interface Configuration extends StoredConfiguration {
  readonly target: Target;
  readonly settings: readonly Setting[];
}

/** Whether a twin carries what a configuration says, or stronger ones have taken all of its paths. */
export type ConfigurationStatus = 'Applied' | 'Targeted';

export interface MetricsJson {
  readonly results: Readonly<Record<string, number>>;
  readonly queries: Readonly<Record<string, string>>;
}

/** A configuration as the service API shows it. */
export interface ConfigurationJson {
  readonly id: string;
  readonly schemaVersion: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly content: ConfigurationContent;
  readonly targetCondition: string;
  readonly createdTimeUtc: string;
  readonly lastUpdatedTimeUtc: string;
  readonly priority: number;
  readonly systemMetrics: MetricsJson;
  readonly metrics: MetricsJson;
  readonly etag: string;
}

/** In base64, as IoT Hub's; without quotes. */
export function formatConfigurationEtag(version: number): string {
  return Buffer.from(String(version)).toString('base64');
}

/** @param count twins by what the configuration is to them */
export function formatConfiguration(
  { id, schemaVersion, labels, content, targetCondition, priority, metricQueries, createdMs, updatedMs, version, target }: Configuration,
  counts: { readonly targeted: number; readonly applied: number; readonly metrics: Readonly<Record<string, number>> },
): ConfigurationJson {
  const ids = target.collection === 'devices' ? 'deviceId' : 'deviceId, moduleId';
  return {
    id,
    schemaVersion,
    labels,
    content,
    targetCondition,
    createdTimeUtc: new Date(createdMs).toISOString(),
    lastUpdatedTimeUtc: new Date(updatedMs).toISOString(),
    priority,
    systemMetrics: {
      results: { targetedCount: counts.targeted, appliedCount: counts.applied },
      queries: { targetedCount: target.query, appliedCount: `select ${ids} from ${target.collection} where configurations.[[${id}]].status = 'Applied'` },
    },
    metrics: { results: counts.metrics, queries: metricQueries },
    etag: formatConfigurationEtag(version),
  };
}
