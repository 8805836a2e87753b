import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { saveDevelopmentPki } from '../../certs/development-pki.ts';
import { startBoard, type BoardLine } from '../../host-sim/board/board.ts';
import { VIRTUAL_START_MS } from '../../host-sim/simulation/world.ts';
import { DEVICE_ID, writeDevice } from '../fakes/agent-board-device.ts';
import { createTestPki } from '../fakes/agent-board-pki.ts';
import { buildAgent, type AgentPrograms } from '../fakes/agent-board.ts';
import { recordEvidence } from '../evidence.ts';

const GATEWAY = 'localhost';
const LOOPBACK = '127.0.0.1';
const TOKEN_LIFE_SECONDS = 5;
/** Twice as many as are asked for: a board that is held up for long leaves some out. */
const INTERVAL_MS = 10;
const DURATION_MS = 10_000;
/** Ten seconds hold at least two renewals of tokens that live five: each comes at 4 s of their life at the latest. */
const MIN_RENEWALS = 2;
const MIN_MESSAGES = 500;
/** A guard against a hang. */
const PATIENCE_MS = 100_000;
/** Somebody else may take a free port before mosquitto does. */
const MAX_STARTS = 5;

let folder: string;
let programs: AgentPrograms;
let ports: { readonly tls: number; readonly plain: number };
let rootDer: Uint8Array;
let broker: ChildProcess;
let subscriber: ChildProcess;
const log: string[] = [];
const topics: string[] = [];

beforeAll(async () => {
  programs = await buildAgent();
  folder = mkdtempSync(join(tmpdir(), 'latchkey-mosquitto-'));
  const pki = await createTestPki([GATEWAY]);
  rootDer = pki.root.certificateDer;
  saveDevelopmentPki(pki, folder);
  for (let starts = 1; !(await startBroker()); starts++) {
    if (starts === MAX_STARTS) throw new Error(`mosquitto does not start\n${log.join('\n')}`);
    log.length = 0;
  }
  const filter = `devices/${DEVICE_ID}/messages/events/#`;
  subscriber = spawn('mosquitto_sub', ['-h', LOOPBACK, '-p', String(ports.plain), '-q', '1', '-t', filter, '-F', '%t'], { stdio: ['ignore', 'pipe', 'ignore'] });
  createInterface({ input: subscriber.stdout! }).on('line', (topic) => topics.push(topic));
  await until('the subscription', () => log.some((line) => line.includes('SUBSCRIBE')));
}, 300_000);

afterAll(async () => {
  for (const child of [subscriber, broker]) {
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
});

test('the agent on the board renews its token at mosquitto over TLS: each message arrives once, and each renewal takes the client id over', async () => {
  const device = join(folder, 'device');
  writeDevice(device, {
    roots: [rootDer],
    keys: [new Uint8Array(32).fill(9)],
    settings: { gateway: GATEWAY, port: ports.tls, ttl: TOKEN_LIFE_SECONDS, interval: INTERVAL_MS, duration: DURATION_MS },
  });
  const lines: BoardLine[] = [];
  const board = startBoard({ ...programs, device, wallMs: VIRTUAL_START_MS, hosts: { [GATEWAY]: LOOPBACK }, onLine: (line) => lines.push(line) });
  expect(await board.exited).toMatchObject({ code: 0 });

  const done = lines.find(({ event }) => event === 'done')!;
  expect(done).toMatchObject({ dropped: 0, acked: done['sent'] });
  const sent = Number(done['sent']);
  expect(sent).toBeGreaterThanOrEqual(MIN_MESSAGES);
  await until('the last message at the subscriber', () => topics.length >= sent);
  const ids = topics.map((topic) => /%24\.mid=([^&]+)/.exec(topic)?.[1]);
  expect(new Set(ids).size).toBe(sent);
  expect(ids).toHaveLength(sent);

  const renewals = lines.filter(({ event }) => event === 'renewed').length;
  expect(renewals).toBeGreaterThanOrEqual(MIN_RENEWALS);
  const count = (text: RegExp): number => log.filter((line) => text.test(line)).length;
  expect(count(new RegExp(`New client connected from \\S+ as ${DEVICE_ID} `))).toBe(renewals + 1);
  expect(count(new RegExp(`Client ${DEVICE_ID} already connected, closing old connection`))).toBe(renewals);
  expect(count(/[Pp]rotocol error|[Ee]rror/)).toBe(0);
  recordEvidence('mosquitto-agent-messages', sent);
});

/** @returns whether the ports were still free */
async function startBroker(): Promise<boolean> {
  ports = await freePorts();
  writeFileSync(join(folder, 'mosquitto.conf'), brokerConfig());
  broker = spawn('mosquitto', ['-c', join(folder, 'mosquitto.conf')], { stdio: ['ignore', 'ignore', 'pipe'] });
  return untilLine(broker, 'stderr', log, / running$/).then(() => true, (error: unknown) => {
    if (log.some((line) => line.includes('Address already in use'))) return false;
    throw error;
  });
}

const brokerConfig = (): string => `
per_listener_settings false
allow_anonymous true
persistence false
max_queued_messages 0
log_dest stderr
log_type all
connection_messages true
user root
listener ${ports.plain} ${LOOPBACK}
listener ${ports.tls} ${LOOPBACK}
certfile ${join(folder, 'server-chain.pem')}
keyfile ${join(folder, 'server.key.pem')}
tls_version tlsv1.2
`;

/** Free until somebody else takes them: mosquitto cannot be told to choose. */
async function freePorts(): Promise<{ tls: number; plain: number }> {
  const servers = [createServer(), createServer()];
  const [tls, plain] = await Promise.all(
    servers.map(async (server) => {
      await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
      return (server.address() as AddressInfo).port;
    }),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return { tls: tls!, plain: plain! };
}

function untilLine(child: ChildProcess, stream: 'stderr', into: string[], pattern: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`mosquitto ended with ${code}\n${into.join('\n')}`)));
    createInterface({ input: child[stream]! }).on('line', (line) => {
      into.push(line);
      if (pattern.test(line)) resolve();
    });
  });
}

async function until(what: string, predicate: () => boolean): Promise<void> {
  for (const deadlineMs = Date.now() + PATIENCE_MS; !predicate(); ) {
    if (Date.now() > deadlineMs) throw new Error(`${what}: not within ${PATIENCE_MS} ms\n${log.slice(-20).join('\n')}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
