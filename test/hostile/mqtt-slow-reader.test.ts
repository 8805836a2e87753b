import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { startBoard, type Board, type BoardLine, type BoardReport } from '../../host-sim/board/board.ts';
import { projectPath } from '../../host-sim/board/project-path.ts';
import { VIRTUAL_START_MS } from '../../host-sim/simulation/world.ts';
import { realClock } from '../../host-sim/time/real-clock.ts';
import { HUB_NAME, writeDevice } from '../fakes/agent-board-device.ts';
import { MqttPeer } from '../fakes/agent-board-peer.ts';
import { createTestPki } from '../fakes/agent-board-pki.ts';
import { buildAgent, type AgentPrograms } from '../fakes/agent-board.ts';
import { recordEvidence } from '../evidence.ts';

const LOOPBACK = '127.0.0.1';
/** Half a megabyte a second: what lies between the sockets is full within a second. */
const SETTINGS = { size: 1000, interval: 2, qos: 0, queue: 16 } as const;
/** When the queue is full, `send()` refuses in so many turns of the board at least, some milliseconds apart: the timer that sends is due in each. */
const REFUSING_TURNS = 50;
const TURN_MS = 10;
/** A guard against a hang. */
const STOP_LIMIT_MS = 100_000;
const FLOWING_MESSAGES = 50;

let programs: AgentPrograms;
let folder: string;
let server: Server;
let peer: MqttPeer;
let proxy: ChildProcess;
let proxyPort: number;
let rootDer: Uint8Array;
let board: Board | undefined;

beforeAll(async () => {
  programs = await buildAgent();
  folder = mkdtempSync(join(tmpdir(), 'latchkey-slow-'));
  const pki = await createTestPki();
  rootDer = pki.root.certificateDer;
  server = createServer((socket) => peer.accept(socket));
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
  proxy = spawn('python3', [projectPath('test/hostile/mqtt/slow-proxy.py'), String((server.address() as AddressInfo).port)], { stdio: ['pipe', 'pipe', 'inherit'] });
  proxyPort = Number(String((await once(proxy.stdout!, 'data'))[0]));
  peer = new MqttPeer(pki, realClock);
}, 300_000);

afterAll(async () => {
  if (board !== undefined) await board.stop(100);
  proxy.kill();
  peer.dropConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

/** Sends for a while through the proxy, which may stop reading meanwhile. */
async function send(stops: boolean): Promise<{ done: BoardLine; meanwhile: BoardReport; lines: readonly BoardLine[]; numbers: readonly number[] }> {
  const device = join(folder, `device-${stops}`);
  writeDevice(device, { roots: [rootDer], keys: [new Uint8Array(32).fill(5)], settings: { ...SETTINGS, port: proxyPort } });
  const firstOfThis = peer.received.length;
  const lines: BoardLine[] = [];
  const started = startBoard({ ...programs, device, wallMs: VIRTUAL_START_MS, hosts: { [HUB_NAME]: LOOPBACK }, onLine: (line) => lines.push(line) });
  board = started;
  await until(() => peer.received.length >= firstOfThis + FLOWING_MESSAGES);
  let meanwhile = await started.report();
  const isFull = (): boolean => meanwhile.chunkBytes >= SETTINGS.queue * SETTINGS.size;
  if (stops) proxy.stdin!.write('stop\n');
  // Where this process or the proxy was held up the queue of the other run is full for a moment, too.
  while (isFull() !== stops) meanwhile = await started.report();
  for (let turn = 0; turn < REFUSING_TURNS; turn++) {
    await pass(TURN_MS);
    await started.report();
  }
  proxy.stdin!.write('go\n');
  expect(await started.stop(STOP_LIMIT_MS)).toMatchObject({ code: 0 });
  board = undefined;
  // What the board has written is still on its way.
  await until(() => !peer.connections.at(-1)!.isOpen);
  const numbers = peer.received.slice(firstOfThis).map(({ n }) => n);
  return { done: lines.find(({ event }) => event === 'done')!, meanwhile, lines, numbers };
}

const pass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(predicate: () => boolean): Promise<void> {
  while (!predicate()) await pass(10);
}

test('a server that stops reading fills the window: send() refuses, the heap does not grow, and what was accepted arrives in order', async () => {
  const read = await send(false);
  const stopped = await send(true);
  expect(read.meanwhile.chunkBytes).toBeLessThan(SETTINGS.queue * SETTINGS.size);
  expect(Number(stopped.done['dropped'])).toBeGreaterThan(0);

  for (const { done, numbers, lines } of [read, stopped]) {
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => index + 1));
    // QoS 0: the one packet that waits for room when the application stops may not leave any more.
    expect(Number(done['sent']) - numbers.length).toBeGreaterThanOrEqual(0);
    expect(Number(done['sent']) - numbers.length).toBeLessThanOrEqual(1);
    expect(lines.filter(({ event }) => event === 'disconnected').map(({ code }) => code)).toEqual(['STOPPED']);
  }
  // What waits: the queue, and one packet that TLS did not take whole.
  expect(stopped.meanwhile.heapBytes - read.meanwhile.heapBytes).toBeLessThan((SETTINGS.queue + 1) * 1.5 * SETTINGS.size);
  recordEvidence('slow-reader', 1);
});
