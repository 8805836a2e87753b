import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

import { LOOPBACK } from '../../host-sim/hub/listen.ts';
import { HUB_NAME, SERVER_NAMES } from '../../host-sim/simulation/hub-side.ts';
import { openLocalPki } from '../../host-sim/simulation/local-pki.ts';
import { realClock } from '../../host-sim/time/real-clock.ts';
import { startModule } from '../module-process.ts';
import { loadDeviceId, type BrokerFiles, type BrokerReady } from './broker-process.ts';
import type { LoadTarget } from './load-client.ts';
import { ProcessMeter } from './process-meter.ts';

/** A broker under load, in a process of its own. */
export interface Broker {
  readonly name: 'hub' | 'aedes' | 'mosquitto';
  readonly meter: ProcessMeter;
  target(index: number): LoadTarget;
  /** Has its garbage collected, where it has any. */
  tidy(): Promise<void>;
  close(): Promise<void>;
}

/** Ours, one by others in JavaScript, one by others in C; the same certificate, nobody subscribed, nothing kept on disk. */
export async function startBrokers(deviceCount: number): Promise<readonly Broker[]> {
  const pki = await openLocalPki(SERVER_NAMES, realClock.now(), 'real');
  const folder = dirname(pki.rootFile);
  const files = { certificateChain: join(folder, 'server-chain.pem'), privateKey: join(folder, 'server.key.pem') };
  const ca = readFileSync(pki.rootFile, 'utf8');
  return [
    await startNodeBroker('hub', 'runHub', { files, deviceCount }, ca),
    await startNodeBroker('aedes', 'runAedes', { files, deviceCount }, ca),
    await startMosquitto(files, ca),
  ];
}

async function startNodeBroker(name: 'hub' | 'aedes', exported: string, task: { files: BrokerFiles; deviceCount: number }, ca: string): Promise<Broker> {
  const child = startModule({ module: 'test/bench/broker-process.ts', name: exported, argument: task, nodeFlags: ['--expose-gc'] });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const { port, keys } = JSON.parse(await nextLine(lines, name)) as BrokerReady;
  return {
    name,
    meter: new ProcessMeter(child.pid!),
    target: (index) => makeTarget(port, ca, index, keys[index]),
    tidy: async () => {
      child.stdin?.write('\n');
      await nextLine(lines, name);
    },
    close: () => endOf(child, () => void child.stdin?.end()),
  };
}

async function startMosquitto(files: BrokerFiles, ca: string): Promise<Broker> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-bench-'));
  const port = await freePort();
  const lines = [
    'allow_anonymous true', 'persistence false', 'max_queued_messages 0', 'log_dest stderr', 'log_type error', 'log_type information', 'user root', 'set_tcp_nodelay true',
    `listener ${port} ${LOOPBACK}`, `certfile ${files.certificateChain}`, `keyfile ${files.privateKey}`, 'tls_version tlsv1.2',
  ];
  writeFileSync(join(folder, 'mosquitto.conf'), `${lines.join('\n')}\n`);
  const child = spawn('mosquitto', ['-c', join(folder, 'mosquitto.conf')], { stdio: ['ignore', 'ignore', 'pipe'] });
  // Also when the benchmark fails: the others end with their stdin.
  const kill = (): void => void child.kill();
  process.once('exit', kill);
  const said = createInterface({ input: child.stderr! })[Symbol.asyncIterator]();
  while (!/ running$/.test(await nextLine(said, 'mosquitto')));
  // Nobody reads on: what it says later must not fill the pipe.
  child.stderr?.resume();
  return {
    name: 'mosquitto',
    meter: new ProcessMeter(child.pid!),
    target: (index) => makeTarget(port, ca, index, undefined),
    tidy: async () => {},
    close: async () => {
      process.off('exit', kill);
      await endOf(child, kill);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Any key does where nobody looks at tokens: the client's work is the same. */
const ANY_KEY = Buffer.alloc(32, 7).toString('base64');

function makeTarget(port: number, ca: string, index: number, key = ANY_KEY): LoadTarget {
  return { hubName: HUB_NAME, port, ca, deviceId: loadDeviceId(index), keyBase64: key };
}

/** Free until somebody else takes it: mosquitto cannot be told to choose. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function endOf(child: ChildProcess, ask: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  ask();
  await ended;
}

async function nextLine(lines: AsyncIterator<string>, name: string): Promise<string> {
  const { done, value } = await lines.next();
  if (done === true) throw new Error(`${name} ended`);
  return value;
}
