/** A broker alone in a process of its own, so that its memory and speed are not the clients'. Run with --expose-gc. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';

import { Aedes } from 'aedes';

import { encodeKey } from '../../host-sim/hub/access/symmetric-key.ts';
import { createHub } from '../../host-sim/hub/hub.ts';
import { LOOPBACK } from '../../host-sim/hub/listen.ts';
import { Registry } from '../../host-sim/hub/registry/registry.ts';
import { HUB_NAME } from '../../host-sim/simulation/hub-side.ts';
import { realClock } from '../../host-sim/time/real-clock.ts';

/** PEM files: both brokers and mosquitto show the same certificate. */
export interface BrokerFiles {
  readonly certificateChain: string;
  readonly privateKey: string;
}

export interface BrokerTask {
  readonly files: BrokerFiles;
  readonly deviceCount: number;
}

/** The first line of a broker. */
export interface BrokerReady {
  readonly port: number;
  /** Of the devices, base64; none where nobody looks at tokens. */
  readonly keys: readonly string[];
}

export const loadDeviceId = (index: number): string => `load-${index}`;

/** Ours. Ends with stdin. */
export async function runHub({ files, deviceCount }: BrokerTask): Promise<void> {
  const hub = createHub({ hubName: HUB_NAME, clock: realClock, registry: new Registry() });
  const keys = Array.from({ length: deviceCount }, (_, index) => encodeKey(hub.registry.add({ deviceId: loadDeviceId(index) }).keys.primary));
  const { port } = await hub.listen({ port: 0, tls: readCredentials(files) });
  await serve({ port, keys });
  await hub.close();
}

/** A broker in JavaScript by others, on Node's TLS as ours is. Ends with stdin. */
export async function runAedes({ files }: BrokerTask): Promise<void> {
  const broker = await Aedes.createBroker();
  const { certificateChain, privateKey } = readCredentials(files);
  const server = createServer({ cert: certificateChain, key: privateKey, minVersion: 'TLSv1.2', noDelay: true }, broker.handle);
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
  await serve({ port: (server.address() as AddressInfo).port, keys: [] });
  await new Promise<void>((resolve) => broker.close(resolve));
  server.close();
}

/** Collects garbage at every line of stdin, and says so. */
async function serve(ready: BrokerReady): Promise<void> {
  print(ready);
  for await (const _ of createInterface({ input: process.stdin })) {
    globalThis.gc?.();
    print({});
  }
}

function readCredentials({ certificateChain, privateKey }: BrokerFiles): { certificateChain: string; privateKey: string } {
  return { certificateChain: readFileSync(certificateChain, 'utf8'), privateKey: readFileSync(privateKey, 'utf8') };
}

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
