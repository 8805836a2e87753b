import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkMachineClock } from '../hub/machine-clock.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { encodeKey, generateKeyPair, type KeyPair } from '../hub/access/symmetric-key.ts';
import { Cable } from '../time/cable.ts';
import { seededRandom } from '../time/seeded-random.ts';
import { DeviceRecord } from './board-events.ts';
import { writeDeviceFolder } from './device-folder.ts';
import type { SimulationEvent, StartedEvent, SummaryEvent, Tell } from './events.ts';
import { buildFirmwareForBoard } from './firmware.ts';
import { GUEST_DEVICE_ID } from './guest.ts';
import { createHubSide, HUB_NAME, SERVER_NAMES, type HubSide, type Place } from './hub-side.ts';
import { openLocalPki, type LocalPki } from './local-pki.ts';
import { DEFAULT_RUN_MS, MIN_MIGRATION_DEVICES, type SimulationOptions } from './options.ts';
import type { DevicePlan, RunEnding } from './run.ts';
import { RunControl } from './run-control.ts';
import { planKeyRotation, slotsOf, type RotationKeys } from './key-rotation.ts';
import { openMigrationOwner, type MigrationOwner } from './migration-owner.ts';
import { RootMigration } from './root-migration.ts';
import { planCuts, planScenario, type Plan } from './scenarios.ts';
import { chooseClock, openWorld, type World } from './world.ts';

/** Of virtual runs without a seed: they repeat all the same. */
const DEFAULT_VIRTUAL_SEED = 1;
/** Seeds of devices are this far apart, so that runs with neighbouring seeds have none in common. */
const SEED_STRIDE = 10_007;

/** Who watches a run, and may end it. */
export interface SimulationHost {
  readonly onEvent: (event: SimulationEvent) => void;
  /** A line for people before each long step. */
  readonly onProgress: (text: string) => void;
  /** The device for the user's own clients, before the run begins. Its key is for a person's eyes only. */
  readonly onGuest?: (guest: GuestDevice) => void;
  /** Aborted to end the run early; the summary comes all the same. */
  readonly interrupted: AbortSignal;
}

export interface GuestDevice {
  readonly deviceId: string;
  readonly keyBase64: string;
}

export interface SimulationResult {
  readonly summary: SummaryEvent;
  readonly ending: RunEnding;
}

/** Builds what is needed and runs hub and devices; when it resolves all is over and no process is left. @throws what building and listening throw */
export async function simulate(options: SimulationOptions, host: SimulationHost): Promise<SimulationResult> {
  const seed = options.seed ?? (options.isVirtual ? DEFAULT_VIRTUAL_SEED : undefined);
  const clock = chooseClock(options.isVirtual);
  /** Set when all is built: what comes before happens at 0. */
  let startMs = Infinity;
  let isOver = false;
  const tellHost: Tell = (event) => host.onEvent({ ...event, sinceStartMs: Math.max(0, clock.monotonicMs() - startMs) } as SimulationEvent);
  let migration: RootMigration | undefined;
  const tell: Tell = (event) => {
    if (isOver) return;
    tellHost(event);
    migration?.observe(event);
  };
  if (!options.isVirtual) checkMachineClock(clock.now());
  const side = createHubSide(clock, options.graceMs, (body) => tell({ source: 'hub', body }));
  const pki = await openLocalPki(SERVER_NAMES, clock.now(), options.isVirtual ? 'virtual' : 'real');
  const owner = options.scenario === 'root-migration' ? await openMigrationOwner(pki, clock.now()) : undefined;
  const world = await openWorld(options, clock, side, pki);
  const folder = options.keepFolder ?? mkdtempSync(join(tmpdir(), 'latchkey-sim-'));
  const endings: (() => void)[] = [];
  try {
    const firmware = await buildFirmwareForBoard(options.bits, host.onProgress);
    startMs = clock.monotonicMs();
    const rotation = new Map<string, RotationKeys>();
    const devices = Array.from({ length: options.deviceCount }, (_, index) =>
      makeDevice(`sim-${index + 1}`, { options, side, pki, owner, rotation, world, folder, tell, seed: seed === undefined ? undefined : seed * SEED_STRIDE + index }),
    );
    const deviceIds = devices.map(({ record }) => record.deviceId);
    if (!options.isVirtual) host.onGuest?.(addGuest(side));
    tell({ source: 'simulation', body: describeStart(options, world, pki, deviceIds, seed) });
    const plan = { clock, durationMs: options.durationMs, tell };
    if (options.cutCount > 0) endings.push(planCuts(world.link, options.cutCount, seed === undefined ? Math.random : seededRandom(seed), plan));
    if (owner !== undefined) {
      migration = planMigration(options, { owner, side, world, devices, plan });
      endings.push(() => migration?.close());
    } else if (options.scenario === 'key-rotation') {
      endings.push(planKeyRotation(side.hub, rotation, plan));
    } else if (options.scenario !== undefined && options.scenario !== 'root-migration') {
      endings.push(planScenario(options.scenario, { hub: side.hub, deviceIds, tokenLifeSeconds: options.tokenLifeSeconds }, plan));
    }
    const control = new RunControl({ ...plan, interrupted: host.interrupted });
    endings.push(() => control.close());
    await world.run({ devices, firmware, deviceClockMs: options.deviceClockMs, stop: control.stop });
    const records = devices.map(({ record }) => record);
    const counts = migration?.counts();
    const summary = { ...summarize(side, records), ...(counts !== undefined && { ...counts, stranded: devices.length - counts.online }) };
    // The summary is the last word: what the hub says while it closes is not told.
    isOver = true;
    tellHost({ source: 'simulation', body: summary });
    return { summary, ending: control.endingOf(records) };
  } finally {
    for (const end of endings) end();
    await world.close();
    if (options.keepFolder === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

interface DeviceMaking {
  readonly options: SimulationOptions;
  readonly side: HubSide;
  readonly pki: LocalPki;
  readonly owner: MigrationOwner | undefined;
  /** Of the scenario `key-rotation`: keys that are made for it go here. */
  readonly rotation: Map<string, RotationKeys>;
  readonly world: World;
  readonly folder: string;
  readonly tell: Tell;
  readonly seed: number | undefined;
}

/** Registers one device at the hub and writes its folder. */
function makeDevice(deviceId: string, { options, side, pki, owner, rotation, world, folder, tell, seed }: DeviceMaking): DevicePlan {
  const makeKeys = (purpose: string): KeyPair => (options.isVirtual ? repeatableKeys(`${deviceId}${purpose}`, seed) : generateKeyPair());
  const keys = makeKeys('');
  if (options.scenario === 'key-rotation') rotation.set(deviceId, { today: keys, nextPrimary: makeKeys(' next').primary });
  const rotated = rotation.get(deviceId);
  const furtherKeysBase64 = rotated && slotsOf(rotated).slice(1).map(encodeKey);
  side.hub.registry.add({ deviceId }, { keys });
  const deviceFolder = join(folder, deviceId);
  writeDeviceFolder(deviceFolder, {
    hub: HUB_NAME,
    deviceId,
    port: world.deviceDoor.port,
    roots: [pki.rootDer],
    tokenLifeSeconds: options.tokenLifeSeconds,
    telemetryIntervalMs: options.telemetryIntervalMs,
    durationMs: options.durationMs ?? 0,
    pipeline: options.pipeline,
    app: options.app,
    updates: owner?.updates,
    ntp: world.places.ntp.map(formatPlace),
    date: `localhost:${world.places.date.port}`,
    credential: { type: 'key', keyBase64: encodeKey(keys.primary), furtherKeysBase64 },
  });
  return { record: new DeviceRecord(deviceId, tell), folder: deviceFolder, seed, cable: new Cable() };
}

interface MigrationPlanning {
  readonly owner: MigrationOwner;
  readonly side: HubSide;
  readonly world: World;
  readonly devices: readonly DevicePlan[];
  readonly plan: Plan;
}

/** @throws ERR_SCENARIO in real time, or with too few devices */
function planMigration({ noUpdates, deviceCount }: SimulationOptions, { owner, side, world, devices, plan }: MigrationPlanning): RootMigration {
  const { site } = world;
  if (site === undefined || deviceCount < MIN_MIGRATION_DEVICES) {
    throw new CliError('ERR_SCENARIO', EXIT.usage, `root-migration runs in virtual time, with ${MIN_MIGRATION_DEVICES} devices at least`, 'give 3 devices or more, and virtual time');
  }
  const members = devices.map(({ record, cable = new Cable() }) => ({ deviceId: record.deviceId, cable, sentCount: () => record.counts.sent }));
  return new RootMigration({ side, site, owner, noUpdates, devices: members }, { ...plan, durationMs: plan.durationMs ?? DEFAULT_RUN_MS });
}

/** In virtual time even the keys repeat, so that the whole log does; they open nothing but this run's hub. */
function repeatableKeys(deviceId: string, seed: number | undefined): KeyPair {
  const make = (which: string): Uint8Array => createHash('sha256').update(`latchkey virtual ${deviceId} ${seed} ${which}`).digest();
  return { primary: make('primary'), secondary: make('secondary') };
}

function addGuest(side: HubSide): GuestDevice {
  const guest = side.hub.registry.add({ deviceId: GUEST_DEVICE_ID });
  return { deviceId: GUEST_DEVICE_ID, keyBase64: encodeKey(guest.keys.primary) };
}

function describeStart(options: SimulationOptions, world: World, pki: LocalPki, devices: readonly string[], seed: number | undefined): StartedEvent {
  const { places, deviceDoor } = world;
  return {
    event: 'started',
    hubName: HUB_NAME,
    hub: formatPlace(places.hub),
    link: deviceDoor === places.hub ? undefined : formatPlace(deviceDoor),
    date: formatPlace(places.date),
    ntp: places.ntp.map(formatPlace),
    rootFile: pki.rootFile,
    devices,
    isVirtual: options.isVirtual,
    bits: options.bits,
    seed,
  };
}

const formatPlace = ({ address, port }: Place): string => `${address}:${port}`;

function summarize(side: HubSide, records: readonly DeviceRecord[]): SummaryEvent {
  const sent = records.reduce((sum, { counts }) => sum + counts.sent, 0);
  const acked = records.reduce((sum, { counts }) => sum + counts.acked, 0);
  const counts = side.ledger.counts();
  return {
    event: 'summary',
    sent,
    acked,
    received: counts.received,
    // A board that was killed may have sent more than it had told of.
    lost: Math.max(0, sent - counts.received),
    duplicated: counts.duplicated,
    renewals: counts.renewals,
    connects: counts.connects,
    maxGapMs: Math.round(counts.maxGapMs * 10) / 10,
    oldClosedBeforeNew: counts.oldClosedBeforeNew,
  };
}
