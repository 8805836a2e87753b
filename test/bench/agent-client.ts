import { join } from 'node:path';

import { startBoard } from '../../host-sim/board/board.ts';
import { writeDeviceFolder } from '../../host-sim/simulation/device-folder.ts';
import type { BuiltFirmware } from '../../host-sim/simulation/firmware.ts';
import { PAYLOAD_BYTES, type ClientTask, type RunningClient } from './client.ts';

const LAST_ACKNOWLEDGEMENTS_MS = 5000;

/** The agent on the virtual board, in real time. */
export function startAgent(firmware: BuiltFirmware, { world, device, tokenLifeSeconds, intervalMs, durationMs }: ClientTask): RunningClient {
  const folder = join(world.folder, device.deviceId);
  writeDeviceFolder(folder, {
    hub: world.hubName,
    deviceId: device.deviceId,
    port: world.proxy.port,
    roots: [world.pki.rootDer],
    tokenLifeSeconds,
    telemetryIntervalMs: intervalMs,
    durationMs,
    payloadBytes: PAYLOAD_BYTES,
    ntp: world.services.ntp.map(({ address, port }) => `${address}:${port}`),
    date: `localhost:${world.services.date.port}`,
    credential: { type: 'key', keyBase64: device.keyBase64 },
  });
  let sent = 0;
  let acked = 0;
  const board = startBoard({
    program: firmware.program,
    preload: firmware.preload,
    main: firmware.main,
    device: folder,
    hosts: { [world.hubName]: world.proxy.address, localhost: world.services.date.address },
    onLine(line) {
      if (typeof line['sent'] === 'number') sent = line['sent'];
      if (typeof line['acked'] === 'number') acked = line['acked'];
    },
  });
  return {
    ended: board.exited.then(({ code, talk }) => {
      if (code !== 0) throw new Error(`the board ended with exit code ${code}\n${talk}`);
      return { sent, acked };
    }),
    stop: () => void board.stop(LAST_ACKNOWLEDGEMENTS_MS),
  };
}
