import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client, Registry, Twin } from 'azure-iothub';
import { FeedbackWaiter } from '../../host-sim/service/feedback-waiter.ts';
import { openServiceClients, type ServiceClients } from '../../host-sim/service/service-clients.ts';
import { parseConnectionString } from '../../host-sim/terminal/connection-string.ts';
import type { PolicyConnectionString } from '../../host-sim/service/service-login.ts';
import type { CliRun } from '../fakes/cli-run.ts';
import { recordEvidence } from '../evidence.ts';
import { startHub, type HubInProcess } from './hub-in-process.ts';

/** The thermostat on both boards, at the hub as the command starts it; Microsoft's service SDK over REST and AMQP on the other side. */

/** A guard against a hang: a machine that does much else at the same time is no failure. */
const LIMIT_MS = 100_000;
const BITS = ['32', '64'] as const;

let hub: HubInProcess;
let service: ServiceClients;
let registry: Registry;
let client: Client;
const abort = new AbortController();
const runs = new Map<string, Promise<CliRun>>();
let held = 0;

beforeAll(async () => {
  hub = await startHub(BITS.flatMap((bits) => ['--device', `therm-${bits}`]));
  service = await openServiceClients({ connection: parseConnectionString(hub.place.serviceConnectionString, 'the hub') as PolicyConnectionString, place: hub.place });
  ({ registry, client } = service);
  for (const bits of BITS) {
    const { stdout } = await hub.latchkey(['device', 'show', '-d', `therm-${bits}`, '--connection-string', '--show-secrets']);
    const args = ['device', '--app', 'thermostat', '--bits', bits, '--root', hub.place.rootFile, '--telemetry-interval', '250ms', '--json'];
    runs.set(`therm-${bits}`, hub.latchkey(args, { env: { IOTHUB_DEVICE_CONNECTION_STRING: stdout.trim() }, interrupted: abort.signal }));
  }
  for (const deviceId of runs.keys()) await until(`${deviceId} is there`, async () => hub.events.some((event) => event.event === 'messageReceived' && event['deviceId'] === deviceId));
});

afterAll(async () => {
  abort.abort();
  await Promise.allSettled(runs.values());
  await service.close();
  await hub.stop();
  recordEvidence('azure-iothub-board-features', held);
});

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const endMs = Date.now() + LIMIT_MS; !(await isSo());) {
    if (Date.now() > endMs) throw new Error(`not within ${LIMIT_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const reportedOf = async (deviceId: string): Promise<{ readonly targetTemperature?: { readonly value: number; readonly ac: number } }> => ((await registry.getTwin(deviceId)).responseBody as Twin).properties.reported as never;

const connectsOf = (deviceId: string): number => hub.events.filter((event) => event.event === 'connected' && event['deviceId'] === deviceId).length;

const send = async (deviceId: string, messageId: string, body: Buffer, properties: Readonly<Record<string, string>> = {}): Promise<void> => {
  const message = Object.assign(service.createMessage(body), { messageId, ack: 'full' });
  for (const [name, value] of Object.entries(properties)) message.properties.add(name, value);
  await client.send(deviceId, message);
};

test('the boards take cloud-to-device messages, text, empty and binary, and the service has their feedback', async () => {
  const feedback = await FeedbackWaiter.open(client);
  const bodies = [Buffer.from('hällo'), Buffer.alloc(0), Buffer.from([0, 255, 10, 13, 0]), Buffer.alloc(60_000, 7)];
  const sent = [...runs.keys()].flatMap((deviceId) => bodies.map((body, index) => ({ deviceId, messageId: `${deviceId}-${index}`, body })));
  for (const { deviceId, messageId, body } of sent) await send(deviceId, messageId, body, { level: 'high', 'ü &=': '%20' });
  // The hub gathers feedback for some seconds, as IoT Hub does.
  const records = await Promise.all(sent.map(({ messageId }) => feedback.of(messageId, AbortSignal.timeout(LIMIT_MS))));
  expect(records.map(({ deviceId, description }) => [deviceId, description])).toEqual(sent.map(({ deviceId }) => [deviceId, 'Success']));
  held += 1;
});

test('telemetry of the boards comes with its id, content type and model to who reads the events', async () => {
  for (const deviceId of runs.keys()) {
    const { exitCode, stdout } = await hub.latchkey(['monitor', '-d', deviceId, '--mc', '1', '--et', '0', '-p', 'all', '--json']);
    const { event } = JSON.parse(stdout) as { readonly event: { readonly properties: { readonly system: object }; readonly payload: object } };
    expect([exitCode, event]).toEqual([0, expect.objectContaining({ origin: deviceId, interface: 'dtmi:com:example:Thermostat;1', payload: { temperature: expect.any(Number) } })]);
    expect(event.properties.system).toMatchObject({ content_type: 'application/json', content_encoding: 'utf-8', message_id: expect.stringMatching(/-1$/) });
  }
  held += 1;
});

test('an automatic configuration reaches the boards, they report it as done, and its metric counts them', async () => {
  await registry.addConfiguration({
    id: 'board-target', schemaVersion: '1.0', targetCondition: '*', priority: 5, etag: '*', labels: {},
    content: { deviceContent: { 'properties.desired.targetTemperature': 24.5 } },
    metrics: { results: {}, queries: { done: 'SELECT deviceId FROM devices WHERE properties.reported.targetTemperature.value = 24.5' } },
  } as unknown as Parameters<Registry['addConfiguration']>[0]);
  for (const deviceId of runs.keys()) await until(`${deviceId} reports`, async () => (await reportedOf(deviceId)).targetTemperature?.ac === 200 && (await reportedOf(deviceId)).targetTemperature?.value === 24.5);
  const { responseBody } = await registry.getConfiguration('board-target');
  const { systemMetrics, metrics } = responseBody as unknown as Record<'systemMetrics' | 'metrics', { readonly results: Readonly<Record<string, number>> }>;
  expect([systemMetrics.results['appliedCount'], metrics.results['done']]).toEqual([2, 2]);
  await registry.removeConfiguration('board-target');
  held += 1;
});

test('bad input from the cloud ends neither the application nor the connection, and what is right works afterwards', async () => {
  const before = new Map([...runs.keys()].map((deviceId) => [deviceId, connectsOf(deviceId)]));
  const deep = JSON.parse(`${'{"a":'.repeat(9)}1${'}'.repeat(9)}`) as object;
  const wide = Object.fromEntries(Array.from({ length: 800 }, (_, index) => [`name-${index}`, index]));
  const wrong: readonly unknown[] = ['warm', null, 1e300, -0, [], { value: 1 }, true, '\u0000', '😀'.repeat(500)];
  for (const deviceId of runs.keys()) {
    const invoke = (methodName: string, payload: unknown): Promise<number> =>
      client.invokeDeviceMethod(deviceId, { methodName, payload, responseTimeoutInSeconds: 20 }).then(({ result }) => (result as { readonly status: number }).status);
    for (const value of wrong) {
      await registry.updateTwin(deviceId, { properties: { desired: { targetTemperature: value } } }, '*').catch(() => {});
      expect(await invoke('getMaxMinReport', value)).toBeGreaterThanOrEqual(400);
    }
    for (const desired of [wide, { deep }, JSON.parse('{"constructor":{"prototype":1}}') as object]) await registry.updateTwin(deviceId, { properties: { desired } }, '*');
    expect(await invoke('no such method / ü?$rid=1', deep)).toBe(501);
    expect(await invoke('getMaxMinReport', 'x'.repeat(100_000))).toBeGreaterThanOrEqual(400);
    expect(await invoke('getMaxMinReport', Array.from({ length: 5_000 }, (_, index) => ({ [`k${index}`]: null })))).toBeGreaterThanOrEqual(400);
    await send(deviceId, `${deviceId}-long`, Buffer.alloc(64_000, 0xff), Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`p${index}`, '€'.repeat(20)])));
    await registry.updateTwin(deviceId, { properties: { desired: { targetTemperature: 20 } } }, '*');
    await until(`${deviceId} reports`, async () => (await reportedOf(deviceId)).targetTemperature?.value === 20);
    expect(await invoke('getMaxMinReport', '2020-01-01T00:00:00Z')).toBe(200);
    await until(`${deviceId} has taken the long message`, async () => Number((await registry.get(deviceId)).responseBody.cloudToDeviceMessageCount) === 0);
    expect([deviceId, connectsOf(deviceId)]).toEqual([deviceId, before.get(deviceId)]);
  }
  held += 1;
});
