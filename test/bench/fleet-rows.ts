import { readdirSync, readFileSync } from 'node:fs';

import type { SimulationEvent } from '../../host-sim/simulation/events.ts';
import { simulate } from '../../host-sim/simulation/simulation.ts';
import type { Row } from './row.ts';

const DURATION_MS = 30_000;
const KIB_BYTES = 1024;

/** Many boards at once, in virtual time: each online, sending, and configured by one automatic configuration. */
export async function measureFleet({ devices }: { readonly devices: number }): Promise<readonly Row[]> {
  const configured = new Set<string>();
  let boardBytes: number | undefined;
  const startMs = performance.now();
  const onEvent = (event: SimulationEvent): void => {
    // All are connected by then, and none has ended.
    if (event.source === 'scenario' && event.body.event === 'began') boardBytes = childBytes() / devices;
    if (event.source === 'hub' && event.body.event === 'configurationsApplied') configured.add(event.body.deviceId);
  };
  const { summary } = await simulate(
    {
      durationMs: DURATION_MS, tokenLifeSeconds: 3600, graceMs: 0, telemetryIntervalMs: 10_000, deviceCount: devices, port: 0, delayMs: 50, seed: 1, isVirtual: true, bits: 64,
      keepFolder: undefined, cutCount: 0, scenario: 'configuration', deviceClockMs: undefined, pipeline: false, app: 'thermostat', noUpdates: false,
    },
    { onEvent, onProgress: () => {}, interrupted: new AbortController().signal },
  );
  const runMs = performance.now() - startMs;
  return [
    { row: 'fleet-configured', what: 'virtual devices that one configuration reached', unit: 'times', budget: { least: devices }, measured: configured.size, note: `${devices} boards at once, ${DURATION_MS / 1000} s of virtual time` },
    { row: 'fleet-lost', what: 'virtual devices: messages lost', unit: 'messages', budget: { most: 0 }, measured: summary.lost, note: `${summary.received} received` },
    { row: 'fleet-time', what: 'virtual devices: real time of that run', unit: 'ms', measured: Math.round(runMs), note: 'start of the boards, TLS and the end of all included' },
    { row: 'fleet-memory', what: 'virtual devices: memory of a board', unit: 'bytes', measured: boardBytes === undefined ? undefined : Math.round(boardBytes), note: 'proportional set size: what boards share counts once for all of them' },
  ];
}

/** Memory of the processes that this one has started. */
function childBytes(): number {
  const children = readdirSync('/proc/self/task').flatMap((task) => readFileSync(`/proc/self/task/${task}/children`, 'utf8').split(' '));
  return children.filter((pid) => pid !== '').reduce((sum, pid) => sum + proportionalBytes(pid), 0);
}

function proportionalBytes(pid: string): number {
  const found = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
  return Number(found?.[1] ?? 0) * KIB_BYTES;
}
