import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { encodeKey } from '../../host-sim/hub/access/symmetric-key.ts';
import { DeviceRecord } from '../../host-sim/simulation/board-events.ts';
import { writeDeviceFolder } from '../../host-sim/simulation/device-folder.ts';
import { buildFirmwareForBoard } from '../../host-sim/simulation/firmware.ts';
import { createHubSide, HUB_NAME, SERVER_NAMES, virtualServices } from '../../host-sim/simulation/hub-side.ts';
import { openLocalPki } from '../../host-sim/simulation/local-pki.ts';
import { runVirtual } from '../../host-sim/simulation/run-virtual.ts';
import { VIRTUAL_START_MS } from '../../host-sim/simulation/world.ts';
import { Link } from '../../host-sim/time/link.ts';
import { VirtualClock } from '../../host-sim/time/virtual-clock.ts';
import { VirtualNetwork } from '../../host-sim/time/virtual-network.ts';

const DEVICES = ['one', 'two'] as const;
const DURATION_MS = 60_000;
/** When device one is told to reboot. */
const REBOOT_MS = 20_000;

let folder: string;

beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'latchkey-restart-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a device that a method reboots in virtual time comes back, sends new messages until the end of the run, and loses none', async () => {
  const clock = new VirtualClock(VIRTUAL_START_MS);
  const pki = await openLocalPki(SERVER_NAMES, VIRTUAL_START_MS, 'virtual');
  const accepted: string[] = [];
  const side = createHubSide(clock, 0, (event) => {
    if (event.event === 'connected') accepted.push(event.deviceId);
  });
  const { services, places } = virtualServices(side, pki, clock);
  const said: string[] = [];
  const devices = DEVICES.map((deviceId, index) => {
    const key = createHash('sha256').update(deviceId).digest();
    side.hub.registry.add({ deviceId }, { keys: { primary: key, secondary: key } });
    const deviceFolder = join(folder, deviceId);
    writeDeviceFolder(deviceFolder, {
      hub: HUB_NAME, deviceId, port: places.hub.port, roots: [pki.rootDer], tokenLifeSeconds: 3600, telemetryIntervalMs: 1000, durationMs: DURATION_MS,
      ntp: places.ntp.map(({ address, port }) => `${address}:${port}`), date: `localhost:${places.date.port}`, app: 'thermostat',
      credential: { type: 'key', keyBase64: encodeKey(key) },
    });
    const record = new DeviceRecord(deviceId, ({ source, body }) => void (source === 'board' && said.push(`${deviceId} ${body.event} ${Math.round(clock.monotonicMs() / 1000)}`)));
    return { record, folder: deviceFolder, seed: index };
  });
  let status: number | undefined;
  clock.setTimer(REBOOT_MS, () => {
    void side.hub.methods.invoke({ deviceId: 'one' }, { methodName: 'reboot', payload: 2 }).then((result) => (status = result.status));
  });
  const network = new VirtualNetwork(new Link({ clock, delayMs: 20 }), services);
  await runVirtual({ devices, firmware: await buildFirmwareForBoard(64, () => {}), deviceClockMs: undefined, stop: new AbortController().signal }, clock, network);
  await side.hub.close();
  expect([status, accepted]).toEqual([202, ['one', 'two', 'one']]);
  expect(said).toEqual(['one restarting 22', 'one ended 60', 'two ended 60']);
  const counts = devices.map(({ record }) => record.counts);
  expect(counts.map(({ sent, acked }) => sent - acked)).toEqual([0, 0]);
  expect(counts.every(({ sent }) => sent >= 58 && sent <= 62)).toBe(true);
  const { received, duplicated } = side.ledger.counts();
  expect([received, duplicated]).toEqual([counts[0]!.sent + counts[1]!.sent, 0]);
});
