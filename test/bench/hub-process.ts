/** The hub alone in a process of its own, so that its memory and speed are not the clients'. Run with --expose-gc. */
import { createInterface } from 'node:readline';

import { createHub } from '../../host-sim/hub/hub.ts';
import { Registry } from '../../host-sim/hub/registry/registry.ts';
import { encodeKey } from '../../host-sim/hub/access/symmetric-key.ts';
import { HUB_NAME, SERVER_NAMES } from '../../host-sim/simulation/hub-side.ts';
import { openLocalPki } from '../../host-sim/simulation/local-pki.ts';
import { realClock } from '../../host-sim/time/real-clock.ts';

/** Its first line. */
export interface HubReady {
  readonly hubName: string;
  readonly port: number;
  readonly rootFile: string;
  readonly keys: readonly string[];
}

/** Its answer to a line on stdin. */
export interface HubMemory {
  /** Resident memory after garbage collection. */
  readonly residentBytes: number;
  readonly connected: number;
}

export const loadDeviceId = (index: number): string => `load-${index}`;

/** Ends with stdin. */
export async function runHub({ deviceCount }: { readonly deviceCount: number }): Promise<void> {
  const pki = await openLocalPki(SERVER_NAMES, realClock.now(), 'real');
  const hub = createHub({ hubName: HUB_NAME, clock: realClock, registry: new Registry() });
  const keys = Array.from({ length: deviceCount }, (_, index) => encodeKey(hub.registry.add({ deviceId: loadDeviceId(index) }).keys.primary));
  const { port } = await hub.listen({ port: 0, tls: pki.tls });
  print({ hubName: HUB_NAME, port, rootFile: pki.rootFile, keys } satisfies HubReady);
  for await (const _ of createInterface({ input: process.stdin })) {
    globalThis.gc?.();
    print({ residentBytes: process.memoryUsage.rss(), connected: hub.identities().length } satisfies HubMemory);
  }
  await hub.close();
}

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
