import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { PART_BYTES } from '../../firmware/agent/roots/root-limits.ts';
import { parseOffer } from '../../firmware/agent/roots/root-offer.ts';
import { projectPath } from '../../host-sim/board/project-path.ts';
import { configurationIdOf, rollOut, type RolloutEvent, type RolloutPlan } from '../../host-sim/roots/rollout.ts';
import { recordEvidence } from '../evidence.ts';
import type { CliRun } from '../fakes/cli-run.ts';
import { makeBundle, makeUpdateKey, trusted } from '../fakes/root-bundles.ts';
import { startHub } from './hub-in-process.ts';
import { openLocalService, type LocalService } from './local-service.ts';

const DEVICES = 20;
const VERSION = 2;

let service: LocalService;
/** Devices whose new roots do not reach the hub. */
let unlucky: Set<string>;
let offered: string[];

beforeEach(async () => {
  service = await openLocalService();
  unlucky = new Set();
  offered = [];
  const { hub } = service;
  for (let index = 0; index < DEVICES; index++) {
    const deviceId = `dev${index}`;
    hub.registry.add({ deviceId });
    hub.twins.patch({ deviceId }, { tags: { site: index % 2 === 0 ? 'north' : 'south' } });
  }
  // Each answers as the keeper of its roots does.
  hub.twins.onChange(({ identity, part, patch }) => {
    if (part !== 'desired' || patch.roots === undefined) return;
    offered.push(identity.deviceId);
    const state = unlucky.has(identity.deviceId) ? 'rolledBack' : 'committed';
    setImmediate(() => hub.twins.report(identity, { roots: { version: VERSION, state, fingerprints: [] } }));
  });
});

afterEach(() => service.close());

async function roll(plan: Partial<RolloutPlan> = {}): Promise<{ readonly isGood: boolean; readonly events: RolloutEvent[] }> {
  const events: RolloutEvent[] = [];
  const registry = service.registryOf('iothubowner');
  const isGood = await rollOut(
    { version: VERSION, offer: { roots: { version: VERSION, url: 'http://roots.test/2.json' } }, target: '', waves: [10, 50, 100], stopAtPercent: 20, waveMs: 20_000, pollMs: 50, ...plan },
    { registry, pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)), isInterrupted: () => false, nowMs: () => performance.now(), onEvent: (event) => events.push(event) },
  );
  return { isGood, events };
}

test('a roll-out reaches every device, wave by wave, and the devices to come', async () => {
  const { isGood, events } = await roll({ waveMs: 3000 });
  expect(isGood).toBe(true);
  expect(events.at(-1)).toMatchObject({ event: 'finished' });
  await until(() => offered.length === DEVICES);
  expect(new Set(offered).size).toBe(DEVICES);
  const waves = events.filter(({ event }) => event === 'wave');
  expect(waves.map((event) => ('percent' in event ? [event.percent, event.offered] : []))).toEqual([[10, 2], [50, 10], [100, 20]]);
  service.hub.registry.add({ deviceId: 'late' });
  await until(() => offered.includes('late'));
  recordEvidence('roots-rollout', DEVICES);
});

test('a roll-out with a target condition leaves the others alone', async () => {
  const { events } = await roll({ target: "tags.site = 'north'", waves: [100], waveMs: 1000 });
  expect(events[0]).toMatchObject({ event: 'planned', devices: DEVICES / 2 });
  await until(() => offered.length >= DEVICES / 2);
  expect(offered.every((id) => Number(id.slice(3)) % 2 === 0)).toBe(true);
});

test('a roll-out in which too many fail stops, takes its configuration away and names them', async () => {
  for (let index = 0; index < DEVICES; index++) unlucky.add(`dev${index}`);
  const { isGood, events } = await roll({ waves: [25, 100] });
  expect(isGood).toBe(false);
  const last = events.at(-1);
  expect(last).toMatchObject({ event: 'stopped', wave: 1, failedPercent: 100 });
  if (last?.event === 'stopped') expect(last.failures.length).toBeGreaterThan(0);
  expect(offered.length).toBeLessThanOrEqual(5);
  await expect(service.registryOf('iothubowner').getConfiguration(configurationIdOf(VERSION))).rejects.toThrow();
});

test('a roll-out whose first wave is silent stops before the second', async () => {
  for (let index = 0; index < DEVICES; index++) service.hub.twins.report({ deviceId: `dev${index}` }, { roots: null });
  const { isGood, events } = await roll({ version: VERSION + 5, offer: { other: { version: 7 } }, waves: [10, 100], waveMs: 300 });
  expect(isGood).toBe(false);
  expect(events.at(-1)).toMatchObject({ event: 'stopped', wave: 1, failures: [] });
});

test('what a device reported against an earlier offer is no answer to this one, until it reports something else', async () => {
  const refusal = (error: string): object => ({ roots: { version: VERSION - 1, state: 'committed', fingerprints: [], error } });
  for (let index = 0; index < DEVICES; index++) service.hub.twins.report({ deviceId: `dev${index}` }, refusal('ERR_BUNDLE_AUDIENCE'));
  expect(await roll({ waveMs: 3000 })).toMatchObject({ isGood: true });
  for (let index = 0; index < DEVICES; index++) service.hub.twins.report({ deviceId: `dev${index}` }, refusal('ERR_BUNDLE_EXPIRED'));
  // The same offer again: it is this one that they have refused.
  const { isGood, events } = await roll({ waveMs: 3000 });
  expect(isGood).toBe(false);
  expect(events.at(-1)).toMatchObject({ event: 'stopped', wave: 1, failedPercent: 100 });
});

test('a roll-out goes on where it was interrupted', async () => {
  const registry = service.registryOf('iothubowner');
  let isInterrupted = false;
  const plan: RolloutPlan = { version: VERSION, offer: { roots: { version: VERSION, url: 'http://roots.test/2.json' } }, target: '', waves: [10, 100], stopAtPercent: 20, waveMs: 3000, pollMs: 50 };
  const tools = { registry, pause: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)), nowMs: () => performance.now() };
  await rollOut(plan, { ...tools, isInterrupted: () => isInterrupted, onEvent: ({ event }) => void (isInterrupted ||= event === 'wave') });
  expect(offered.length).toBeLessThan(DEVICES);
  expect(await rollOut(plan, { ...tools, isInterrupted: () => false, onEvent: () => {} })).toBe(true);
  await until(() => offered.length === DEVICES);
});

test('"roots rollout" finds the hub that runs, and ends with a table and what to do', async () => {
  const hub = await startHub(['--device', 'dev1', '--device', 'dev2']);
  const file = join(hub.folder, '2.json');
  try {
    const keys = [await makeUpdateKey(), await makeUpdateKey()] as const;
    const set = { version: 2, roots: [trusted(readFileSync(projectPath('certs/microsoft-rsa-root-2017.der')))], keys, threshold: 2 };
    const roll = (...args: readonly string[]): Promise<CliRun> => hub.latchkey(['roots', 'rollout', file, '--wave', '50', '--wave-time', '1s', '--poll', '100ms', ...args]);
    writeFileSync(file, await makeBundle(set, [keys[0]]));
    const tooEarly = await roll();
    expect([tooEarly.exitCode, tooEarly.stdout, tooEarly.stderr]).toEqual([3, '', expect.stringContaining('1 of its own keys has signed, 2 must (ERR_BUNDLE)\n  sign it first: latchkey roots sign')]);
    writeFileSync(file, await makeBundle(set, keys));
    const run = await roll('--url', 'http://roots.test/2.json');
    expect(run.exitCode).toBe(1);
    expect(run.stdout.split('\n').slice(0, 2)).toEqual(['wave         %  offered     done   failed  waiting  offline', '1      stopped        1        0        0        0        1']);
    expect(run.stdout).toContain('nobody of the wave has answered');
    expect(run.stderr).toContain('2 devices in 2 waves, by the configuration latchkey-roots-2');
    const inParts = await roll('--json');
    expect(inParts.stdout.trim().split('\n').map((line) => (JSON.parse(line) as { readonly event: string }).event)).toEqual(['planned', 'progress', 'stopped']);
    expect(await roll('--target', "tags.site = 'nowhere'")).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('no device fits') as unknown });
  } finally {
    await hub.stop();
  }
});

test('the parts that a roll-out puts into desired properties are what devices read', () => {
  const bytes = readFileSync(projectPath('certs/microsoft-rsa-root-2017.der'));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const part = { version: 3, sha256, parts: 1, index: 0, part: bytes.subarray(0, PART_BYTES).toString('base64url') };
  expect(parseOffer(part)).toMatchObject({ kind: 'part', version: 3, count: 1, index: 0 });
  expect(JSON.stringify({ ...part, part: Buffer.alloc(PART_BYTES).toString('base64url') }).length).toBeLessThanOrEqual(4096);
});

async function until(holds: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 100_000;
  while (!holds()) {
    if (performance.now() > deadlineMs) throw new Error(`not in time: ${offered.length} offered`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
