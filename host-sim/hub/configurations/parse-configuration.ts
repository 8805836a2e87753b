import { argumentError } from '../query/query-error.ts';
import { parseQuery } from '../query/query.ts';
import type { Collection } from '../query/syntax.ts';
import { ServiceError } from '../service-error.ts';
import { checkProperties, checkSize } from '../twins/check-properties.ts';
import { createJsonObject, type JsonObject, type JsonValue } from '../twins/json.ts';
import type { ConfigurationBody, ConfigurationContent } from './configuration.ts';
import { applySettings, chooseSettings, type Setting } from './desired-settings.ts';
import { MAX_LABEL_CHARACTERS, MAX_LABELS, MAX_METRIC_NAME_CHARACTERS, MAX_METRICS, MAX_PRIORITY } from './limits.ts';
import { parseTarget } from './target-condition.ts';

const SCHEMA_VERSION = '1.0';

/** "Up to 128 lowercase letters. Avoid spaces and the following invalid characters: & ^ [ ] { } \ | " < > /"; digits and other signs are in use. */
const ID = /^[a-z0-9\-:.+%_#*?!(),=@;'~]{1,128}$/;

/** @throws ServiceError 400 */
export function checkConfigurationId(id: string): void {
  if (!ID.test(id)) throw argumentError("The configuration's id has 1 to 128 lower-case letters, digits and - : . + % _ # * ? ! ( ) , = @ ; ' ~.");
}

/**
 * Takes a configuration that somebody wrote, and tries all of it: what is accepted can be applied.
 * @param id of the request's path
 * @throws ServiceError 400, 413
 */
export function parseConfiguration(body: unknown, id: string): ConfigurationBody {
  checkConfigurationId(id);
  const members = toObject(body, 'The configuration');
  if (members.id !== undefined && members.id !== id) throw argumentError('The id of the configuration is not that of the path.');
  if ((members.schemaVersion ?? SCHEMA_VERSION) !== SCHEMA_VERSION) throw argumentError(`schemaVersion must be ${SCHEMA_VERSION}.`);
  const content = parseContent(members.content ?? {});
  const targetCondition = members.targetCondition ?? '';
  if (typeof targetCondition !== 'string') throw argumentError('targetCondition must be text.');
  parseTarget(targetCondition, collectionOf(content));
  parseSettings(content);
  return {
    schemaVersion: SCHEMA_VERSION,
    labels: parseLabels(members.labels ?? {}),
    content,
    targetCondition,
    priority: parsePriority(members.priority ?? 0),
    metricQueries: parseMetrics(toObject(members.metrics ?? {}, 'metrics').queries ?? {}),
  };
}

export function collectionOf({ moduleContent }: ConfigurationContent): Collection {
  return moduleContent === undefined ? 'devices' : 'devices.modules';
}

function toObject(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw argumentError(`${what} must be a JSON object.`);
  return value as Readonly<Record<string, unknown>>;
}

/** @throws ServiceError 400 */
export function parseContent(value: unknown): ConfigurationContent {
  const { modulesContent, deviceContent, moduleContent } = toObject(value, 'content');
  if (modulesContent !== undefined && modulesContent !== null && Object.keys(toObject(modulesContent, 'modulesContent')).length > 0) {
    throw argumentError('content.modulesContent deploys modules to IoT Edge devices, which this hub does not have; use deviceContent or moduleContent.');
  }
  const device = deviceContent ?? undefined;
  const module = moduleContent ?? undefined;
  if (device !== undefined && module !== undefined) throw argumentError('content has deviceContent or moduleContent, not both.');
  if (device !== undefined) return { deviceContent: toJson(device, 'deviceContent') };
  return module === undefined ? {} : { moduleContent: toJson(module, 'moduleContent') };
}

function toJson(value: unknown, what: string): JsonObject {
  return toObject(value, what) as JsonObject;
}

const DESIRED = 'properties.desired.';

/** The entries of a content. @throws ServiceError 400, 413 for a path or a value that no twin can hold */
export function parseSettings({ deviceContent, moduleContent }: ConfigurationContent): readonly Setting[] {
  const settings = Object.entries(deviceContent ?? moduleContent ?? {}).map(([key, value]) => parseSetting(key, value));
  checkSize(applySettings(createJsonObject(), [], chooseSettings([{ id: '', settings }])), 'desired');
  return settings;
}

function parseSetting(key: string, value: JsonValue): Setting {
  const path = key.startsWith(DESIRED) ? key.slice(DESIRED.length).split('.') : [];
  if (path.length === 0 || path.includes('')) throw argumentError(`${JSON.stringify(key.slice(0, 64))} is no path of desired properties; write it as properties.desired.name.`);
  // As it will be written: names, depth and values have the rules of twins.
  const whole = path.reduceRight<JsonValue>((inner, name) => Object.assign(createJsonObject(), { [name]: inner }) as JsonObject, value);
  let checked: JsonValue = checkProperties(whole, 'desired', 'refused');
  for (const name of path) checked = (checked as JsonObject)[name] as JsonValue;
  return { path, value: checked };
}

function parseLabels(value: unknown): Readonly<Record<string, string>> {
  const labels = Object.entries(toObject(value, 'labels'));
  if (labels.length > MAX_LABELS) throw argumentError(`A configuration has ${MAX_LABELS} labels at most.`);
  for (const [name, text] of labels) {
    const isLabel = typeof text === 'string' && name.length <= MAX_LABEL_CHARACTERS && text.length <= MAX_LABEL_CHARACTERS;
    if (!isLabel) throw argumentError(`labels are texts of ${MAX_LABEL_CHARACTERS} characters at most.`);
  }
  return Object.fromEntries(labels) as Record<string, string>;
}

function parsePriority(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_PRIORITY) return value;
  throw argumentError(`priority must be a whole number from 0 to ${MAX_PRIORITY}.`);
}

function parseMetrics(value: unknown): Readonly<Record<string, string>> {
  const metrics = Object.entries(toObject(value, 'metrics.queries'));
  if (metrics.length > MAX_METRICS) throw argumentError(`A configuration has ${MAX_METRICS} custom metrics at most.`);
  for (const [name, query] of metrics) {
    if (name.length > MAX_METRIC_NAME_CHARACTERS) throw argumentError(`The name of a metric has ${MAX_METRIC_NAME_CHARACTERS} characters at most.`);
    const problem = explainQuery(query);
    if (problem !== undefined) throw argumentError(`Metric ${JSON.stringify(name)}: ${problem}`);
  }
  return Object.fromEntries(metrics) as Record<string, string>;
}

/** Why a query cannot be run, `undefined` when it can. */
export function explainQuery(query: unknown): string | undefined {
  if (typeof query !== 'string') return 'the query must be text.';
  return explain(() => parseQuery(query));
}

/** Why `attempt` is refused, `undefined` when it is not. */
export function explain(attempt: () => unknown): string | undefined {
  try {
    attempt();
    return undefined;
  } catch (error) {
    if (error instanceof ServiceError) return error.message;
    throw error;
  }
}
