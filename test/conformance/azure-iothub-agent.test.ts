import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Twin } from 'azure-iothub';

import { encodeKey } from '../../host-sim/hub/access/symmetric-key.ts';
import { runCommandLine, type CliRun } from '../fakes/cli-run.ts';
import { HUB_NAME } from './local-hub.ts';
import { openLocalService, type LocalService } from './local-service.ts';

/** The thermostat on the virtual board as the device, Microsoft's service SDK on the other side. */

/** A guard against a hang: a machine that does much else at the same time is no failure. */
const LIMIT_MS = 100_000;

/** What the thermostat reports. */
interface Reported {
  readonly targetTemperature?: { readonly value: number; readonly ac: number; readonly av: number };
  readonly maxTempSinceLastReboot?: number;
}

let local: LocalService;
let folder: string;
let rootFile: string;
const running: { readonly abort: AbortController; readonly run: Promise<CliRun> }[] = [];

beforeAll(async () => {
  local = await openLocalService();
  folder = mkdtempSync(join(tmpdir(), 'latchkey-agent-service-'));
  rootFile = join(folder, 'root.pem');
  writeFileSync(rootFile, local.pki.root.certificatePem);
});

afterAll(async () => {
  for (const { abort } of running) abort.abort();
  await Promise.allSettled(running.map(({ run }) => run));
  await local.close();
  rmSync(folder, { recursive: true });
});

/** Starts the thermostat; it runs until it is aborted. */
async function startThermostat(deviceId: string, moduleId?: string): Promise<{ stop(): Promise<CliRun> }> {
  const identity = moduleId === undefined ? { deviceId } : { deviceId, moduleId };
  if (moduleId !== undefined) local.hub.registry.add({ deviceId });
  const key = encodeKey(local.hub.registry.add(identity).keys.primary);
  const module = moduleId === undefined ? '' : `;ModuleId=${moduleId}`;
  const connectionString = `HostName=${HUB_NAME};DeviceId=${deviceId}${module};SharedAccessKey=${key};GatewayHostName=localhost:${local.port}`;
  const abort = new AbortController();
  const args = ['device', '--app', 'thermostat', '--root', rootFile, '--telemetry-interval', '200ms', '--bits', '32', '--json'];
  const run = runCommandLine(args, { env: { IOTHUB_DEVICE_CONNECTION_STRING: connectionString }, interrupted: abort.signal });
  running.push({ abort, run });
  return { stop: () => (abort.abort(), run) };
}

async function until<T>(what: string, read: () => Promise<T | undefined>): Promise<T> {
  const endMs = Date.now() + LIMIT_MS;
  for (;;) {
    const found = await read();
    if (found !== undefined) return found;
    if (Date.now() > endMs) throw new Error(`not within ${LIMIT_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const twinOf = async (deviceId: string, moduleId?: string): Promise<Twin> => {
  const registry = local.registryOf('iothubowner');
  return (await (moduleId === undefined ? registry.getTwin(deviceId) : registry.getModuleTwin(deviceId, moduleId))).responseBody;
};

const reportedOf = async (what: string, deviceId: string, isSo: (reported: Reported) => boolean, moduleId?: string): Promise<Reported> =>
  until(what, async () => {
    const reported = (await twinOf(deviceId, moduleId)).properties.reported as Reported;
    return isSo(reported) ? reported : undefined;
  });

test('the thermostat reports, takes a desired property and acknowledges it, as azure-iothub sees it', async () => {
  const device = await startThermostat('therm-1');
  const initial = await reportedOf('the initial target', 'therm-1', ({ targetTemperature }) => targetTemperature !== undefined);
  expect(initial.targetTemperature).toEqual({ value: 21, ac: 203, av: 0, ad: 'initial value' });
  const twin = await twinOf('therm-1');
  await local.registryOf('iothubowner').updateTwin('therm-1', { properties: { desired: { targetTemperature: 26.5, other: 1 } } }, twin.etag);
  const taken = await reportedOf('the target', 'therm-1', ({ targetTemperature }) => targetTemperature?.ac === 200);
  expect(taken.targetTemperature).toMatchObject({ value: 26.5, av: (await twinOf('therm-1')).properties.desired['$version'] });
  expect(taken.maxTempSinceLastReboot).toBeGreaterThan(15);
  expect((await twinOf('therm-1') as Twin & { modelId?: string }).modelId).toBe('dtmi:com:example:Thermostat;1');
  const { exitCode } = await device.stop();
  expect(exitCode).toBe(130);
});

test('its methods answer a service: the report, 400, 501, and a reboot after which it is back', async () => {
  const device = await startThermostat('therm-2');
  await reportedOf('the start', 'therm-2', ({ targetTemperature }) => targetTemperature !== undefined);
  const client = local.clientOf('iothubowner');
  const invoke = async (methodName: string, payload?: unknown): Promise<{ status: number; payload: { readonly maxTemp?: number } }> =>
    (await client.invokeDeviceMethod('therm-2', { methodName, payload: payload ?? null, responseTimeoutInSeconds: 10, connectTimeoutInSeconds: 10 })).result;
  const report = await invoke('getMaxMinReport', '2020-01-01T00:00:00Z');
  expect([report.status, Object.keys(report.payload)]).toEqual([200, ['maxTemp', 'minTemp', 'avgTemp', 'startTime', 'endTime']]);
  expect((await invoke('getMaxMinReport', 'soon')).status).toBe(400);
  expect((await invoke('open the window')).status).toBe(501);
  const before = local.eventsOf('connected').length;
  expect((await invoke('reboot', 1)).status).toBe(202);
  await until('it is back', async () => (local.eventsOf('connected').length > before ? true : undefined));
  const again = await until('it answers', async () => invoke('getMaxMinReport', '2020-01-01T00:00:00Z').catch(() => undefined).then((answer) => (answer?.status === 200 ? answer : undefined)));
  expect(again.payload.maxTemp).toBeGreaterThan(15);
  const { stdout } = await device.stop();
  expect(stdout).toContain('"event":"restarting"');
});

test('a module has its own twin and methods', async () => {
  const device = await startThermostat('therm-3', 'sensor');
  await reportedOf('the start', 'therm-3', ({ targetTemperature }) => targetTemperature !== undefined, 'sensor');
  const { result } = await local.clientOf('iothubowner').invokeDeviceMethod('therm-3', 'sensor', { methodName: 'getMaxMinReport', payload: '2020-01-01T00:00:00Z', responseTimeoutInSeconds: 10 });
  expect(result.status).toBe(200);
  expect((await device.stop()).exitCode).toBe(130);
});
