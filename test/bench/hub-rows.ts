import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { startModule } from '../module-process.ts';
import { loadDeviceId, type HubMemory, type HubReady } from './hub-process.ts';
import { LoadClient, type LoadTarget } from './load-client.ts';
import type { Row } from './row.ts';

export interface HubLoad {
  /** Over all clients. */
  readonly messages: number;
  readonly connects: number;
  readonly idleConnections: number;
}

const CLIENTS = 4;
const WINDOW = 64;
/** CONNECTs under way at a time. */
const PARALLEL_CONNECTS = 8;
/** The hub is run in before memory is looked at. */
const WARM_UP_CONNECTS = 20;
const CLOSE_LIMIT_MS = 10_000;

/** Speed and memory of the hub simulator, in real time: the machine's figures, so without a budget. */
export async function measureHub(load: HubLoad): Promise<readonly Row[]> {
  const hub = await HubChild.start(Math.max(load.connects, load.idleConnections, CLIENTS));
  try {
    closeAll(await openMany(hub, WARM_UP_CONNECTS));
    const perSecond = await measureMessages(hub, load.messages);
    const connectsPerSecond = await measureConnects(hub, load.connects);
    const idleBytes = await measureIdle(hub, load.idleConnections);
    return [
      figure('hub-messages', 'hub simulator: QoS 1 messages over TLS', 'per second', perSecond, `${load.messages} messages of ${CLIENTS} clients, ${WINDOW} in flight each`),
      figure('hub-connects', 'hub simulator: connects over TLS', 'per second', connectsPerSecond, `${load.connects} full handshakes with CONNECT and CONNACK, ${PARALLEL_CONNECTS} at a time`),
      figure('hub-idle-memory', 'hub simulator: memory of an idle connection', 'bytes', idleBytes, `resident memory of ${load.idleConnections} connections, TLS included`),
    ];
  } finally {
    hub.close();
  }
}

function figure(row: string, what: string, unit: Row['unit'], measured: number, note: string): Row {
  return { row, what, unit, measured: Math.round(measured), note };
}

async function measureMessages(hub: HubChild, messages: number): Promise<number> {
  const clients = await openMany(hub, CLIENTS);
  const each = Math.floor(messages / CLIENTS);
  const startMs = performance.now();
  await Promise.all(clients.map((client) => client.publish(each, WINDOW)));
  const seconds = (performance.now() - startMs) / 1000;
  closeAll(clients);
  return (each * CLIENTS) / seconds;
}

async function measureConnects(hub: HubChild, connects: number): Promise<number> {
  const startMs = performance.now();
  const clients = await openMany(hub, connects);
  const seconds = (performance.now() - startMs) / 1000;
  closeAll(clients);
  return connects / seconds;
}

async function measureIdle(hub: HubChild, connections: number): Promise<number> {
  await hub.waitForNoClient();
  const before = await hub.memory();
  const clients = await openMany(hub, connections);
  const after = await hub.memory();
  if (after.connected !== connections) throw new Error(`${after.connected} of ${connections} clients are connected`);
  closeAll(clients);
  return (after.residentBytes - before.residentBytes) / connections;
}

async function openMany(hub: HubChild, count: number): Promise<LoadClient[]> {
  const clients: LoadClient[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) clients.push(await LoadClient.connect(hub.target(next++)));
  };
  await Promise.all(Array.from({ length: PARALLEL_CONNECTS }, work));
  return clients;
}

function closeAll(clients: readonly LoadClient[]): void {
  for (const client of clients) client.close();
}

class HubChild {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #ready: HubReady;
  readonly #ca: string;

  static async start(deviceCount: number): Promise<HubChild> {
    const child = startModule({ module: 'test/bench/hub-process.ts', name: 'runHub', argument: { deviceCount }, nodeFlags: ['--expose-gc'] });
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    return new HubChild(child, lines, JSON.parse(await nextLine(lines)) as HubReady);
  }

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, ready: HubReady) {
    this.#child = child;
    this.#lines = lines;
    this.#ready = ready;
    this.#ca = readFileSync(ready.rootFile, 'utf8');
  }

  target(index: number): LoadTarget {
    const { hubName, port, keys } = this.#ready;
    return { hubName, port, ca: this.#ca, deviceId: loadDeviceId(index), keyBase64: keys[index]! };
  }

  async memory(): Promise<HubMemory> {
    this.#child.stdin?.write('\n');
    return JSON.parse(await nextLine(this.#lines)) as HubMemory;
  }

  async waitForNoClient(): Promise<void> {
    const limitMs = performance.now() + CLOSE_LIMIT_MS;
    while ((await this.memory()).connected > 0) {
      if (performance.now() > limitMs) throw new Error('the hub keeps connections that are closed');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  close(): void {
    this.#child.stdin?.end();
  }
}

async function nextLine(lines: AsyncIterator<string>): Promise<string> {
  const { done, value } = await lines.next();
  if (done === true) throw new Error('the hub ended');
  return value;
}
