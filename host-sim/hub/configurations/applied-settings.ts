import type { Identity } from '../identity.ts';
import type { JsonRow } from '../query/syntax.ts';
import type { JsonObject } from '../twins/json.ts';
import { applySettings, chooseSettings, diffProperties, formatSettingPath } from './desired-settings.ts';
import type { Configuration, ConfigurationStatus } from './configuration.ts';

/** What configurations are to one twin. */
export interface Applied {
  readonly configurations: Readonly<Record<string, ConfigurationStatus>>;
  /** Paths below `properties.desired` that a configuration has set: they go when none wants them any more. */
  readonly paths: readonly string[];
}

export const NOTHING_APPLIED: Applied = { configurations: {}, paths: [] };

/** The parts of a twin that a rollout looks at. */
export interface TwinView {
  readonly tags: JsonObject;
  readonly desired: JsonObject;
  readonly reported: JsonObject;
}

export interface Rollout {
  readonly applied: Applied;
  /** For the desired properties; `undefined` when they are as they should be. */
  readonly patch: JsonObject | undefined;
}

/** Works out what a twin is to carry. @param configurations strongest first */
export function planRollout(identity: Identity, twin: TwinView, before: Applied, configurations: Iterable<Configuration>): Rollout {
  const row = toRow(identity, twin);
  const collection = identity.moduleId === undefined ? 'devices' : 'devices.modules';
  const claims = [...configurations].filter(({ target }) => target.collection === collection && target.matches(row));
  if (claims.length === 0 && before.paths.length === 0) return { applied: NOTHING_APPLIED, patch: undefined };
  const chosen = chooseSettings(claims);
  const paths = new Set(chosen.map(({ path }) => formatSettingPath(path)));
  const removed = before.paths.filter((path) => !paths.has(path)).map((path) => path.split('.'));
  const winners = new Set(chosen.map(({ id }) => id));
  const statusOf = ({ id, settings }: Configuration): ConfigurationStatus => (settings.length === 0 || winners.has(id) ? 'Applied' : 'Targeted');
  return {
    applied: { configurations: Object.fromEntries(claims.map((claim) => [claim.id, statusOf(claim)])), paths: [...paths] },
    patch: diffProperties(twin.desired, applySettings(twin.desired, removed, chosen)),
  };
}

/** A twin that could not take its settings is targeted only. */
export function withoutEffect({ configurations }: Applied, before: Applied): Applied {
  return { configurations: Object.fromEntries(Object.keys(configurations).map((id) => [id, 'Targeted'])), paths: before.paths };
}

export function isSameApplied(one: Applied, other: Applied): boolean {
  return one === other || JSON.stringify([one.configurations, one.paths]) === JSON.stringify([other.configurations, other.paths]);
}

/** What target conditions may read. */
function toRow({ deviceId, moduleId }: Identity, { tags, reported }: TwinView): JsonRow {
  return { deviceId, ...(moduleId === undefined ? {} : { moduleId }), tags, properties: { reported } };
}
