import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Registry, Configuration } from 'azure-iothub';
import { CliError, EXIT } from '../terminal/cli-error.ts';

/** How a bundle goes to a fleet. */
export interface RolloutPlan {
  readonly version: number;
  /** Desired properties that offer the bundle: a URL, or its parts. */
  readonly offer: Readonly<Record<string, object>>;
  /** Which devices; a target condition of IoT Hub, such as `tags.site = 'north'`. */
  readonly target: string;
  /** Percent of the fleet that has been offered it after each wave, growing, 100 last. */
  readonly waves: readonly number[];
  /** Percent of the devices that answered: above it the roll-out stops. */
  readonly stopAtPercent: number;
  /** A wave ends when everybody who is connected has answered, half of it at least; or after this long. */
  readonly waveMs: number;
  readonly pollMs: number;
}

/** What devices have reported of their roots. */
export interface WaveCounts {
  /** Offered in this wave. */
  readonly offered: number;
  /** The new set has reached the hub. */
  readonly done: number;
  /** Rolled back, or refused. */
  readonly failed: number;
  /** Not answered yet, and not connected. */
  readonly offline: number;
  readonly waiting: number;
}

export type RolloutEvent =
  | { readonly event: 'planned'; readonly version: number; readonly devices: number; readonly configuration: string; readonly waves: readonly number[] }
  | ({ readonly event: 'progress' | 'wave'; readonly wave: number; readonly percent: number } & WaveCounts)
  /** Too many failed; or, with no failure, nobody of the wave has answered in its time. */
  | ({ readonly event: 'stopped'; readonly wave: number; readonly failedPercent: number; readonly failures: readonly { readonly deviceId: string; readonly error: string }[] } & WaveCounts)
  | ({ readonly event: 'finished' } & WaveCounts);

/** A row of the query; nothing of it is believed. */
interface Row {
  readonly deviceId?: unknown;
  readonly connectionState?: unknown;
  readonly roots?: unknown;
  /** The version that the device's tag offers it. */
  readonly offer?: unknown;
}

/** What devices had reported against an earlier offer, by their id: no answer to this one while it stands unchanged. */
type EarlierErrors = Map<string, string>;

interface DeviceState {
  readonly deviceId: string;
  readonly state: 'done' | 'failed' | 'offline' | 'waiting';
  readonly error: string;
  readonly isOffered: boolean;
}

const PAGE_SIZE = 1000;
const MAX_FAILURES_TOLD = 10;
const PRIORITY = 100;
/** Tag writes at a time; S1 takes ten twin updates a second. */
const TAGS_AT_ONCE = 5;

export interface RolloutTools {
  readonly registry: Registry;
  /** Resolves after so long, or at once when the user has had enough. */
  pause(ms: number): Promise<void>;
  readonly isInterrupted: () => boolean;
  readonly nowMs: () => number;
  readonly onEvent: (event: RolloutEvent) => void;
}

export function configurationIdOf(version: number): string {
  return `latchkey-roots-${version}`;
}

/**
 * Sends a bundle to a fleet in waves by one automatic device configuration: it targets the devices that carry the tag `latchkey.roots`
 * of this version, and each wave puts the tag on more of them, in an order that nobody chose (SHA-256 of the id). Running it again goes on.
 * After the last wave it targets the whole fleet, devices to come too. When too many fail it is taken away, so that nobody else is offered it.
 * @returns whether every wave went well
 */
export async function rollOut(plan: RolloutPlan, tools: RolloutTools): Promise<boolean> {
  const known = await listDevices(plan, tools, new Map());
  const fleet = known.map(({ deviceId }) => deviceId).sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
  if (fleet.length === 0) throw new CliError('ERR_ROOTS', EXIT.configuration, `no device fits ${plan.target === '' ? 'this hub' : plan.target}`, 'check --target: "latchkey device list" shows what there is');
  const id = configurationIdOf(plan.version);
  tools.onEvent({ event: 'planned', version: plan.version, devices: fleet.length, configuration: id, waves: plan.waves });
  const goesOn = await setConfiguration(tools.registry, id, plan, `tags.latchkey.roots = ${plan.version}`);
  const earlier: EarlierErrors = new Map(known.filter(({ error, isOffered }) => isRefusal(error) && !(goesOn && isOffered)).map(({ deviceId, error }) => [deviceId, error]));
  let counts: WaveCounts = { offered: 0, done: 0, failed: 0, offline: 0, waiting: 0 };
  for (const [index, percent] of plan.waves.entries()) {
    const offered = fleet.slice(0, Math.ceil((fleet.length * percent) / 100));
    await tag(offered, plan, tools);
    const outcome = await watchWave(offered, earlier, index + 1, percent, plan, tools);
    counts = outcome.counts;
    if (tools.isInterrupted()) return false;
    const answered = counts.done + counts.failed;
    const failedPercent = answered === 0 ? 0 : (100 * counts.failed) / answered;
    if (failedPercent > plan.stopAtPercent || answered === 0) {
      // Nobody else is offered what fails; who does not answer may still be asleep.
      if (counts.failed > 0) await tools.registry.removeConfiguration(id);
      tools.onEvent({ event: 'stopped', wave: index + 1, failedPercent, failures: outcome.failures.slice(0, MAX_FAILURES_TOLD), ...counts });
      return false;
    }
    tools.onEvent({ event: 'wave', wave: index + 1, percent, ...counts });
  }
  await setConfiguration(tools.registry, id, plan, plan.target === '' ? '*' : plan.target);
  tools.onEvent({ event: 'finished', ...counts });
  return true;
}

async function watchWave(
  offered: readonly string[], earlier: EarlierErrors, wave: number, percent: number, plan: RolloutPlan, tools: RolloutTools,
): Promise<{ readonly counts: WaveCounts; readonly failures: readonly DeviceState[] }> {
  const endsAtMs = tools.nowMs() + plan.waveMs;
  const isOffered = new Set(offered);
  let told = '';
  for (;;) {
    const states = (await listDevices(plan, tools, earlier)).filter(({ deviceId }) => isOffered.has(deviceId));
    const failures = states.filter(({ state }) => state === 'failed');
    const counts = countStates(states);
    const text = JSON.stringify(counts);
    if (text !== told) tools.onEvent({ event: 'progress', wave, percent, ...counts });
    told = text;
    const isAnswered = counts.waiting === 0 && 2 * (counts.done + counts.failed) >= offered.length;
    if (isAnswered || tools.nowMs() >= endsAtMs || tools.isInterrupted()) return { counts, failures };
    await tools.pause(plan.pollMs);
  }
}

function countStates(states: readonly DeviceState[]): WaveCounts {
  const count = (wanted: DeviceState['state']): number => states.filter(({ state }) => state === wanted).length;
  return { offered: states.length, done: count('done'), failed: count('failed'), offline: count('offline'), waiting: count('waiting') };
}

async function listDevices({ target, version }: RolloutPlan, { registry }: RolloutTools, earlier: EarlierErrors): Promise<DeviceState[]> {
  const condition = target === '' ? '' : ` WHERE ${target}`;
  const query = registry.createQuery(`SELECT deviceId, connectionState, properties.reported.roots AS roots, tags.latchkey.roots AS offer FROM devices${condition}`, PAGE_SIZE);
  const devices: DeviceState[] = [];
  while (query.hasMoreResults) {
    const { result } = (await query.next()) as { readonly result: readonly Row[] };
    for (const row of result) if (typeof row.deviceId === 'string') devices.push({ deviceId: row.deviceId, isOffered: row.offer === version, ...stateOf(row, row.deviceId, version, earlier) });
  }
  return devices;
}

function stateOf({ connectionState, roots }: Row, deviceId: string, wanted: number, earlier: EarlierErrors): Omit<DeviceState, 'deviceId' | 'isOffered'> {
  const { version, state, error } = (typeof roots === 'object' && roots !== null ? roots : {}) as Readonly<Record<string, unknown>>;
  const held = typeof version === 'number' ? version : 0;
  if (held > wanted || (held === wanted && state === 'committed')) return { state: 'done', error: '' };
  if (held === wanted && state === 'rolledBack') return { state: 'failed', error: 'rolledBack' };
  // On trial, or on its way: what is wrong with an earlier offer is no answer to this one.
  if (earlier.get(deviceId) !== error) earlier.delete(deviceId);
  if (held === wanted - 1 && isRefusal(error) && !earlier.has(deviceId)) return { state: 'failed', error };
  return { state: connectionState === 'Connected' ? 'waiting' : 'offline', error: '' };
}

function isRefusal(error: unknown): error is string {
  return typeof error === 'string' && error.startsWith('ERR_BUNDLE');
}

async function tag(devices: readonly string[], { version }: RolloutPlan, { registry, isInterrupted }: RolloutTools): Promise<void> {
  for (let at = 0; at < devices.length && !isInterrupted(); at += TAGS_AT_ONCE) {
    await Promise.all(devices.slice(at, at + TAGS_AT_ONCE).map((deviceId) => registry.updateTwin(deviceId, { tags: { latchkey: { roots: version } } }, '*')));
  }
}

/** @returns whether it was there already, with the same offer */
async function setConfiguration(registry: Registry, id: string, plan: RolloutPlan, targetCondition: string): Promise<boolean> {
  const content = { deviceContent: Object.fromEntries(Object.entries(plan.offer).map(([name, value]) => [`properties.desired.${name}`, value])) };
  const metrics = { queries: { committed: `SELECT deviceId FROM devices WHERE configurations.[[${id}]].status = 'Applied' AND properties.reported.roots.version >= ${plan.version}` } };
  const wanted: Configuration = { id, schemaVersion: '1.0', labels: { latchkey: 'roots' }, content, metrics, priority: PRIORITY + plan.version, targetCondition };
  const known = await findConfiguration(registry, id);
  // IoT Hub changes the target of a configuration, never its content.
  const isSame = known !== undefined && isDeepStrictEqual(known.content?.deviceContent, content.deviceContent);
  if (known !== undefined && !isSame) await registry.removeConfiguration(id);
  if (!isSame) await registry.addConfiguration(wanted);
  else await registry.updateConfiguration({ ...wanted, ...(known.etag === undefined ? {} : { etag: known.etag }) }, true);
  return isSame;
}

/** Of all, a hundred at most: the SDK names the error of one that is not there in too many ways. */
async function findConfiguration(registry: Registry, id: string): Promise<Configuration | undefined> {
  const { responseBody } = await registry.getConfigurations();
  return (responseBody as readonly Configuration[]).find((configuration) => configuration.id === id);
}

function orderOf(deviceId: string): string {
  return createHash('sha256').update(deviceId).digest('hex');
}
