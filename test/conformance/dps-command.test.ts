import { createHmac, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildFirmwareForBoard } from '../../host-sim/simulation/firmware.ts';
import { runCommandLine } from '../fakes/cli-run.ts';
import { HubProgram } from './program.ts';

const HUB_NAME = 'dps-command.test';
const ID_SCOPE = '0ne0000C0DE';
const GROUP_KEY = randomBytes(64).toString('base64');
const deviceKey = (registrationId: string): string => createHmac('sha256', Buffer.from(GROUP_KEY, 'base64')).update(registrationId).digest('base64');

let hub: HubProgram;
let folder: string;
let keyFile: string;
let args: string[];
let dpsPlace: string;
/** The second case finds it by itself. */
let rootFile: string;

beforeAll(async () => {
  await buildFirmwareForBoard(64, () => {});
  folder = mkdtempSync(join(tmpdir(), 'latchkey-dps-'));
  keyFile = join(folder, 'group.key');
  writeFileSync(keyFile, GROUP_KEY);
  hub = new HubProgram(['--port', '0', '--hub-name', HUB_NAME, '--dps-group', `fleet=${GROUP_KEY}`]);
  const started = await hub.waitFor('started');
  const dps = await hub.waitFor('dps');
  expect(dps.idScope).toBe(ID_SCOPE);
  dpsPlace = String(dps.place).replace('127.0.0.1', 'localhost');
  rootFile = String(started.rootFile);
  args = ['device', '--duration', '2s', '--telemetry-interval', '100ms', '--token-ttl', '60s', '--json', '--hub', HUB_NAME, '--hub-address', String(started.hub)];
}, 300_000);

afterAll(async () => {
  await hub.stop();
  rmSync(folder, { recursive: true });
});

test.each([
  { what: 'flags and a group key', id: 'by-flags', flags: () => ['--root', rootFile, '--dps-scope', ID_SCOPE, '--dps-registration', 'by-flags', '--dps-key-file', keyFile, '--dps-group', '--dps-host', dpsPlace], env: () => ({}) },
  {
    what: "the environment of Microsoft's samples and a device key", id: 'by-environment', flags: () => [],
    env: () => ({ IOTHUB_DEVICE_SECURITY_TYPE: 'DPS', IOTHUB_DEVICE_DPS_ENDPOINT: dpsPlace, IOTHUB_DEVICE_DPS_ID_SCOPE: ID_SCOPE, IOTHUB_DEVICE_DPS_DEVICE_ID: 'by-environment', IOTHUB_DEVICE_DPS_DEVICE_KEY: deviceKey('by-environment') }),
  },
])('latchkey device registers by $what at latchkey hub --dps-group, sends at the hub that it is assigned, and shows no key', async ({ id, flags, env }) => {
  const { exitCode, stdout, stderr } = await runCommandLine([...args, ...flags()], { env: env() });
  expect(exitCode).toBe(0);
  const events = stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as { event: string; hub?: string; acked?: number });
  expect(events.find(({ event }) => event === 'registered')).toMatchObject({ hub: HUB_NAME });
  expect(events.findLast(({ event }) => event === 'done')!.acked).toBeGreaterThan(0);
  expect(hub.lines.filter(({ event, registrationId }) => event === 'dpsAssigned' && registrationId === id)).toHaveLength(1);
  for (const secret of [GROUP_KEY, deviceKey(id)]) expect(stdout + stderr + hub.stderr + JSON.stringify(hub.lines)).not.toContain(secret);
});
