import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SharedAccessSignature } from 'azure-iot-device';
import { announceHub, HUBS_FOLDER_VARIABLE } from '../../host-sim/service/hub-place.ts';
import { encodeKey } from '../../host-sim/hub/access/symmetric-key.ts';
import { runCommandLine, type CliRun } from '../fakes/cli-run.ts';
import { HUB_NAME, openLocalHub, type LocalHub } from './local-hub.ts';

let local: LocalHub;
let folder: string;
let rootFile: string;

beforeAll(async () => {
  local = await openLocalHub();
  folder = mkdtempSync(join(tmpdir(), 'latchkey-device-test-'));
  rootFile = join(folder, 'root.pem');
  writeFileSync(rootFile, local.pki.root.certificatePem);
});

afterAll(async () => {
  await local.close();
  rmSync(folder, { recursive: true });
});

const SHORT_RUN = ['device', '--duration', '2s', '--telemetry-interval', '100ms', '--token-ttl', '60s'];

function keyOf(deviceId: string): string {
  return encodeKey(local.hub.registry.add({ deviceId }).keys.primary);
}

function messagesOf(deviceId: string): number {
  return local.eventsOf('messageReceived').filter((event) => event.deviceId === deviceId).length;
}

async function runDevice(args: readonly string[], connectionString: string): Promise<CliRun> {
  return runCommandLine([...SHORT_RUN, ...args], { env: { IOTHUB_DEVICE_CONNECTION_STRING: connectionString } });
}

test('a virtual device connects by GatewayHostName, sends, and names no secret', async () => {
  const key = keyOf('by-gateway');
  const { exitCode, stdout, stderr } = await runDevice(['--root', rootFile], `HostName=${HUB_NAME};DeviceId=by-gateway;SharedAccessKey=${key};GatewayHostName=localhost:${local.port}`);
  expect([exitCode, messagesOf('by-gateway')]).toEqual([0, 20]);
  expect(stdout).toContain('connected, token for');
  expect(stdout).toContain('20 messages acknowledged');
  expect(stderr).toContain('SharedAccessKey=***');
  expect(stdout + stderr).not.toContain(key);
});

test('a ready-made token of Microsoft\'s SDK is enough', async () => {
  const token = SharedAccessSignature.create(HUB_NAME, 'by-token', keyOf('by-token'), Math.floor(Date.now() / 1000) + 600).toString();
  const { exitCode, stdout, stderr } = await runDevice(['--root', rootFile, '--json'], `HostName=${HUB_NAME};DeviceId=by-token;SharedAccessSignature=${token};GatewayHostName=localhost:${local.port}`);
  expect([exitCode, messagesOf('by-token')]).toEqual([0, 20]);
  expect(stdout.trimEnd().split('\n').map((line) => (JSON.parse(line) as { event: string }).event)).toEqual(expect.arrayContaining(['connected', 'done', 'ended']));
  expect(stdout + stderr).not.toContain('sig=');
});

/** Runs the device until it has printed `text`, as a user would wait for it and press Ctrl-C. */
async function runUntil(text: string, args: readonly string[], connectionString: string): Promise<CliRun> {
  const interruption = new AbortController();
  let output = '';
  return runCommandLine(['device', ...args], {
    env: { IOTHUB_DEVICE_CONNECTION_STRING: connectionString },
    interrupted: interruption.signal,
    onOutput(piece) {
      output += piece;
      if (output.includes(text)) interruption.abort();
    },
  });
}

test('a hub whose root is not among the public ones is not talked to', async () => {
  const key = keyOf('by-strangers');
  const { exitCode, stdout, stderr } = await runUntil('(ERR_TLS_UNTRUSTED_ISSUER), next try', [], `HostName=${HUB_NAME};DeviceId=by-strangers;SharedAccessKey=${key};GatewayHostName=localhost:${local.port}`);
  expect([exitCode, messagesOf('by-strangers')]).toEqual([130, 0]);
  expect(stdout).toContain("no connection: the hub's certificate leads to none of the trusted roots (ERR_TLS_UNTRUSTED_ISSUER)");
  expect(stderr.match(/--root FILE names the root to trust/g)).toHaveLength(1);
});

test('the root of a hub that runs here is found by itself, for a connection string that leads to it', async () => {
  const connectionString = `HostName=${HUB_NAME};DeviceId=by-place;SharedAccessKey=${keyOf('by-place')};GatewayHostName=localhost:${local.port}`;
  const env = { [HUBS_FOLDER_VARIABLE]: join(folder, 'hubs'), IOTHUB_DEVICE_CONNECTION_STRING: connectionString };
  const ports = { mqttPort: local.port, httpsPort: 1, amqpPort: 1, adminPort: 1 };
  const retract = announceHub(env, { processId: process.pid, hubName: HUB_NAME.toUpperCase(), address: '127.0.0.1', rootFile, serviceConnectionString: '', adminToken: '', ...ports });
  const { exitCode, stderr } = await runCommandLine(SHORT_RUN, { env });
  retract();
  expect([exitCode, messagesOf('by-place')]).toEqual([0, 20]);
  expect(stderr).toContain('trusting the root of the hub that runs here');
});

test('--hub-address changes where TCP goes and nothing else: the name is still checked', async () => {
  const key = keyOf('by-address');
  const { exitCode } = await runUntil('(ERR_TLS_HOSTNAME), next try', ['--root', rootFile, '--hub-address', `127.0.0.1:${local.port}`], `HostName=another-hub.test;DeviceId=by-address;SharedAccessKey=${key}`);
  expect([exitCode, messagesOf('by-address')]).toEqual([130, 0]);
});

test('a device that begins with the roots of a bundle reports them as its own', async () => {
  const key = keyOf('by-bundle');
  const alice = join(folder, 'alice');
  const bundle = join(folder, '1.json');
  for (const args of [
    ['keygen', '--out', `${alice}.pem`, '--no-passphrase'],
    ['create', '--out', bundle, '--bundle-version', '7', '--hub', HUB_NAME, '--root', rootFile, '--key', `${alice}.pub`],
  ]) expect((await runCommandLine(['roots', ...args])).exitCode).toBe(0);
  const { exitCode } = await runDevice(['--roots-bundle', bundle, '--recovery-host', '127.0.0.1:9'], `HostName=${HUB_NAME};DeviceId=by-bundle;SharedAccessKey=${key};GatewayHostName=localhost:${local.port}`);
  expect([exitCode, messagesOf('by-bundle')]).toEqual([0, 20]);
  expect(local.hub.twins.read({ deviceId: 'by-bundle' }).reported.roots).toMatchObject({ version: 7, state: 'committed' });
});

test.each([
  [['--roots-bundle', '1.json', '--root', 'root.pem'], '--root and --roots-bundle cannot both be given'],
  [['--recovery-host', 'here'], '--recovery-host goes with --roots-bundle'],
])('%j is refused', async (args, text) => {
  expect(await runDevice(args, 'HostName=h;DeviceId=d;SharedAccessKey=AAAA')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(text) });
});
