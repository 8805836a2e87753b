import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { NoRetry } from 'azure-iot-common';
import { Client, Message } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import { encodeKey } from '../../host-sim/hub/access/symmetric-key.ts';
import { Throttles } from '../../host-sim/hub/throttles/throttles.ts';
import type { Clock } from '../../host-sim/time/clock.ts';
import { realClock } from '../../host-sim/time/real-clock.ts';
import { runCommandLine } from '../fakes/cli-run.ts';
import { HUB_NAME, openLocalHub, type LocalHub } from './local-hub.ts';
import { run } from './program.ts';

/** A hub whose rates are reached, and devices of three makers. */

const DEVICE = { deviceId: 'dev1' };
/** One of each, then none for longer than a test takes. */
const ONCE = { perSecond: 0.001, burst: 1 };
/** Slow enough to be seen: the second message waits 100 ms, and so does each behind it. */
const SHAPED = { perSecond: 10, burst: 1 };
const MESSAGES = 8;
/** What `SHAPED` makes of them, at least; a machine that does much else takes longer. */
const SHAPED_MS = 100 * (MESSAGES - 1) - 50;

let local: LocalHub;
let throttles: Throttles;
let folder: string;

async function open(limits: ConstructorParameters<typeof Throttles>[1], clock: Clock = realClock): Promise<void> {
  throttles = new Throttles(clock, limits);
  local = await openLocalHub({ throttles });
  local.hub.registry.add(DEVICE);
  folder = mkdtempSync(join(tmpdir(), 'latchkey-throttled-'));
  writeFileSync(join(folder, 'root.pem'), local.pki.root.certificatePem);
}

afterEach(async () => {
  await local.close();
  rmSync(folder, { recursive: true });
});

const key = (): Uint8Array => local.hub.registry.find(DEVICE)!.keys.primary;
const connectionString = (): string => `HostName=${HUB_NAME};DeviceId=${DEVICE.deviceId};SharedAccessKey=${encodeKey(key())};GatewayHostName=localhost:${local.port}`;

/** The moments of messages as they came, by the hub's clock. */
function expectShaped(): void {
  const moments = local.eventsOf('messageReceived').map(({ monotonicMs }) => monotonicMs);
  expect(moments).toHaveLength(MESSAGES);
  expect(moments.at(-1)! - moments[0]!).toBeGreaterThanOrEqual(SHAPED_MS);
}

async function openSdk(): Promise<Client> {
  const client = Client.fromConnectionString(connectionString(), Mqtt);
  client.on('error', () => {});
  await client.setOptions({ ca: local.pki.root.certificatePem });
  // The SDK would try for minutes.
  client.setRetryPolicy(new NoRetry());
  await client.open();
  return client;
}

test('azure-iot-device is slowed down above the rate, its twin requests fail with 429, and a connection above the rate is refused as unavailable', async () => {
  await open({ 'd2c-send': SHAPED, 'twin-read': ONCE, 'twin-update': ONCE, connect: ONCE });
  const client = await openSdk();
  await Promise.all(Array.from({ length: MESSAGES }, (_, index) => client.sendEvent(new Message(String(index)))));
  expectShaped();
  const twin = await client.getTwin();
  const report = (): Promise<void> => new Promise((resolve, reject) => twin.properties.reported.update({ a: 1 }, (error?: Error) => (error ? reject(error) : resolve())));
  const read = (): Promise<void> => new Promise((resolve, reject) => twin.get((error?: Error) => (error ? reject(error) : resolve())));
  await report();
  // Over MQTT the SDK hands on what the hub says.
  await expect(report()).rejects.toThrow("The hub's limit for twin-update is reached: wait 1000 seconds and try again.");
  await expect(read()).rejects.toThrow("The hub's limit for twin-read is reached");
  expect(local.eventsOf('twinRefused').map(({ request, status, code }) => [request, status, code])).toEqual([['twin-reported', 429, 429_001], ['twin-get', 429, 429_001]]);
  expect(local.hub.twins.read(DEVICE).reportedVersion).toBe(2);
  await client.close();
  await expect(openSdk()).rejects.toMatchObject({ name: 'ServiceUnavailableError' });
});

function mosquittoPub(args: readonly string[], input?: string): ReturnType<typeof run> {
  const expiry = Math.floor(Date.now() / 1000) + 600;
  const sr = encodeURIComponent(`${HUB_NAME}/devices/${DEVICE.deviceId}`);
  const signature = createHmac('sha256', key()).update(`${sr}\n${expiry}`).digest('base64');
  return run('mosquitto_pub', [
    '-h', 'localhost', '-p', String(local.port), '--cafile', join(folder, 'root.pem'), '-V', 'mqttv311', '-i', DEVICE.deviceId, '-u', `${HUB_NAME}/${DEVICE.deviceId}/?api-version=2021-04-12`,
    '-P', `SharedAccessSignature sr=${sr}&sig=${encodeURIComponent(signature)}&se=${expiry}`, '-q', '1', '-t', `devices/${DEVICE.deviceId}/messages/events/`, ...args,
  ], input === undefined ? {} : { input });
}

test('mosquitto_pub is slowed down above the rate, and a connection above the rate is refused as unavailable', async () => {
  await open({ 'd2c-send': SHAPED, connect: ONCE });
  const sent = await mosquittoPub(['-l'], Array.from({ length: MESSAGES }, (_, index) => `${index}\n`).join(''));
  expect(sent).toMatchObject({ code: 0, stderr: '' });
  expectShaped();
  const refused = await mosquittoPub(['-m', 'again']);
  expect([refused.code, refused.stderr]).toEqual([3, expect.stringMatching(/(?:server|broker) unavailable/)]);
});

test('the agent on the board tries again what the hub throttles, a CONNECT and its twin, and has it all through in the end', async () => {
  // Nothing is left of any rate until the agent has felt it; then there is of all.
  let nowMs = 0;
  await open({ connect: ONCE, 'twin-read': ONCE, 'twin-update': ONCE }, { ...realClock, monotonicMs: () => nowMs });
  const useUp = (): void => {
    for (const operation of ['connect', 'twin-read', 'twin-update'] as const) throttles.tryTake(operation);
  };
  useUp();
  local.hub.twins.patch(DEVICE, { properties: { desired: { targetTemperature: 23 } } });
  const abort = new AbortController();
  const agent = runCommandLine(['device', '--app', 'thermostat', '--root', join(folder, 'root.pem'), '--telemetry-interval', '200ms', '--json'], {
    env: { IOTHUB_DEVICE_CONNECTION_STRING: connectionString() }, interrupted: abort.signal,
  });
  await local.waitFor('disconnected', ({ reason }) => reason === 'throttled');
  nowMs += 2_000_000;
  await local.waitFor('connected');
  useUp();
  await local.waitFor('twinRefused', ({ status }) => status === 429);
  // Each request that is let through takes the whole of its rate: the next one waits for this.
  const refill = setInterval(() => (nowMs += 2_000_000), 500);
  await local.waitFor('twinChanged', ({ part }) => part === 'reported' && (local.hub.twins.read(DEVICE).reported['targetTemperature'] as { value?: number } | undefined)?.value === 23);
  clearInterval(refill);
  abort.abort();
  const lines = (await agent).stdout.trim().split('\n').map((line) => JSON.parse(line) as { event: string; returnCode?: number; status?: number; request?: string; sent?: number; acked?: number });
  expect(lines.find(({ event }) => event === 'refused')).toMatchObject({ returnCode: 3 });
  expect(lines.filter(({ event }) => event === 'twin-delayed').map(({ status }) => status)).toContain(429);
  expect(lines.findLast(({ event }) => event === 'done')).toEqual(expect.objectContaining({ acked: lines.findLast(({ event }) => event === 'done')?.sent }));
});
